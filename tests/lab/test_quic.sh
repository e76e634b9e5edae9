#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# QUIC by name: a real client reaches a real server under the allowed name, also after a Retry, after a second hello and
# with a server that sends bundles; is told at once when it asks for another; and where no rule speaks of it UDP is
# denied.
set -euo pipefail
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"

server() { # server NAME PORT OPTIONS...
	lab_run "$1" t server t_default --network-alias "$1.ok.example" --network-alias "$1.no.example" \
		-v "$LAB_DIR/quic:/srv" -w /srv -- gtlsserver -q -d /srv "${@:3}" '*' "$2" key cert
}

# A line for each datagram that comes.
listen='
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 443))
while True:
    print(len(s.recv(65536)), flush=True)'

servers() {
	mkdir -p "$LAB_DIR/quic"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$LAB_DIR/quic/key" \
		-out "$LAB_DIR/quic/cert" -subj /CN=ok.example -days 2 2>/dev/null
	head -c 3000000 /dev/zero >"$LAB_DIR/quic/bulk"
	server plain 443
	server retry 443 -V
	server bundles 443 --max-gso-dgrams=10
	server twice 443 --groups=-GROUP-ALL:+GROUP-SECP384R1
	lab_run listener t server t_default -- /usr/bin/python3 -c "$listen"
	lab_run client t client t_default -- sleep 600
	lab_run stranger t stranger t_default -- sleep 600
}

# ask FROM NAME OPTIONS...: what the client says; the name is looked up in the engine's own DNS
ask() {
	lab_exec "$1" sh -c 'rm -rf /tmp/got; mkdir /tmp/got'
	lab_exec "$1" timeout 8 gtlsclient --timeout=4s --download=/tmp/got --exit-on-all-streams-close \
		--no-quic-dump --no-http-dump "${@:3}" "$2" 443 "https://$2/bulk" 2>&1 || true
}

# get FROM NAME OPTIONS...: how many bytes came
get() {
	ask "$@" >"$LAB_DIR/log/said" # what it said, in case of failure
	lab_exec "$1" sh -c 'cat /tmp/got/bulk 2>/dev/null | wc -c'
}

allowed() {
	lab_equal "version 1" 3000000 "$(get client plain.ok.example)"
	lab_equal "the name in capitals" 3000000 "$(get client PLAIN.OK.Example)"
	lab_equal "said hello twice" 3000000 "$(get client twice.ok.example)"
	lab_equal "after a retry" 3000000 "$(get client retry.ok.example)"
	lab_equal "a server that sends bundles" 3000000 "$(get client bundles.ok.example)"
	lab_recorded "the request" event_type=request app_proto=quic quic.sni=plain.ok.example
	lab_recorded "the choice" event_type=reply app_proto=quic quic.version="TLS 1.3"
}

refused() {
	lab_equal "another name" 0 "$(get client plain.no.example)"
	lab_equal "another name, said twice" 0 "$(get client twice.no.example)"
	lab_equal "another name of a server that wants a retry" 0 "$(get client retry.no.example)"
	lab_contains "the client learns why" "$(ask client plain.no.example)" "error_code=CRYPTO_ERROR(0x131)"
	lab_equal "nobody allowed it" 0 "$(get stranger plain.ok.example)"
	lab_equal "a version that is not read" 0 "$(get client plain.ok.example --version=v2draft)"
	lab_recorded "a refusal" event_type=violation app_proto=quic quic.sni=plain.no.example violation.refusal=native
	lab_recorded "without a rule" event_type=violation from=t/stranger proto=UDP dest_port=443
}

# send NAME: the datagram of the case of that name, to the listener; no client of Debian's speaks version 2
send() {
	awk -v name="$1" '$1 == "case" { on = $2 == name } on && $1 == ">" { print $3; exit }' \
		"$LAB_ROOT/tests/proto/cases/quic_hello.txt" >"$LAB_DIR/quic/datagram"
	lab_in client /usr/bin/python3 -c '
import socket, sys
text = open(sys.argv[2]).read().strip()
assert len(text) == 2400
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(bytes.fromhex(text), (sys.argv[1], 443))' \
		"$(lab_address listener)" "$LAB_DIR/quic/datagram"
}

has_heard() { [[ $(heard) == "$1" ]]; }

heard() { docker logs listener 2>/dev/null | wc -l; }

version_2() {
	send judges_the_example_of_version_2
	lab_recorded "version 2, no rule for the name" event_type=violation quic.sni=example.com
	lab_equal "nothing came of it" 0 "$(heard)"
	send takes_version_2
	lab_recorded "version 2, the allowed name" event_type=request quic.sni=v2.ok.example
	lab_wait 5 has_heard 1 || lab_fail "it did not come"
	lab_ok "it came"
}

lab_need openssl gtlsclient gtlsserver
lab_have_bw
lab_up
lab_network t_default --label com.docker.compose.project=t
lab_policy <<'YAML'
version: 1
mode: enforce
manage: [project:t]
rules:
- {name: names, from: t/client, to: t/server, app: tls, log: all, allow: [{sni: ["*.ok.example"]}]}
YAML
servers
lab_bw_up
lab_mark
allowed
refused
version_2
