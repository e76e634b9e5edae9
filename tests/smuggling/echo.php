<?php
// SPDX-License-Identifier: GPL-2.0-or-later
// PHP's built-in server: each request that it executes is a line, as a program of PHP sees it.
$said = [
	'port' => (int)$_SERVER['REMOTE_PORT'], 'method' => $_SERVER['REQUEST_METHOD'], 'target' => $_SERVER['REQUEST_URI'],
	'url_path' => parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) ?: null, 'host' => $_SERVER['HTTP_HOST'] ?? '',
];
file_put_contents(getenv('ECHO_LOG'), json_encode($said, JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE) . "\n", FILE_APPEND);
header('Content-Length: 4');
echo 'done';
