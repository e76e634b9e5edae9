# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A world without Docker for tests of survival: a bridge with two machines, and one machine outside.
#
#	client 198.18.7.3 --+-- br0 198.18.7.1 [bridgewardend] 198.19.7.1 ---- outside 198.19.7.10
#	server 198.18.7.2 --+
#
# client -> server is internal, client -> outside is egress, outside -> server is ingress. Source it; then world_up,
# world_serve PROTOCOL..., world_policy, lab_bw_up, load_start PROTOCOL..., load_end. Everything else is tests/lab/lab.sh's,
# its promises included: only namespaces of its own, only 198.18.0.0/15, every wait ends, what was made is removed.

WORLD_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LAB_LIMIT=${LAB_LIMIT:-150}
# shellcheck source=../lab/lab.sh
. "$WORLD_SOURCE/../lab/lab.sh"

WORLD_BUILD=$LAB_BUILD
WORLD_SERVER=198.18.7.2
WORLD_CLIENT=198.18.7.3
WORLD_OUTSIDE=198.19.7.10
declare -A LOADS=()
TRIED=0
FAILED=0

# ---- a score that machines read ------------------------------------------------------------------------------

# world_try WHAT COMMAND...: counts; goes on when it fails, so that the score is of all
world_try() {
	local what=$1
	shift
	TRIED=$((TRIED + 1))
	if "$@"; then
		lab_ok "$what"
	else
		FAILED=$((FAILED + 1))
		lab_say "FAIL: $what ($*)"
	fi
}

# world_score ROW: the last line; the exit status is the score's
world_score() {
	printf 'scorecard %s tried=%d failed=%d\n' "$1" "$TRIED" "$FAILED"
	((FAILED == 0 && TRIED > 0)) || WORLD_BAD=1
	TRIED=0
	FAILED=0
}

world_end() {
	[[ -z ${WORLD_BAD:-} ]] || {
		lab_evidence
		exit 1
	}
}

same() { [[ $1 == "$2" ]] || { lab_say "   wanted $1, got $2"; return 1; }; }
at_least() { (($2 >= $1)) || { lab_say "   wanted at least $1, got $2"; return 1; }; }

# ---- namespaces ----------------------------------------------------------------------------------------------

world_need() {
	local tool
	[[ $(id -u) == 0 ]] || lab_skip "needs root (network namespaces)"
	for tool in ip nsenter iptables ss /usr/bin/python3 "$@"; do
		command -v "$tool" >/dev/null || lab_skip "needs '$tool'; 'tools/setup test' installs it"
	done
	lab_have_bw
}

world_up() {
	lab_sweep
	LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/$LAB_TAG-XXXXXX")
	LAB_POLICY=$LAB_DIR/policy.yaml
	LAB_EVE=$LAB_DIR/bw/eve.json
	LAB_SOCK=$LAB_DIR/no-docker.sock
	mkdir -p "$LAB_DIR"/{log,bw,bin}
	chmod 755 "$LAB_DIR"
	lab_identify $$ >"$LAB_DIR/owner"
	trap lab_down EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	lab_watchdog
	lab_namespace "$LAB_NS"
	lab_in docker sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=0 \
		net.bridge.bridge-nf-call-ip6tables=0 net.ipv6.conf.default.disable_ipv6=1
	ip -n "$LAB_NS" link add br0 address 02:00:00:00:07:01 type bridge
	ip -n "$LAB_NS" addr add 198.18.7.1/24 dev br0
	ip -n "$LAB_NS" link set br0 up
	world_member server "$WORLD_SERVER" 02:00:00:00:07:02
	world_member client "$WORLD_CLIENT" 02:00:00:00:07:03
	lab_host outside "$WORLD_OUTSIDE"
}

# world_member NAME ADDRESS MAC: a machine on the bridge
world_member() {
	local ns=$LAB_TAG-$1
	lab_namespace "$ns"
	LAB_HOSTS[$1]=$ns
	ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv4.tcp_max_syn_backlog=2048 \
		net.core.somaxconn=2048
	ip -n "$LAB_NS" link add "m-$1" type veth peer name eth0 address "$3" netns "$ns"
	ip -n "$LAB_NS" link set "m-$1" master br0 up
	ip -n "$ns" addr add "$2/24" dev eth0
	ip -n "$ns" link set eth0 up
	ip -n "$ns" route add default via 198.18.7.1
}

