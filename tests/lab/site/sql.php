<?php
// SPDX-License-Identifier: GPL-2.0-or-later
// php sql.php HOST USER PASSWORD SCHEMA STATEMENT...: what a compromised WordPress would try, with WordPress' own
// client library. Prints one line a statement: its rows, "ok", or the server's error; "lost" when the connection went.
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
[, $host, $user, $password, $schema] = $argv;

function show($result): string
{
	if ($result === true) {
		return 'ok';
	}
	$rows = array_map(fn($row) => implode('|', $row), $result->fetch_all());
	return 'rows ' . count($rows) . ': ' . implode(' ', $rows);
}

try {
	$db = mysqli_init();
	$db->options(MYSQLI_OPT_CONNECT_TIMEOUT, 5);
	$db->options(MYSQLI_OPT_READ_TIMEOUT, 10);
	$db->real_connect($host, $user, $password, $schema, 3306);
} catch (mysqli_sql_exception $error) {
	exit('no connection: error ' . $error->getCode() . ': ' . $error->getMessage() . "\n");
}
foreach (array_slice($argv, 5) as $statement) {
	try {
		echo show($db->query($statement)), "\n";
	} catch (mysqli_sql_exception $error) {
		$lost = in_array($error->getCode(), [2006, 2013]) ? 'lost: ' : '';
		echo $lost, 'error ', $error->getCode(), ': ', $error->getMessage(), "\n";
	}
}
