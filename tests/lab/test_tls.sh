#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# TLS by name: real clients reach the server under the allowed name with every shape of hello that they have, are told
# by an alert when they ask for another, and once the server chose the kernel carries the connection alone.
set -euo pipefail
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"

servers() {
	mkdir -p "$LAB_DIR/tls"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$LAB_DIR/tls/key" \
		-out "$LAB_DIR/tls/cert" -subj /CN=ok.example -days 2 2>/dev/null
	head -c 30000000 /dev/zero >"$LAB_DIR/tls/bulk"
	# 444: a curve that clients do not begin with, so that each is asked to say hello again
	local more
	for more in "443" "444 -groups P-384" "445 -tls1_2"; do
		# shellcheck disable=SC2086 # words
		lab_run "server${more%% *}" t server t_default -v "$LAB_DIR/tls:/srv" -w /srv -- \
			openssl s_server -WWW -key key -cert cert -accept $more
		lab_wait_port "server${more%% *}" "${more%% *}"
	done
	lab_run client t client t_default -- sleep 600
}

as_client() { lab_in client timeout 20 "$@" 2>&1 || true; }

# get PORT NAME OPTIONS...: how many bytes came, or what curl says
get() {
	local port=$1 name=$2
	as_client curl -skS -m 10 --http1.1 -o /dev/null -w '%{size_download}' "${@:3}" \
		--connect-to "::$(lab_address "server$port"):$port" "https://$name/bulk"
}

allowed() {
	lab_equal "curl" 30000000 "$(get 443 ok.example)"
	lab_equal "curl, the name in capitals" 30000000 "$(get 443 OK.Example)"
	lab_equal "curl, said hello twice" 30000000 "$(get 444 ok.example)"
	lab_equal "curl, TLS 1.2" 30000000 "$(get 445 ok.example)"
	lab_recorded "TLS 1.3 chosen" event_type=reply tls.version="TLS 1.3" tls.sni=ok.example
	lab_recorded "TLS 1.2 chosen" event_type=reply tls.version="TLS 1.2" tls.sni=ok.example
	lab_recorded "handed to the kernel" event_type=flow app_proto=tls flow.offloaded=true
}

refused() {
	local answer
	for port in 443 444 445; do
		answer=$(get "$port" no.example)
		lab_contains "curl, another name, port $port" "$answer" "access denied"
	done
	answer=$(as_client openssl s_client -connect "$(lab_address server443):443" -noservername </dev/null)
	lab_contains "openssl, no name" "$answer" "access denied"
	answer=$(as_client /usr/bin/python3 -c '
import socket, ssl, sys
c = ssl.create_default_context()
c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
try:
    c.wrap_socket(socket.create_connection((sys.argv[1], 443)), server_hostname="no.example")
except ssl.SSLError as e:
    print(e.reason)' "$(lab_address server443)")
	lab_contains "python" "$answer" "ACCESS_DENIED"
	answer=$(as_client curl -sS -m 5 "http://$(lab_address server443):443/")
	lab_recorded "http is no tls" event_type=violation reason=wrong-protocol
	lab_recorded "a refusal" event_type=violation app_proto=tls tls.sni=no.example violation.refusal=native
}

lab_need openssl curl
lab_have_bw
lab_up
lab_network t_default --label com.docker.compose.project=t
lab_policy <<'YAML'
version: 1
mode: enforce
manage: [project:t]
rules:
- {name: tls, from: t/client, to: t/server, app: tls, log: all, allow: [{sni: [ok.example]}]}
YAML
servers
lab_bw_up
lab_mark
allowed
refused
