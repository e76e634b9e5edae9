#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is allowed is not changed: 200 MB down and up arrive with the same checksum, and a load test sees no error,
# under a rule that ends with the connection and under a rule that reads every request.
set -euo pipefail
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"

MEGABYTES=200

web_server() {
	mkdir -p "$LAB_DIR/www/up" "$LAB_DIR/client"
	head -c "$((MEGABYTES << 20))" /dev/urandom >"$LAB_DIR/www/big"
	head -c 128 /dev/zero | tr '\0' x >"$LAB_DIR/www/small"
	chmod -R 777 "$LAB_DIR/www"
	lab_nginx web t web t_default "$LAB_DIR/www"
	lab_run client t client t_default -v "$LAB_DIR/client:/client" -v "$LAB_DIR/www/big:/big:ro" -- sleep 600
}

hash_of() { sha256sum "$1" | cut -d' ' -f1; }

check() {
	local want got
	want=$(hash_of "$LAB_DIR/www/big")
	lab_exec client curl -sSf -m 100 -o /client/down http://web/big || lab_fail "$1: download"
	lab_equal "$1: download" "$want" "$(hash_of "$LAB_DIR/client/down")"
	rm -f "$LAB_DIR/client/down"
	lab_exec client curl -sSf -m 100 -T /big http://web/up/copy || lab_fail "$1: upload"
	got=$(hash_of "$LAB_DIR/www/up/copy")
	lab_equal "$1: upload" "$want" "$got"
	rm -f "$LAB_DIR/www/up/copy"
	load "$1" -H 'Connection: keep-alive'
	load "$1, a connection a request" -H 'Connection: close'
}

# wrk prints lines about errors only when there were some.
load() {
	local what=$1 result
	shift
	result=$(lab_exec client wrk -t2 -c16 -d5s "$@" http://web/small)
	lab_contains "$what" "$result" "Requests/sec"
	lab_lacks "$what" "$result" "Socket errors"
	lab_lacks "$what" "$result" "Non-2xx"
	lab_say "   $(grep Requests/sec <<<"$result")"
}

policy_head() {
	printf 'version: 1\nmode: enforce\nmanage: [project:t]\nrules:\n- name: web\n  from: t/client\n  to: t/web\n'
}

lab_need nginx wrk
lab_have_bw
lab_up
lab_network t_default --label com.docker.compose.project=t
web_server
{ policy_head && printf '  app: tcp\n  port: 80\n  allow: true\n'; } | lab_policy
lab_bw_up
lab_spawn web other-http /usr/bin/python3 -m http.server 81
lab_wait_port web 81
lab_refused "another port" "$(lab_get client http://web:81/)"
check "connection rule"
lab_bw_down
{ policy_head && printf '  app: http\n  allow: [{methods: [GET, PUT], paths: ["/**"]}]\n'; } | lab_policy
lab_bw_up
lab_mark
check "request rule"
lab_equal "violations" "" "$(lab_records event_type=violation || true)"
lab_refused "another method" "$(lab_get client http://web/small -X DELETE)"