# world_policy [ENGINE [DEFAULTS [MODE]]]: what the load asks for is allowed, what its strays ask for is not
world_policy() {
	cat >"$LAB_DIR/inventory.yaml" <<-YAML
		endpoints:
		- {ip: $WORLD_SERVER, container: server, mac: "02:00:00:00:07:02"}
		- {ip: $WORLD_CLIENT, container: client, mac: "02:00:00:00:07:03"}
		networks:
		- {name: world, bridge: br0, subnets: [198.18.7.0/24], gateways: [198.18.7.1]}
	YAML
	lab_policy <<-YAML
		version: 1
		mode: ${3:-enforce}
		manage: {interfaces: [br0]}
		docker: {enabled: false}
		inventory: inventory.yaml
		engine: {workers: 2${1:+, $1}}
		defaults: {${2:-}}
		rules:
		- {name: web, from: any, to: any, app: http, port: 80, allow: [{methods: [GET], paths: ["/allowed/**"], status: "2??"}]}
		- {name: sql, from: any, to: any, app: mysql, port: 3306, allow: [{verbs: [read], schemas: [shop]}]}
		- {name: pg, from: any, to: any, app: postgres, port: 5432, allow: [{commands: [startup]}, {verbs: [read], tables: [items]}]}
		- {name: secret, from: any, to: any, app: tls, port: 443, allow: [{sni: ["*.ok.test"]}]}
		- {name: cache, from: any, to: any, app: redis, port: 6379, allow: [{commands: [get, set], keys: ["key:*"]}]}
		- {name: names, from: any, to: any, app: dns, port: 53, allow: [{names: ["*.ok.test"]}]}
		- {name: raw, from: any, to: any, app: tcp, port: 7000, allow: true}
	YAML
}

# world_protocols: those of load.py whose servers are installed
world_protocols() {
	local protocol
	for protocol in $(/usr/bin/python3 "$WORLD_SOURCE/load.py" --list); do
		if [[ $protocol == postgres && -z $(postgres_bin) ]]; then
			lab_say "skipped: postgres; 'tools/setup test' installs it"
		else
			printf '%s\n' "$protocol"
		fi
	done
}

# ---- servers: serve_PROTOCOL starts one in `server`, executed_PROTOCOL says how many forbidden requests it carried out ----

# world_serve PROTOCOL...
world_serve() {
	local protocol
	for protocol in "$@"; do
		"serve_${protocol/-/_}"
	done
	for protocol in "$@"; do
		lab_must_wait 30 "the $protocol server" "serves_${protocol/-/_}"
	done
}

# world_executed PROTOCOL: none of the forbidden requests is known to the server
world_executed() { "executed_${1/-/_}"; }

serve_http() {
	mkdir -p "$LAB_DIR"/www/{allowed,denied}
	/usr/bin/python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 128)' >"$LAB_DIR/www/allowed/big"
	printf 'secret\n' >"$LAB_DIR/www/denied/secret"
	cat >"$LAB_DIR/nginx.conf" <<-CONF
		daemon off;
		worker_processes 1;
		worker_rlimit_nofile 8192;
		pid $LAB_DIR/nginx.pid;
		user root;
		error_log stderr;
		events { worker_connections 4096; }
		http {
			access_log off;
			client_body_temp_path $LAB_DIR/bin/body; proxy_temp_path $LAB_DIR/bin/proxy; fastcgi_temp_path $LAB_DIR/bin/fcgi;
			uwsgi_temp_path $LAB_DIR/bin/uwsgi; scgi_temp_path $LAB_DIR/bin/scgi;
			keepalive_requests 100000000;
			keepalive_timeout 600s;
			client_header_timeout 600s;
			ssl_certificate $LAB_DIR/tls.pem;
			ssl_certificate_key $LAB_DIR/tls.pem;
			server {
				listen 80 backlog=2048;
				listen 443 ssl backlog=2048;
				root $LAB_DIR/www;
				location /denied/ { access_log $LAB_DIR/log/executed-http; }
				location ~ ^/allowed/([0-9]+)\$ { return 200 "\$1\\n"; }
			}
		}
	CONF
	: >"$LAB_DIR/log/executed-http"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$LAB_DIR/tls.key" -out "$LAB_DIR/tls.crt" \
		-subj /CN=web.ok.test -days 2 2>/dev/null || lab_fail "openssl"
	cat "$LAB_DIR/tls.key" "$LAB_DIR/tls.crt" >"$LAB_DIR/tls.pem"
	lab_spawn server nginx nginx -e stderr -c "$LAB_DIR/nginx.conf"
}
serves_http() { lab_listens server 80; }
executed_http() { wc -l <"$LAB_DIR/log/executed-http"; }

serve_redis() {
	lab_spawn server redis redis-server --bind 0.0.0.0 --protected-mode no --save "" --appendonly no --maxclients 4096 \
		--tcp-backlog 2048 --dir "$LAB_DIR/bin" --unixsocket "$LAB_DIR/redis.sock"
}
serves_redis() { lab_listens server 6379; }
executed_redis() {
	redis-cli -s "$LAB_DIR/redis.sock" info commandstats | sed -n 's/^cmdstat_flushall:calls=\([0-9]*\),.*/\1/p' | grep . || echo 0
}

