#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# MySQL's protocol with real clients and a real MariaDB: honest clients are served and raise no alarm, records say what
# they did and what came of it, and what a rule denies is never in the server's own log. No Docker needed.
#
# Clients of npm are tried when BW_NODE_MODULES names a folder that has mysql2 and mariadb.
set -euo pipefail
# shellcheck source=world.sh
. "$(dirname "$0")/world.sh"
SERVER=198.18.7.3

policy() {
	world_policy_head ""
	cat <<-'YAML'
		- name: app
		  from: container:client
		  to: container:server
		  app: mysql
		  log: all
		  allow:
		  - {users: [wp], verbs: [read, write], schemas: [blog], tables: [posts, bulk, "big*"]}
		  - {users: [admin], unparsed: allow}
		  - {users: [repl], verbs: [read, write, replication]}
	YAML
}

# mariadb_up PLACE PORT OPTION...
mariadb_up() {
	local dir=$LAB_DIR/$1-$2
	mkdir -p "$dir"
	chown mysql "$dir"
	mariadb-install-db --no-defaults --user=mysql --datadir="$dir/data" --auth-root-authentication-method=normal --skip-test-db \
		>"$LAB_DIR/log/install" 2>&1
	lab_spawn "$1" "mariadbd-$2" mariadbd --no-defaults --user=mysql --datadir="$dir/data" --socket="$dir/sock" --port="$2" \
		--bind-address=0.0.0.0 --skip-name-resolve --general-log --general-log-file="$dir/log" --pid-file="$dir/pid" \
		--innodb-buffer-pool-size=16M --innodb-flush-log-at-trx-commit=0 --innodb-log-file-size=8M --max-allowed-packet=64M "${@:3}"
	lab_must_wait 30 "MariaDB of $1" mariadb --no-defaults -uroot -S "$dir/sock" -e 'SELECT 1'
}

# root PLACE PORT: the statements of standard input, past the firewall
root() { mariadb --no-defaults -N -uroot -S "$LAB_DIR/$1-$2/sock"; }

tables() {
	root server 3306 <<-'SQL'
		CREATE DATABASE blog; CREATE DATABASE crm;
		CREATE TABLE blog.posts (id INT PRIMARY KEY AUTO_INCREMENT, body TEXT);
		INSERT INTO blog.posts (body) VALUES ('one'), ('two'), ('three');
		CREATE TABLE blog.bulk (id INT, body VARCHAR(100));
		CREATE TABLE blog.big (body LONGTEXT);
		CREATE TABLE crm.posts (id INT, body TEXT);
		INSERT INTO crm.posts VALUES (1, 'secret');
		CREATE USER wp IDENTIFIED BY 'pw'; GRANT ALL ON *.* TO wp;
		CREATE USER admin IDENTIFIED BY 'pw'; GRANT ALL ON *.* TO admin;
		CREATE USER repl IDENTIFIED BY 'pw'; GRANT ALL ON *.* TO repl;
	SQL
}

as_client() { LC_ALL=C.UTF-8 lab_in client timeout 40 "$@" 2>&1 || true; }

# cli USER OPTION...
cli() { as_client mariadb --no-defaults -N -u"$1" -ppw -h "$SERVER" "${@:2}"; }

# Records of what went before have been written.
mark() {
	sleep 1
	lab_mark
}

# no_violation CLIENT: records may come a moment later than what they are about
no_violation() {
	local found
	sleep 0.5
	found=$(lab_records event_type=violation) && lab_fail "$1 is honest: $found"
	lab_ok "$1: no violation"
}

cli_clients() {
	mark
	lab_equal "mariadb, three statements at once" $'1\n3\n2' \
		"$(cli wp blog -e 'SELECT 1; SELECT COUNT(*) FROM posts; SELECT 2')"
	lab_equal "mariadb, several in one packet" $'1\n2' \
		"$(cli wp blog --delimiter=// -e 'SELECT 1; SELECT 2//')"
	lab_equal "mariadb --compress" 3 "$(cli wp --compress blog -e 'SELECT COUNT(*) FROM posts')"
	head -c 17000000 /dev/zero | tr '\0' x >"$LAB_DIR/big"
	{ printf "INSERT INTO big VALUES ('" && cat "$LAB_DIR/big" && printf "');\n"; } >"$LAB_DIR/big.sql"
	cli wp blog --max-allowed-packet=64M -e "source $LAB_DIR/big.sql"
	lab_equal "a statement of 17 megabytes" 17000000 "$(cli wp blog -e 'SELECT LENGTH(body) FROM big')"
	lab_equal "a row of 17 megabytes" 17000001 \
		"$(cli wp --max-allowed-packet=64M blog -e 'SELECT body FROM big' | wc -c)"
	lab_equal "tables are completed" 3 "$(cli wp --auto-rehash blog -e 'SELECT COUNT(*) FROM posts')"
	no_violation "mariadb"
	mark
	as_client mariadb-dump --no-defaults -uadmin -ppw -h "$SERVER" --databases crm >"$LAB_DIR/dump.sql"
	lab_contains "mariadb-dump" "$(cat "$LAB_DIR/dump.sql")" "secret"
	cli admin -e "DROP DATABASE crm"
	cli admin -e "source $LAB_DIR/dump.sql"
	lab_equal "the dump, put back" secret "$(root server 3306 <<<'SELECT body FROM crm.posts')"
	no_violation "mariadb-dump"
}

