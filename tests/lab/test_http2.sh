#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# HTTP/2 in the clear: real clients get through to real servers where a rule for http allows, read why where it does
# not, and an HTTP/1 client that offers to change to HTTP/2 is answered in HTTP/1. gRPC by service and method. Floods
# cost the engine what their bytes cost.
set -euo pipefail
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"

servers() {
	mkdir -p "$LAB_DIR/www/api"
	printf 'yes\n' >"$LAB_DIR/www/ok"
	cp "$LAB_DIR/www/ok" "$LAB_DIR/www/secret"
	cp "$LAB_DIR/www/ok" "$LAB_DIR/www/api/item"
	head -c 3000000 /dev/zero >"$LAB_DIR/www/bulk"
	lab_run nghttpd t web t_default -v "$LAB_DIR/www:/www" -- nghttpd --no-tls -d /www 80
	cat >"$LAB_DIR/h2.nginx" <<-'CONF'
		daemon off; pid /tmp/nginx.pid; user root; error_log stderr;
		events { }
		http { access_log off; client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c;
			uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
			server { listen 80 http2; root /www; }
			server { listen 81; root /www; } }
	CONF
	lab_run nginx t web t_default -v "$LAB_DIR/www:/www" -v "$LAB_DIR/h2.nginx:/n.conf:ro" -- nginx -e stderr -c /n.conf
	cat >"$LAB_DIR/haproxy.conf" <<-'CONF'
		defaults
			mode http
			timeout client 10s
			timeout server 10s
			timeout connect 2s
		frontend plain
			bind :80 proto h2
			http-request return status 200 content-type text/plain string "yes\n"
		frontend one
			bind :81
			http-request return status 200 content-type text/plain string "yes\n"
	CONF
	lab_run haproxy t web t_default -v "$LAB_DIR/haproxy.conf:/h.conf:ro" -- haproxy -f /h.conf
	mkdir -p "$LAB_DIR/apache"
	cat >"$LAB_DIR/apache.conf" <<-'CONF'
		LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
		LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
		LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so
		ServerName apache
		ServerRoot /tmp
		PidFile /tmp/apache.pid
		Mutex file:/tmp
		ErrorLog /proc/self/fd/2
		Listen 80
		Protocols h2c http/1.1
		H2Direct on
		DocumentRoot /www
		<Directory /www>
			Require all granted
		</Directory>
	CONF
	lab_run apache t web t_default -v "$LAB_DIR/www:/www:ro" -v "$LAB_DIR/apache.conf:/a.conf:ro" -- \
		apache2 -D FOREGROUND -f /a.conf
	lab_run node t web t_default -- node -e '
		require("http").createServer((q, a) => a.end("yes\n")).listen(81);
		require("http2").createServer((q, a) => q.resume().on("end", () => a.end("yes\n"))).listen(80);'
	lab_run grpc t rpc t_default -- /usr/bin/python3 /lab/http2.py serve 80 6379
	cp "$LAB_DIR/www/ok" "$LAB_DIR/www/api/pushed"
	lab_run pusher t web t_default -v "$LAB_DIR/www:/www" -- nghttpd --no-tls -d /www -p/ok=/api/pushed -p/api/item=/secret 80
	lab_run client t client t_default -- sleep 600
	local server
	for server in nghttpd nginx haproxy apache node grpc pusher; do lab_wait_port "$server" 80; done
}

as_client() { LAB_EXEC_LIMIT=40 lab_exec client "$@" 2>&1 || true; }

# get SERVER PATH OPTION...: body and, in its own line, version and status
get() {
	as_client curl -sS -m 8 -w '%{http_version} %{http_code}' "${@:3}" "http://$(lab_address "$1"):80$2"
}

allowed() {
	local server
	for server in nghttpd nginx haproxy apache node; do
		lab_equal "$server" $'yes\n2 200' "$(get "$server" /ok --http2-prior-knowledge)"
	done
	lab_equal "a large body" "3000000" "$(get nghttpd /bulk --http2-prior-knowledge -o /dev/null -w '%{size_download}')"
	lab_equal "a posted body" "2 200" "$(get node /ok --http2-prior-knowledge -o /dev/null --data-binary @/usr/bin/bash)"
	lab_recorded "a request" event_type=request app_proto=http2 http.url=/ok http.protocol=HTTP/2 http.stream_id=1
	lab_recorded "its reply" event_type=reply app_proto=http2 http.status=200 http.stream_id=1
}