# The account may do everything: what is refused is refused by the firewall alone.
serve_mysql() {
	mkdir -p "$LAB_DIR/db"
	timeout 60 mariadb-install-db --no-defaults --user=root --datadir="$LAB_DIR/db" --skip-test-db \
		--auth-root-authentication-method=normal --innodb-log-file-size=8M >"$LAB_DIR/log/install-db" 2>&1 ||
		lab_fail "mariadb-install-db"
	{
		printf '%s;\n' "CREATE DATABASE shop" \
			"CREATE TABLE shop.items (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=MEMORY" \
			"CREATE USER app@'%' IDENTIFIED BY ''" "GRANT ALL ON *.* TO app@'%'"
		seq 0 99 | sed 's/.*/INSERT INTO shop.items VALUES (&, "value &");/'
	} >"$LAB_DIR/db/init.sql"
	lab_spawn server mysql mariadbd --no-defaults --user=root --bind-address=0.0.0.0 --skip-name-resolve \
		--innodb-use-native-aio=0 --innodb-log-file-size=8M --innodb-buffer-pool-size=16M --performance-schema=0 \
		--max-connections=1200 --back-log=1024 --thread-handling=pool-of-threads --open-files-limit=8192 \
		--datadir="$LAB_DIR/db" --socket="$LAB_DIR/mysql.sock" --pid-file="$LAB_DIR/mysql.pid" \
		--init-file="$LAB_DIR/db/init.sql"
}
serves_mysql() { lab_listens server 3306 && [[ $(executed_mysql) == 0 ]]; }
executed_mysql() {
	timeout 20 mariadb --no-defaults -S "$LAB_DIR/mysql.sock" -u root -BNe \
		"SHOW GLOBAL STATUS LIKE 'Com_drop_table'" | awk '{print $2}'
}

serve_dns_udp() {
	[[ -e $LAB_DIR/log/executed-dns ]] && return 0
	: >"$LAB_DIR/log/executed-dns"
	lab_spawn server dns /usr/bin/python3 "$WORLD_SOURCE/names.py" "$LAB_DIR/log/executed-dns"
}
serves_dns_udp() { lab_listens server 53; }
executed_dns_udp() { wc -l <"$LAB_DIR/log/executed-dns"; }
serve_dns_tcp() { serve_dns_udp; }
serves_dns_tcp() { serves_dns_udp; }
executed_dns_tcp() { executed_dns_udp; }
# TLS is the same web server; what it carries is /denied/ where the name was not allowed.
serve_tls() { [[ -s $LAB_DIR/nginx.conf ]] || serve_http; }
serves_tls() { lab_listens server 443; }
executed_tls() { executed_http; }

