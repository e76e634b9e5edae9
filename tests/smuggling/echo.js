// SPDX-License-Identifier: GPL-2.0-or-later
// Node's own server: each request that it executes is a line, as three kinds of application would read it: as it came,
// by the URL class, and decoded.
'use strict';
const fs = require('fs');
const http = require('http');

const [listen_port, log_path] = process.argv.slice(2);
const log = fs.openSync(log_path, 'a');

function read_as_url(request) {
	try {
		return new URL(request.url, 'http://' + (request.headers.host || 'none')).pathname;
	} catch (error) {
		return undefined;
	}
}

function decoded(text) {
	try {
		return decodeURIComponent(text);
	} catch (error) {
		return undefined;
	}
}

function note(request) {
	const path = read_as_url(request), port = request.socket.said_port || request.socket.remotePort || 0;
	fs.writeSync(log, JSON.stringify({
		port, method: request.method, target: request.url, host: request.headers.host || '',
		url_path: path, url_decoded: path && decoded(path),
	}) + '\n');
}

const server = http.createServer({keepAlive: true}, (request, response) => {
	note(request);
	request.resume();
	response.setHeader('Content-Length', 4);
	request.on('end', () => response.end('done'));
});
// A connection that is reset by now has no peer any more, though what it said may still be read.
server.on('connection', (socket) => { socket.said_port = socket.remotePort; });
server.keepAliveTimeout = 30000;
server.listen({port: Number(listen_port), host: '::', backlog: 4096});
