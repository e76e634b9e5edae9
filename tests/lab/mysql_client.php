<?php
// SPDX-License-Identifier: GPL-2.0-or-later
// mysqli and pdo_mysql (mysqlnd): text and prepared statements, several results, many rows. Prints what they counted.
[, $server] = $argv;
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$out = [];
$c = new mysqli($server, 'wp', 'pw', 'blog');
$c->set_charset('utf8mb4');
$out[] = $c->query('SELECT COUNT(*) FROM posts WHERE id < 4')->fetch_row()[0];
$s = $c->prepare('SELECT body FROM posts WHERE id < ?');
$id = 4;
$s->bind_param('i', $id);
$s->execute();
$out[] = $s->get_result()->num_rows;
$s->reset();
$s->close();
$c->multi_query('SELECT 1; SELECT 2');
do {
	$r = $c->store_result();
	$out[] = $r->fetch_row()[0];
} while ($c->more_results() && $c->next_result());
$c->change_user('wp', 'pw', 'blog');
$c->begin_transaction();
$c->rollback();
$c->close();
foreach ([true, false] as $emulated) {
	$p = new PDO("mysql:host=$server;dbname=blog;charset=utf8mb4", 'wp', 'pw',
		[PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_EMULATE_PREPARES => $emulated]);
	$s = $p->prepare('SELECT body FROM posts WHERE id < ?');
	$s->execute([4]);
	if ($emulated)
		$out[] = count($s->fetchAll());
}
$p->exec('DELETE FROM bulk');
$s = $p->prepare('INSERT INTO bulk VALUES (?, ?)');
for ($i = 0; $i < 1000; $i++)
	$s->execute([$i, "row $i"]);
$out[] = $p->query('SELECT COUNT(*) FROM bulk')->fetchColumn();
echo implode(' ', $out), "\n";
