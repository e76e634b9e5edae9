<?php
// SPDX-License-Identifier: GPL-2.0-or-later
// The blog's configuration: WordPress finds its database by the compose service name "db".
define('DB_NAME', 'wordpress');
define('DB_USER', 'wordpress');
define('DB_PASSWORD', 'blog-secret');
define('DB_HOST', 'db');
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY',
	'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'] as $name) {
	define($name, "lab only: $name");
}
define('WP_DEFAULT_THEME', 'lab');
define('DISABLE_WP_CRON', true); // cron would call the site itself at moments that no test chose
define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_DEBUG', true); // a failed query is an error on the page, not a blank
$table_prefix = 'wp_';
defined('ABSPATH') || define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