# The flag is cleared from the greeting: the client does not offer the file, or the server does not ask.
files() {
	mark
	printf '9\tlocal\n' >"$LAB_DIR/local"
	cli admin --local-infile=1 blog -e "LOAD DATA LOCAL INFILE '$LAB_DIR/local' INTO TABLE bulk" >"$LAB_DIR/log/infile"
	lab_equal "rows of a local file" 0 "$(root server 3306 <<<'SELECT COUNT(*) FROM blog.bulk')"
	lab_spawn server rogue /usr/bin/python3 "$LAB_SOURCE/mysql_talk.py" rogue 3307
	lab_wait_port server 3307
	cli wp -P 3307 --local-infile=1 -e 'SELECT 1' >"$LAB_DIR/log/rogue-client"
	lab_recorded "a server that asks for a file" event_type=violation reason=malformed
	lab_lacks "what the rogue server got" "$(cat "$LAB_DIR/log/rogue")" "root:"
}

# Each says what it counted itself; the records must say the same.
libraries() {
	mark
	as_client /usr/bin/python3 "$LAB_SOURCE/mysql_talk.py" honest "$SERVER" >"$LAB_DIR/honest"
	lab_contains "pymysql" "$(cat "$LAB_DIR/honest")" '"done"'
	no_violation "pymysql"
	sleep 0.5
	/usr/bin/python3 "$LAB_SOURCE/mysql_talk.py" compare "$LAB_EVE" "$LAB_DIR/honest" || lab_fail "records differ from what the client saw"
	lab_ok "records are what the client saw"
	mark
	if php -m | grep -q mysqli; then
		lab_equal "php: mysqli, pdo_mysql" "3 3 1 2 3 1000" "$(as_client php "$LAB_SOURCE/mysql_client.php" "$SERVER")"
		no_violation "php"
	else
		lab_say "not tried: php has no mysqli"
	fi
	mark
	if [[ -d ${BW_NODE_MODULES:-} ]]; then
		lab_equal "node: mysql2, mariadb" "3 3 500 3 1000 500 done" \
			"$(NODE_PATH=$BW_NODE_MODULES as_client node "$LAB_SOURCE/mysql_client.js" "$SERVER")"
		no_violation "node"
	else
		lab_say "not tried: BW_NODE_MODULES names no folder with mysql2 and mariadb"
	fi
}

replication() {
	mark
	cli repl -e 'SELECT 1' >/dev/null
	lab_contains "mariadb-binlog" "$(as_client mariadb-binlog --no-defaults -urepl -ppw -h "$SERVER" --read-from-remote-server bin.000001)" \
		"CREATE DATABASE crm"
	mariadb_up client 3308 --server-id=2
	root client 3308 <<-SQL
		SET GLOBAL rpl_semi_sync_slave_enabled = ON;
		CHANGE MASTER TO MASTER_HOST='$SERVER', MASTER_USER='repl', MASTER_PASSWORD='pw', MASTER_USE_GTID=slave_pos;
		START SLAVE;
	SQL
	lab_must_wait 20 "the replica" replica_has "SELECT COUNT(*) = 1 FROM crm.posts"
	root server 3306 <<<"INSERT INTO crm.posts VALUES (2, 'later')"
	lab_must_wait 20 "the replica, later" replica_has "SELECT COUNT(*) = 2 FROM crm.posts"
	lab_equal "the replica's word arrived" ON "$(root server 3306 <<<"SHOW STATUS LIKE 'Rpl_semi_sync_master_status'" | cut -f2)"
	lab_recorded "replication" event_type=request mysql.verb=replication mysql.user=repl
	no_violation "replication"
}

replica_has() { [[ $(root client 3308 <<<"$1") == 1 ]]; }

denied() {
	mark
	as_client /usr/bin/python3 "$LAB_SOURCE/mysql_talk.py" hostile "$SERVER" >"$LAB_DIR/log/hostile"
	lab_contains "hostile clients" "$(cat "$LAB_DIR/log/hostile")" "tried"
	lab_equal "denied statements in the server's log" "" "$(grep -a hostile_ "$LAB_DIR/server-3306/log" || true)"
	lab_lacks "what hostile clients read" "$(cat "$LAB_DIR/log/hostile")" "secret"
	cat "$LAB_DIR/log/hostile" >&2
	lab_equal "posts are all there" 3 "$(root server 3306 <<<'SELECT COUNT(*) FROM blog.posts WHERE id < 4')"
}

world_need_tools mariadbd mariadb mariadb-install-db mariadb-dump mariadb-binlog php setpriv
/usr/bin/python3 -c 'import pymysql' 2>/dev/null || lab_skip "needs python3-pymysql; 'tools/setup test' installs it"
world_begin
world_wire client 0 7 2
world_endpoint client 0 7 2
mariadb_up server 3306 --server-id=1 --log-bin=bin --rpl-semi-sync-master-enabled=ON --gtid-strict-mode=ON
tables
policy | lab_policy
lab_bw_up
denied
cli_clients
files
libraries
replication