postgres_bin() { find /usr/lib/postgresql/*/bin -maxdepth 0 2>/dev/null | sort -V | tail -n 1; }
as_postgres() { setpriv --reuid postgres --regid postgres --clear-groups env -C "$LAB_DIR/pg" "$@"; }
postgres_says() { as_postgres "$(postgres_bin)/psql" -h "$LAB_DIR/pg" -U app "$@"; }

serve_postgres() {
	mkdir "$LAB_DIR/pg"
	chown postgres "$LAB_DIR/pg"
	as_postgres "$(postgres_bin)/initdb" -D "$LAB_DIR/pg/data" -A trust -U app -N -E UTF8 --locale=C >"$LAB_DIR/log/initdb" 2>&1 ||
		lab_fail "initdb"
	printf 'host all all %s/32 trust\n' "$WORLD_CLIENT" >>"$LAB_DIR/pg/data/pg_hba.conf"
	lab_spawn server postgres setpriv --reuid postgres --regid postgres --clear-groups "$(postgres_bin)/postgres" \
		-D "$LAB_DIR/pg/data" -c listen_addresses=0.0.0.0 -c unix_socket_directories="$LAB_DIR/pg" -c fsync=off \
		-c max_connections=1100 -c shared_buffers=16MB -c autovacuum=off
	lab_must_wait 20 "PostgreSQL" postgres_says -d postgres -c 'SELECT 1'
	postgres_says -q -d postgres -c 'CREATE DATABASE shop'
	postgres_says -q -d shop -c 'CREATE TABLE items (id INT PRIMARY KEY, v TEXT)' \
		-c "INSERT INTO items SELECT n, 'value ' || n FROM generate_series(0, 99) n"
}
serves_postgres() { lab_listens server 5432; }
executed_postgres() { postgres_says -d shop -Atc "SELECT 100 - count(*) FROM items" || echo 1; }
serve_raw() { serve_dns_udp; }
serves_raw() { serves_dns_udp; }
executed_raw() { echo 0; }

# ---- load ----------------------------------------------------------------------------------------------------

# load_start CONNECTIONS PAUSE PROTOCOL...: returns when all connections stand
load_start() {
	local connections=$1 pause=$2 protocol
	shift 2
	for protocol in "$@"; do
		lab_spawn client "load-$protocol" /usr/bin/python3 "$WORLD_SOURCE/load.py" "$protocol" "$WORLD_SERVER" \
			--connections "$connections" --pause "$pause"
		LOADS[$protocol]=$LAB_SPAWNED
	done
	for protocol in "$@"; do
		lab_must_wait 60 "$connections connections of $protocol" load_is_up "$protocol"
	done
}

load_is_up() { grep -q '^ready ' "$LAB_DIR/log/load-$1" || lab_gone "${LOADS[$1]}"; }

# load_end: all loads say their last words; load_said PROTOCOL KEY asks what they said
load_end() {
	local protocol
	kill -TERM "${LOADS[@]}" 2>/dev/null || true
	for protocol in "${!LOADS[@]}"; do
		lab_wait 45 lab_gone "${LOADS[$protocol]}" || lab_say "FAIL: the load of $protocol does not end"
		lab_say "   $(tail -n 1 "$LAB_DIR/log/load-$protocol")"
	done
}

# load_so_far: how all loads stand; they go on
load_so_far() {
	local protocol
	kill -USR1 "${LOADS[@]}"
	for protocol in "${!LOADS[@]}"; do
		lab_must_wait 10 "a word of the load of $protocol" grep -q '^{' "$LAB_DIR/log/load-$protocol"
		lab_say "   $(tail -n 1 "$LAB_DIR/log/load-$protocol")"
	done
}

load_said() {
	tail -n 1 "$LAB_DIR/log/load-$1" | /usr/bin/python3 -c '
import json, sys
try:
    print(json.load(sys.stdin).get(sys.argv[1], -1))
except ValueError:
    print(-1)' "$2"
}

# load_forget: what was said counts as heard
load_forget() { LOADS=(); }

# load_check CONNECTIONS: every connection went on, every answer was right, nothing forbidden reached its server
load_check() {
	local protocol
	for protocol in "${!LOADS[@]}"; do
		world_try "$protocol: all connections go on" same "$1" "$(load_said "$protocol" alive)"
		world_try "$protocol: none was lost" same 0 "$(load_said "$protocol" lost)"
		world_try "$protocol: every answer is right" same 0 "$(load_said "$protocol" wrong)"
		world_try "$protocol: there was traffic" at_least "$1" "$(load_said "$protocol" ok)"
		world_try "$protocol: forbidden requests were asked" at_least 10 "$(load_said "$protocol" denied)"
		world_try "$protocol: none had an answer" same 0 "$(load_said "$protocol" passed)"
		world_try "$protocol: none reached its server" same 0 "$(world_executed "$protocol")"
	done
}

# ---- the daemon ----------------------------------------------------------------------------------------------

another_engine() {
	local pid
	pid=$(lab_bw_field engine_pid)
	[[ $pid =~ ^[1-9][0-9]*$ && $pid != "$1" ]]
}

kill_engine() {
	local pid
	pid=$(lab_bw_field engine_pid)
	[[ $pid =~ ^[1-9][0-9]*$ ]] || lab_fail "no engine_pid in the status"
	kill -KILL "$pid"
	lab_must_wait 5 "another engine" another_engine "$pid"
}

# doze TENTHS: a random while of up to so many tenths of a second, and half a second
doze() { sleep "$(awk -v n="$((RANDOM % $1))" 'BEGIN {print 0.5 + n / 10}')"; }

# world_bw_kill: the control process alone; its engine goes on
world_bw_kill() {
	kill -KILL "$LAB_BW"
	lab_must_wait 5 "the end of the control process" lab_gone "$LAB_BW"
}

# world_logged TEXT: how many lines of the daemon's log have it
world_logged() { grep -cF -- "$1" "$LAB_DIR/bw/log" || true; }

# other_program FROM TO: a build that differs in these bytes (\x.. for what is no text); lab_bw_up starts it from now on
other_program() {
	local dir
	dir=$(mktemp -d "$LAB_DIR/bin/XXXX")
	/usr/bin/python3 - "$WORLD_BUILD/bridgewardend" "$dir/bridgewardend" "$1" "$2" <<-'PY' || lab_fail "no $1 in the program"
		import sys
		old, new = (arg.encode().decode("unicode_escape").encode("latin-1") for arg in sys.argv[3:])
		program = open(sys.argv[1], "rb").read()
		if old not in program or len(old) != len(new):
		    sys.exit(1)
		open(sys.argv[2], "wb").write(program.replace(old, new))
	PY
	chmod 755 "$dir" "$dir/bridgewardend"
	ln -s "$WORLD_BUILD/bridgewarden" "$dir/"
	LAB_BUILD=$dir
}
