# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The blog: the compose project "blog" (wordpress and db), a legacy CRM database on a VM, the internet. Source it
# after lab.sh. WordPress is Debian's, served by php -S; both databases are MariaDB; the visitor comes from the
# internet through the published port.
#
#	visitor 198.19.2.10 --> 198.19.2.1:80 --> blog/wordpress --mysql--> blog/db
#	                                                        '-mysql--> crm 198.19.1.10:3306

BLOG_URL=http://198.19.2.1
BLOG_CRM=198.19.1.10
BLOG_INTERNET=198.19.2.10
BLOG_NAMES=198.19.2.53 # lab.sh tells the containers

blog_need() {
	lab_need php mariadbd mariadb-install-db dnsmasq
	[[ -d /usr/share/wordpress/wp-admin ]] || lab_skip "needs the package wordpress"
}

# blog_up: everything runs, WordPress is not installed yet
blog_up() {
	lab_up
	lab_host crm "$BLOG_CRM"
	lab_host internet "$BLOG_INTERNET"
	lab_network blog_default --label com.docker.compose.project=blog --label com.docker.compose.network=default
	blog_data
	blog_db
	blog_crm
	blog_internet
	blog_site
	blog_wordpress
	lab_wait_port db 3306
	lab_wait_port crm 3306
	lab_wait_port wordpress 80
}

# The empty system tables, made once and copied for the second server.
blog_data() {
	mkdir -p "$LAB_DIR/db" "$LAB_DIR/crm"
	timeout 60 mariadb-install-db --no-defaults --user=root --datadir="$LAB_DIR/db" --skip-test-db \
		--auth-root-authentication-method=normal --innodb-log-file-size=8M >"$LAB_DIR/log/install-db" 2>&1 ||
		lab_fail "mariadb-install-db"
	cp -a "$LAB_DIR/db/." "$LAB_DIR/crm/"
	cat >"$LAB_DIR/db/init.sql" <<-'SQL'
		CREATE DATABASE IF NOT EXISTS wordpress;
		CREATE USER IF NOT EXISTS wordpress@'%' IDENTIFIED BY 'blog-secret';
		GRANT ALL ON *.* TO wordpress@'%';
	SQL
	cat >"$LAB_DIR/crm/init.sql" <<-'SQL'
		CREATE DATABASE IF NOT EXISTS crm;
		CREATE TABLE IF NOT EXISTS crm.customers (name VARCHAR(40) PRIMARY KEY, city VARCHAR(40));
		CREATE TABLE IF NOT EXISTS crm.salaries (name VARCHAR(40) PRIMARY KEY, amount INT);
		REPLACE INTO crm.customers VALUES ('Ada', 'London'), ('Grace', 'New York');
		REPLACE INTO crm.salaries VALUES ('Ada', 1815);
		CREATE USER IF NOT EXISTS crm@'%' IDENTIFIED BY 'crm-secret';
		GRANT ALL ON *.* TO crm@'%';
	SQL
}

# The databases grant everything: what is refused in this example is refused by the firewall alone.
BLOG_MARIADB=(mariadbd --no-defaults --user=root --bind-address=0.0.0.0 --skip-name-resolve
	--innodb-use-native-aio=0 --innodb-log-file-size=8M --innodb-buffer-pool-size=16M --performance-schema=0)

blog_db() {
	lab_run db blog db blog_default -v "$LAB_DIR/db:/var/lib/mysql" -- "${BLOG_MARIADB[@]}" \
		--datadir=/var/lib/mysql --socket=/tmp/mysql.sock --pid-file=/tmp/mysql.pid \
		--init-file=/var/lib/mysql/init.sql
}

blog_crm() {
	lab_spawn crm crm "${BLOG_MARIADB[@]}" --datadir="$LAB_DIR/crm" --socket="$LAB_DIR/crm/mysql.sock" \
		--pid-file="$LAB_DIR/crm/mysql.pid" --init-file="$LAB_DIR/crm/init.sql"
}

# The internet: a name server that knows one host, and that host's web server.
blog_internet() {
	lab_in internet ip addr add "$BLOG_NAMES/24" dev eth0
	mkdir -p "$LAB_DIR/www"
	printf 'the internet\n' >"$LAB_DIR/www/index.html"
	lab_spawn internet internet-http /usr/bin/python3 -m http.server --directory "$LAB_DIR/www" 80
	lab_spawn internet internet-dns dnsmasq --keep-in-foreground --conf-file=/dev/null --no-hosts --no-resolv \
		--pid-file= --user=root --listen-address="$BLOG_NAMES" --bind-interfaces \
		--address="/wordpress.org/$BLOG_INTERNET" --address="/evil.example/$BLOG_INTERNET"
	lab_wait_port internet 80
}

blog_site() {
	local site=$LAB_DIR/site
	cp -a /usr/share/wordpress "$site"
	rm -rf "$site/wp-config.php" "$site/.htaccess"
	mkdir -p "$site/wp-content/mu-plugins" "$site/wp-content/themes" "$site/wp-content/uploads"
	cp "$LAB_SOURCE/site/wp-config.php" "$site/"
	cp "$LAB_SOURCE/site/mu-plugins/crm.php" "$site/wp-content/mu-plugins/"
	cp -r "$LAB_SOURCE/site/theme" "$site/wp-content/themes/lab"
}

blog_wordpress() {
	lab_run wordpress blog wordpress blog_default -p 80:80 -v "$LAB_DIR/site:/site" \
		-e PHP_CLI_SERVER_WORKERS=4 -- \
		php -d display_errors=1 -S 0.0.0.0:80 -t /site
}

# blog_get PATH [CURL OPTION...]: the visitor loads a page; the body, then a line "status N"
blog_get() {
	local path=$1
	shift
	lab_in internet curl -sSL --max-time 30 -w '\nstatus %{http_code}\n' "$@" "$BLOG_URL$path" 2>&1
}

# The real installer, as a browser posts its form.
blog_install_page() {
	blog_get '/wp-admin/install.php?step=2' --data-urlencode 'weblog_title=The lab blog' \
		-d user_name=admin -d admin_password=correct-horse-9 -d admin_password2=correct-horse-9 -d pw_weak=on \
		-d admin_email=admin@blog.example -d blog_public=0 -d Submit=Install -d language=
}

blog_install() {
	lab_contains "the installer's page" "$(blog_install_page)" "WordPress has been installed"
}

blog_check_pages() {
	local page
	page=$(blog_get /)
	lab_contains "the front page" "$page" "status 200"
	lab_contains "the front page" "$page" "Hello world!"
	page=$(blog_get '/?p=1')
	lab_contains "the first post" "$page" "Welcome to WordPress"
	page=$(blog_get '/?crm=customers')
	lab_contains "the CRM page" "$page" "customer: Ada (London)"
}

# A visitor's comment: read, written and read back through WordPress.
blog_comment() {
	local page
	page=$(blog_get /wp-comments-post.php -d comment="$1" -d author=Eve -d email=eve@visitor.example \
		-d comment_post_ID=1 -d submit=Post)
	lab_contains "the comment's page" "$page" "status 200"
}

# blog_sql db|crm STATEMENT...: from inside the WordPress container
blog_sql() {
	local server=$1
	shift
	if [[ $server == db ]]; then
		lab_exec wordpress php /lab/site/sql.php db wordpress blog-secret wordpress "$@"
	else
		lab_exec wordpress php /lab/site/sql.php "$BLOG_CRM" crm crm-secret crm "$@"
	fi
}