refused() {
	local server answer
	for server in nghttpd nginx haproxy apache node; do
		answer=$(get "$server" /secret --http2-prior-knowledge)
		lab_equal "$server, another path" $'refused by bridgewarden: rule no-secret\n2 403' "$answer"
	done
	answer=$(get nginx "/api/../secret" --path-as-is --http2-prior-knowledge)
	lab_contains "another reading of a path" "$answer" "refused by bridgewarden"
	answer=$(as_client nghttp -v "http://$(lab_address nginx)/secret")
	lab_contains "nghttp" "$answer" ":status: 403"
	lab_contains "nghttp" "$answer" "rule no-secret"
	lab_contains "nghttp, the end" "$answer" "GOAWAY"
	lab_equal "HEAD has no body" "2 403" "$(get nginx /secret --http2-prior-knowledge -I -o /dev/null)"
	lab_recorded "a refusal" event_type=violation app_proto=http2 rule=no-secret violation.refusal=native
}

# Without the firewall the change happens: else its absence below would prove nothing.
unjudged() {
	lab_equal "Apache, asked to change to HTTP/2 before anybody judges" "2 200" "$(get apache /ok --http2 -o /dev/null)"
}

# An offer to change to HTTP/2 is hidden: the answer is HTTP/1, and the connection lives on.
offers() {
	local server port answer
	for server in nginx:81 haproxy:81 node:81 apache:80; do
		port=${server#*:}
		answer=$(as_client curl -sS -m 8 --http2 -w '%{http_version} %{http_code}\n' \
			"http://$(lab_address "${server%:*}"):$port/ok" "http://$(lab_address "${server%:*}"):$port/ok")
		lab_equal "$server, asked to change to HTTP/2" $'yes\n1.1 200\nyes\n1.1 200' "$answer"
	done
}

multiplexed() {
	local answer
	answer=$(as_client /usr/bin/python3 /lab/http2.py many "$(lab_address nginx)" 100 0)
	lab_equal "a hundred streams at once" "200: 100" "$answer"
	answer=$(as_client /usr/bin/python3 /lab/http2.py many "$(lab_address nginx)" 100 50)
	lab_equal "a hundred streams, one denied: those before it are answered" $'200: 49\n403: 1\nsecret: 403' "$answer"
	answer=$(as_client /usr/bin/python3 /lab/http2.py large "$(lab_address nghttpd)")
	lab_equal "a refusal beside bodies under way: they come whole, then it is told" "$(
		printf '/bulk 200 3000000\n%.0s' 1 2 3 4
		echo '/secret 403 '
	)" "$answer"
	answer=$(as_client h2load -n 3000 -c 4 -m 100 "http://$(lab_address nghttpd)/ok")
	lab_contains "h2load" "$answer" "3000 succeeded, 0 failed, 0 errored"
}

# A client that says nothing of pushes is pushed what it may ask for.
pushes() {
	local answer
	answer=$(as_client nghttp -v "http://$(lab_address pusher)/ok")
	lab_contains "a push" "$answer" "recv PUSH_PROMISE"
	lab_contains "its reply" "$answer" "recv DATA frame <length=4, flags=0x01, stream_id=2>"
	lab_recorded "a push" event_type=request verdict=allow http.url=/api/pushed http.stream_id=2
	answer=$(as_client nghttp -v "http://$(lab_address pusher)/api/item")
	lab_lacks "a push of what is denied" "$answer" "/secret"
	lab_recorded "a push of what is denied" event_type=violation rule=no-secret http.url=/secret http.stream_id=2
	answer=$(as_client nghttp --no-push -v "http://$(lab_address pusher)/api/item")
	lab_contains "a client that takes no pushes" "$answer" ":status: 200"
	lab_lacks "a client that takes no pushes" "$answer" "PUSH_PROMISE"
}

