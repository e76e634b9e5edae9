#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whoever is refused reads why, in the words of the protocol: real clients and the libraries that programs use see
# the sentence with the rule's name, at once, and the server's connections are closed, not left behind. All of it over
# IPv4 and over IPv6, the same texts.
set -euo pipefail
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=blog.sh
. "$(dirname "$0")/blog.sh"

DENIED="refused by bridgewarden"

servers() {
	mkdir -p "$LAB_DIR/www"
	printf 'yes\n' >"$LAB_DIR/www/ok"
	lab_nginx web t web t_default "$LAB_DIR/www"
	lab_run cache t cache t_default -- redis-server --save '' --protected-mode no
	lab_run names t names t_default -- dnsmasq --keep-in-foreground --conf-file=/dev/null --no-hosts --no-resolv \
		--pid-file= --user=root --address=/example.com/198.18.1.1
	blog_data
	lab_run db t db t_default -v "$LAB_DIR/db:/var/lib/mysql" -- "${BLOG_MARIADB[@]}" '--bind-address=*' \
		--datadir=/var/lib/mysql --socket=/tmp/mysql.sock --pid-file=/tmp/mysql.pid \
		--init-file=/var/lib/mysql/init.sql
	mkdir -p "$LAB_DIR/pg"
	chown postgres "$LAB_DIR/pg"
	as_postgres "$PG_BIN/initdb" -D "$LAB_DIR/pg" -A trust -E UTF8 >"$LAB_DIR/log/initdb" 2>&1 || lab_fail "initdb"
	printf 'host all all %s trust\n' 0.0.0.0/0 ::/0 >>"$LAB_DIR/pg/pg_hba.conf"
	lab_run pg t pg t_default -v "$LAB_DIR/pg:/pg" --user "$(id -u postgres)" -- \
		"$PG_BIN/postgres" -D /pg -h "*" -k /tmp -c fsync=off
	mkdir -p "$LAB_DIR/tls"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$LAB_DIR/tls/key" \
		-out "$LAB_DIR/tls/cert" -subj /CN=ok.example -days 2 2>/dev/null
	lab_run secure t secure t_default -v "$LAB_DIR/tls:/srv" -w /srv -- \
		openssl s_server -WWW -key key -cert cert -accept '*:443'
	lab_run client t client t_default -- sleep 600
	lab_wait_port cache 6379
	lab_wait_port db 3306
	lab_wait_port names 53
	lab_wait_port pg 5432
	lab_wait_port secure 443
}

# address CONTAINER: in the family whose turn it is
address() {
	case $FAMILY in
	4) lab_address "$1" ;;
	6) docker inspect -f '{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}' "$1" ;;
	esac
}

# host CONTAINER: its address as it stands in a URL
host() {
	case $FAMILY in
	4) address "$1" ;;
	6) printf '[%s]\n' "$(address "$1")" ;;
	esac
}

as_postgres() { (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups "$@"); }

# A program in the client's network: the machine's own client programs and Python libraries.
as_client() { lab_in client timeout 20 "$@" 2>&1 || true; }

python() { as_client /usr/bin/python3 -c "$1" "${@:2}"; }

