// SPDX-License-Identifier: GPL-2.0-or-later
// mysql2 and mariadb of npm: text and prepared statements, compression asked for, pipelining, bulk. Prints what they counted.
const host = process.argv[2];
const login = { host, user: 'wp', password: 'pw', database: 'blog' };

async function mysql2(out) {
	const c = await require('mysql2/promise').createConnection({ ...login, compress: true, multipleStatements: true });
	out.push((await c.query('SELECT COUNT(*) AS n FROM posts WHERE id < 4'))[0][0].n);
	out.push((await c.execute('SELECT body FROM posts WHERE id < ?', [4]))[0].length);
	await c.query('DELETE FROM bulk');
	await Promise.all([...Array(500).keys()].map((i) => c.execute('INSERT INTO bulk VALUES (?, ?)', [i, 'mysql2'])));
	out.push((await c.query('SELECT COUNT(*) AS n FROM bulk'))[0][0].n);
	await c.query('SELECT 1; SELECT 2');
	await c.end();
}

async function mariadb(out) {
	const c = await require('mariadb').createConnection({ ...login, compress: true, pipelining: true, prepareCacheLength: 8 });
	out.push((await c.execute('SELECT body FROM posts WHERE id < ?', [4])).length);
	await c.query('DELETE FROM bulk');
	await c.batch('INSERT INTO bulk VALUES (?, ?)', [...Array(1000).keys()].map((i) => [i, 'batch']));
	out.push(Number((await c.query('SELECT COUNT(*) AS n FROM bulk'))[0].n));
	const all = await Promise.all([...Array(500).keys()].map((i) => c.query('SELECT ' + i)));
	out.push(all.length);
	await c.reset();
	await c.end();
}

(async () => {
	const out = [];
	await mysql2(out);
	await mariadb(out);
	console.log([...out, 'done'].join(' '));
})().catch((e) => { console.log(String(e)); process.exit(1); });
