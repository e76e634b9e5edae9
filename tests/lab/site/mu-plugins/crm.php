<?php
/*
Plugin Name: CRM customers
Description: ?crm=customers lists the customers of the legacy database on its VM.
*/
// SPDX-License-Identifier: GPL-2.0-or-later

add_action('template_redirect', function () {
	if (($_GET['crm'] ?? '') !== 'customers') {
		return;
	}
	header('Content-Type: text/plain; charset=utf-8');
	mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
	try {
		$crm = mysqli_init();
		$crm->options(MYSQLI_OPT_CONNECT_TIMEOUT, 5);
		$crm->real_connect('198.19.1.10', 'crm', 'crm-secret', 'crm', 3306);
		foreach ($crm->query('SELECT name, city FROM customers ORDER BY name') as $row) {
			echo "customer: $row[name] ($row[city])\n";
		}
	} catch (mysqli_sql_exception $error) {
		status_header(502);
		echo 'crm error ', $error->getCode(), ': ', $error->getMessage(), "\n";
	}
	exit;
});