web() {
	local url answer
	url=http://$(host web)
	lab_equal "curl, allowed" yes "$(as_client curl -sS -m 5 "$url/ok")"
	answer=$(as_client curl -sS -m 5 -i "$url/no")
	lab_contains "curl" "$answer" "HTTP/1.1 403 Forbidden"
	lab_contains "curl" "$answer" "$DENIED: no rule allows it"
	answer=$(as_client curl -sS -m 5 "$url/secret")
	lab_contains "curl, a deny rule" "$answer" "$DENIED: rule no-secrets"
	lab_contains "curl, HEAD" "$(as_client curl -sS -m 5 -I "$url/no")" "403 Forbidden"
	head -c 3000000 /dev/zero >"$LAB_DIR/body"
	lab_contains "curl, an upload of 3 MB" "$(as_client curl -sS -m 5 -H Expect: -T "$LAB_DIR/body" "$url/no")" "$DENIED"
	lab_contains "curl, on a connection in use" "$(as_client curl -sS -m 5 "$url/ok" "$url/no")" "$DENIED"
	answer=$(python '
import sys, requests
s = requests.Session()
print(s.get(sys.argv[1] + "/ok").text, s.get(sys.argv[1] + "/no").status_code, s.get(sys.argv[1] + "/ok").status_code)' "$url")
	lab_equal "requests, one session" "$(printf 'yes\n 403 200')" "$answer"
	lab_equal "a pipeline: what was allowed before, then what was refused" "200 200 403" "$(pipeline /ok /ok /no /ok)"
}

# pipeline PATH...: the status of each reply to requests that are sent at once
pipeline() {
	python '
import re, socket, sys
s = socket.create_connection((sys.argv[1], 80), timeout=10)
s.sendall(b"".join(b"GET %s HTTP/1.1\r\nHost: web\r\n\r\n" % path.encode() for path in sys.argv[2:]))
said = b"".join(iter(lambda: s.recv(65536), b"")).decode()
print(*re.findall(r"^HTTP/1.1 (\d+)", said, re.M))' "$(address web)" "$@"
}

cache() {
	local address answer
	address=$(address cache)
	answer=$(as_client redis-cli -h "$address" SET k v)
	lab_equal "redis-cli, allowed" OK "$answer"
	answer=$(as_client redis-cli -h "$address" FLUSHALL)
	lab_contains "redis-cli" "$answer" "NOPERM $DENIED: no rule allows it"
	answer=$(python '
import sys, redis
r = redis.Redis(sys.argv[1])
print(r.get("k"))
try:
    r.flushall()
except redis.exceptions.RedisError as e:
    print(type(e).__name__, e)
print(r.get("k"))' "$address")
	lab_contains "redis-py" "$answer" "NoPermissionError"
	lab_contains "redis-py" "$answer" "$DENIED"
	answer=$(python '
import sys, redis
pipe = redis.Redis(sys.argv[1]).pipeline(transaction=False)
pipe.set("k", "v").get("k").delete("k")
try:
    print(pipe.execute(raise_on_error=False))
except redis.exceptions.RedisError as e:
    print(type(e).__name__, e)' "$address" 2>&1)
	lab_contains "redis-py, a pipeline: what was allowed before" "$answer" "[True, b'v', "
	lab_contains "redis-py, a pipeline: what was refused" "$answer" "$DENIED"
	lab_equal "the key" v "$(as_client redis-cli -h "$address" GET k)"
}

database() {
	local address answer
	address=$(address db)
	local client=(mariadb --no-defaults -h "$address" -u wordpress -pblog-secret wordpress)
	as_client "${client[@]}" -e "CREATE TABLE t$FAMILY (n INT)" >/dev/null
	answer=$(as_client "${client[@]}" -e 'SELECT 1+1')
	lab_contains "mariadb, allowed" "$answer" 2
	answer=$(as_client "${client[@]}" -e "DROP TABLE t$FAMILY")
	lab_contains "mariadb" "$answer" "ERROR 1227 (42000) at line 1: $DENIED: no rule allows it"
	answer=$(as_client mariadb --no-defaults -h "$address" -u stranger -pblog-secret wordpress -e 'SELECT 1')
	lab_contains "mariadb, another user" "$answer" "ERROR 1045 (28000)"
	lab_contains "mariadb, another user" "$answer" "$DENIED"
	answer=$(python '
import sys, pymysql
c = pymysql.connect(host=sys.argv[1], user="wordpress", password="blog-secret", database="wordpress")
q = c.cursor()
q.execute("SELECT 40+2")
print(q.fetchone())
try:
    q.execute("DROP TABLE t" + sys.argv[2])
except pymysql.err.MySQLError as e:
    print(type(e).__name__, e.args)' "$address" "$FAMILY")
	lab_contains "pymysql" "$answer" "(42,)"
	lab_contains "pymysql" "$answer" "1227, '$DENIED"
	lab_contains "the table" "$(lab_exec db mariadb --no-defaults --socket=/tmp/mysql.sock -N wordpress -e 'SHOW TABLES')" "t$FAMILY"
}

postgres() {
	local address answer
	address=$(address pg)
	lab_equal "psql, allowed" 2 "$(as_client psql -h "$address" -U postgres -Atc 'SELECT 1+1')"
	answer=$(as_client psql -h "$address" -U postgres -c 'CREATE TABLE t (n INT)')
	lab_contains "psql" "$answer" "ERROR:  $DENIED: no rule allows it"
	answer=$(as_client psql -h "$address" -U stranger postgres -c 'SELECT 1')
	lab_contains "psql, another user" "$answer" "FATAL:  $DENIED"
	answer=$(python '
import sys, psycopg2
c = psycopg2.connect(host=sys.argv[1], user="postgres")
q = c.cursor()
q.execute("SELECT 40+2")
print(q.fetchone())
try:
    q.execute("DROP TABLE t")
except psycopg2.Error as e:
    print(e.pgcode, e)' "$address")
	lab_contains "psycopg2" "$answer" "(42,)"
	lab_contains "psycopg2" "$answer" "$DENIED"
}

names() {
	local address answer
	address=$(address names)
	lab_contains "dig, allowed" "$(as_client dig +time=2 +tries=1 "@$address" a.example.com)" 198.18.1.1
	for how in +notcp +tcp; do
		answer=$(as_client dig +time=2 +tries=1 "$how" "@$address" evil.example.org)
		lab_contains "dig $how" "$answer" "status: REFUSED"
		lab_contains "dig $how" "$answer" "$DENIED"
	done
	answer=$(python '
import sys, dns.resolver
r = dns.resolver.Resolver(configure=False)
r.nameservers = [sys.argv[1]]
try:
    r.resolve("evil.example.org", "A", lifetime=3)
except dns.resolver.NoNameservers as e:
    print("REFUSED" in str(e), type(e).__name__)' "$address")
	lab_equal "dnspython" "True NoNameservers" "$answer"
}

secure() {
	local answer
	answer=$(as_client curl -skS -m 5 -o /dev/null -w '%{size_download}' --connect-to "::$(host secure):443" https://ok.example/cert)
	lab_equal "curl, allowed" "$(stat -c %s "$LAB_DIR/tls/cert")" "$answer"
	answer=$(as_client curl -skS -m 5 --connect-to "::$(host secure):443" https://no.example/cert)
	lab_contains "curl, another name" "$answer" "access denied"
	answer=$(as_client openssl s_client -connect "$(host secure):443" -servername no.example </dev/null)
	lab_contains "openssl, another name" "$answer" "access denied"
	answer=$(as_client openssl s_client -connect "$(host secure):443" -noservername </dev/null)
	lab_contains "openssl, no name" "$answer" "access denied"
}

# refusal_recorded CONTAINER APPLICATION
refusal_recorded() {
	lab_recorded "a refusal of $2" event_type=violation "app_proto=$2" "dest_ip=$(address "$1")" violation.refusal=native
}

# Both sides have closed: no socket of the client, and none of a server, is left in any state but TIME-WAIT.
nothing_left() {
	local name
	for name in web cache db pg secure client; do
		lab_wait 8 no_connections "$name" ||
			lab_fail "$name has connections left: $(lab_in "$name" ss -Htan state connected exclude time-wait)"
	done
	lab_ok "no connection is left"
}

no_connections() { [[ -z $(lab_in "$1" ss -Htan state connected exclude time-wait) ]]; }

lab_need nginx redis-server redis-cli mariadbd mariadb dnsmasq dig psql setpriv openssl
PG_BIN=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
[[ -n $PG_BIN ]] || lab_skip "needs the package postgresql"
/usr/bin/python3 -c 'import pymysql, psycopg2, redis, requests, dns.resolver' 2>/dev/null ||
	lab_skip "needs the Python libraries; 'tools/setup test' installs them"
lab_have_bw
lab_up
lab_network t_default --label com.docker.compose.project=t --ipv6 --subnet 198.18.64.0/24 --subnet fd00:18::/64
lab_policy <<'YAML'
version: 1
mode: enforce
manage: [project:t]
rules:
- {name: no-secrets, from: t/client, to: t/web, app: http, deny: [{paths: ["/secret/**", "/secret"]}]}
- {name: web, from: t/client, to: t/web, app: http, allow: [{paths: ["/ok"]}]}
- {name: cache, from: t/client, to: t/cache, app: redis, allow: [{commands: [get, set, command, client, hello, ping]}]}
- {name: db, from: t/client, to: t/db, app: mysql, allow: [{users: [wordpress], verbs: [read, create]}]}
- {name: pg, from: t/client, to: t/pg, app: postgres, allow: [{users: [postgres], verbs: [read]}]}
- {name: secure, from: t/client, to: t/secure, app: tls, allow: [{sni: [ok.example]}]}
- {name: names, from: t/client, to: t/names, app: dns, allow: [{names: ["*.example.com"]}]}
YAML
servers
lab_bw_up
lab_mark
for FAMILY in 4 6; do
	lab_say "---- IPv$FAMILY"
	web
	cache
	database
	postgres
	names
	secure
	refusal_recorded web http
	refusal_recorded cache redis
	refusal_recorded db mysql
	refusal_recorded pg postgres
	refusal_recorded names dns
	refusal_recorded secure tls
	nothing_left
done