grpc_calls() {
	local answer
	answer=$(as_client /usr/bin/python3 /lab/http2.py call "$(lab_address grpc):80" /helloworld.Greeter/SayHello)
	lab_equal "gRPC, allowed" "hello" "$answer"
	answer=$(as_client /usr/bin/python3 /lab/http2.py call "$(lab_address grpc):80" /helloworld.Greeter/Drop)
	lab_contains "gRPC, another method" "$answer" "PERMISSION_DENIED: refused by bridgewarden"
	answer=$(as_client /usr/bin/python3 /lab/http2.py call "$(lab_address grpc):80" /admin.Users/SayHello)
	lab_contains "gRPC, another service" "$answer" "PERMISSION_DENIED: refused by bridgewarden"
	answer=$(as_client /usr/bin/python3 /lab/http2.py beside "$(lab_address grpc):80" /helloworld.Greeter/Drop)
	lab_contains "gRPC, refused beside a call under way: that one is answered" "$answer" $'hello\nPERMISSION_DENIED: refused by bridgewarden'
	lab_recorded "a call" event_type=request http.grpc_service=helloworld.Greeter http.grpc_method=SayHello
	lab_recorded "its status" event_type=reply http.grpc_status=0
	answer=$(as_client curl -sS -m 8 --http2-prior-knowledge -o /dev/null -w '%{http_code}' "http://$(lab_address grpc)/x")
	lab_equal "what is no gRPC" 403 "$answer"
}

wrong() {
	local answer
	answer=$(as_client curl -sS -m 4 --http2-prior-knowledge "http://$(lab_address grpc):6379/ok")
	lab_recorded "http/2 is no redis" event_type=violation reason=wrong-protocol violation.found=http2
	lab_lacks "http/2 on the port of redis" "$answer" "yes"
	answer=$(as_client /usr/bin/python3 /lab/http2.py smuggle "$(lab_address nginx)")
	lab_equal "what two servers could read differently" "closed" "$answer"
	lab_recorded "malformed" event_type=violation app_proto=http2 reason=malformed
}

# Processor time of the engine and its control, in hundredths of a second
spent() {
	local pid
	for pid in "$LAB_BW" $(pgrep -P "$LAB_BW"); do
		sed 's/.*) //' "/proc/$pid/stat" | awk '{print $12 + $13}'
	done | awk '{n += $1} END {print n}'
}

# flood KIND SERVER MOST: hundredths of a second that it may cost; a daemon that still answers
flood() {
	local before after said
	before=$(spent)
	said=$(as_client /usr/bin/python3 /lab/http2.py "$1" "$(lab_address "$2")")
	after=$(spent)
	((after - before < $3)) || lab_fail "$1 ($said) took $((after - before)) hundredths of a second"
	lab_ok "$1: $said, $((after - before)) hundredths of a second"
	lab_equal "after $1" $'yes\n2 200' "$(get "$2" /ok --http2-prior-knowledge)"
}

lab_need curl nghttp nghttpd h2load nginx haproxy apache2 node
/usr/bin/python3 -c 'import h2, grpc' 2>/dev/null || lab_skip "needs python3-h2 and python3-grpcio"
lab_have_bw
lab_up
lab_network t_default --label com.docker.compose.project=t
lab_policy <<'YAML'
version: 1
mode: enforce
manage: [project:t]
rules:
- {name: web, from: t/client, to: t/web, app: http, log: all, allow: [{paths: ["/**"], methods: [GET, HEAD, POST]}]}
- {name: no-secret, from: t/client, to: t/web, app: http, deny: [{paths: [/secret]}]}
- {name: greet, from: t/client, to: t/rpc, app: http2, port: 80, log: all, allow: [{services: [helloworld.Greeter], rpcs: [SayHello]}]}
- {name: cache, from: t/client, to: t/rpc, app: redis, port: 6379, allow: true}
YAML
servers
unjudged
lab_bw_up
lab_mark
allowed
refused
offers
multiplexed
pushes
grpc_calls
wrong
flood continuation nghttpd 100
flood reset haproxy 300
