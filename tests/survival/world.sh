# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The world of tests/lab/world.sh for tests of survival, and one machine outside; real servers, and a load on them.
#
#	client 198.18.7.2 --+-- br0 198.18.7.1 [bridgewardend] 198.19.7.1 ---- outside 198.19.7.10
#	server 198.18.7.3 --'                                   fd00:8::1           fd00:8::10
#
# client -> server is internal, client -> outside is egress, outside -> server is ingress. Every load is half over IPv4,
# half over IPv6. Source it; then world_up, world_serve PROTOCOL..., world_policy, lab_bw_up, load_start PROTOCOL...,
# load_end.

WORLD_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LAB_LIMIT=${LAB_LIMIT:-150}
# shellcheck source=../lab/world.sh
. "$WORLD_SOURCE/../lab/world.sh"

WORLD_BUILD=$LAB_BUILD
WORLD_SYSCTLS+=(net.ipv4.tcp_max_syn_backlog=2048 net.core.somaxconn=2048)
WORLD_FAMILIES=(4 6)
declare -A WORLD_CLIENT=([4]=198.18.7.2 [6]=fd00:7::2) WORLD_SERVER=([4]=198.18.7.3 [6]=fd00:7::3)
declare -A WORLD_OUTSIDE=([4]=198.19.7.10 [6]=fd00:8::10)
WORLD_SERVERS=${WORLD_SERVER[4]},${WORLD_SERVER[6]} # as the programs take both
declare -A LOADS=() SAID=()
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

# ---- places --------------------------------------------------------------------------------------------------

world_up() {
	world_begin
	mkdir -p "$LAB_DIR/bin"
	world_wire client 0 7 2
	world_endpoint client 0 7 2
	lab_host outside "${WORLD_OUTSIDE[4]}" "${WORLD_OUTSIDE[6]}"
}

# world_url ADDRESS PATH
world_url() {
	[[ $1 != *:* ]] || set -- "[$1]" "$2"
	printf 'http://%s%s\n' "$1" "$2"
}

# world_policy [ENGINE [DEFAULTS [MODE]]]: what the load asks for is allowed, what its strays ask for is not
world_policy() {
	lab_policy < <(
		world_policy_head "$@"
		cat <<-'YAML'
			- {name: web, from: any, to: any, app: http, port: 80, allow: [{methods: [GET], paths: ["/allowed/**"], status: "2??"}]}
			- {name: sql, from: any, to: any, app: mysql, port: 3306, allow: [{verbs: [read], schemas: [shop]}]}
			- {name: pg, from: any, to: any, app: postgres, port: 5432, allow: [{commands: [startup]}, {verbs: [read], tables: [items]}]}
			- {name: secret, from: any, to: any, app: tls, port: 443, allow: [{sni: ["*.ok.test"]}]}
			- {name: cache, from: any, to: any, app: redis, port: 6379, allow: [{commands: [get, set], keys: ["key:*"]}]}
			- {name: names, from: any, to: any, app: dns, port: 53, allow: [{names: ["*.ok.test"]}]}
			- {name: raw, from: any, to: any, app: tcp, port: 7000, allow: true}
		YAML
	)
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
				listen [::]:80 backlog=2048;
				listen 443 ssl backlog=2048;
				listen [::]:443 ssl backlog=2048;
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
	lab_spawn server redis redis-server --bind 0.0.0.0 :: --protected-mode no --save "" --appendonly no --maxclients 4096 \
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
	lab_spawn server mysql mariadbd --no-defaults --user=root '--bind-address=*' --skip-name-resolve \
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
	printf 'host all all %s trust\n' "${WORLD_CLIENT[4]}/32" "${WORLD_CLIENT[6]}/128" >>"$LAB_DIR/pg/data/pg_hba.conf"
	lab_spawn server postgres setpriv --reuid postgres --regid postgres --clear-groups "$(postgres_bin)/postgres" \
		-D "$LAB_DIR/pg/data" -c listen_addresses='*' -c unix_socket_directories="$LAB_DIR/pg" -c fsync=off \
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
		lab_spawn client "load-$protocol" /usr/bin/python3 "$WORLD_SOURCE/load.py" "$protocol" "$WORLD_SERVERS" \
			--connections "$connections" --pause "$pause"
		LOADS[$protocol]=$LAB_SPAWNED
	done
	for protocol in "$@"; do
		lab_must_wait 60 "$connections connections of $protocol" load_is_up "$protocol"
	done
}

load_is_up() { grep -q '^ready ' "$LAB_DIR/log/load-$1" || lab_gone "${LOADS[$1]}"; }

# load_end: all loads say their last words
load_end() {
	local protocol
	kill -TERM "${LOADS[@]}" 2>/dev/null || true
	for protocol in "${!LOADS[@]}"; do
		lab_wait 45 lab_gone "${LOADS[$protocol]}" || lab_say "FAIL: the load of $protocol does not end"
	done
	load_hear
}

# load_so_far: how all loads stand; they go on
load_so_far() {
	local protocol
	kill -USR1 "${LOADS[@]}"
	for protocol in "${!LOADS[@]}"; do
		lab_must_wait 10 "a word of the load of $protocol" grep -q '^{' "$LAB_DIR/log/load-$protocol"
	done
	load_hear
}

# load_hear: what the loads said last and what the records say of them; load_said asks for it
load_hear() {
	local protocol host key value loads=("${!LOADS[@]}")
	SAID=()
	for protocol in "${loads[@]}"; do
		lab_say "   $(tail -n 1 "$LAB_DIR/log/load-$protocol")"
	done
	while read -r protocol host key value; do
		SAID[$protocol $host $key]=$value
	done < <(/usr/bin/python3 "$WORLD_SOURCE/said.py" "$LAB_EVE" "${LAB_MARK:-0}" "${loads[@]/#/$LAB_DIR/log/load-}")
}

# load_said PROTOCOL KEY [HOST]: of all hosts together where none is named
load_said() { echo "${SAID[$1 ${3:-all} $2]:--1}"; }

# load_forget: what was said counts as heard
load_forget() { LOADS=(); }

# load_check CONNECTIONS: every connection went on, every answer was right, nothing forbidden reached its server
load_check() {
	local protocol family
	for protocol in "${!LOADS[@]}"; do
		for family in "${WORLD_FAMILIES[@]}"; do
			load_check_family "$(($1 / ${#WORLD_FAMILIES[@]}))" "$protocol" "$family"
		done
		world_try "$protocol: nothing forbidden reached its server" same 0 "$(world_executed "$protocol")"
	done
}

# load_check_family CONNECTIONS PROTOCOL FAMILY
load_check_family() {
	local name="$2, IPv$3" host=${WORLD_SERVER[$3]}
	world_try "$name: all connections go on" same "$1" "$(load_said "$2" alive "$host")"
	world_try "$name: none was lost" same 0 "$(load_said "$2" lost "$host")"
	world_try "$name: every answer is right" same 0 "$(load_said "$2" wrong "$host")"
	world_try "$name: there was traffic" at_least "$1" "$(load_said "$2" ok "$host")"
	world_try "$name: forbidden requests were asked" at_least 3 "$(load_said "$2" denied "$host")"
	world_try "$name: none had an answer" same 0 "$(load_said "$2" passed "$host")"
	world_try "$name: refusals were recorded" at_least 3 "$(load_said "$2" recorded "$host")"
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
