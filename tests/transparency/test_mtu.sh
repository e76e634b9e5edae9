#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A narrower path behind the firewall: "fragmentation needed" and "packet too big" of a router come back through it, the
# sender learns the path's MTU, and big transfers work. IPv4 and IPv6, aggregates and single packets, senders of both kinds:
# who opened the connection and who was called.
set -euo pipefail
# shellcheck source=../lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=world.sh
. "$(dirname "$0")/world.sh"

MTU=1300
TRIED=0
FAILED=0

expect() {
	TRIED=$((TRIED + 1))
	if [[ $2 == "$3" ]]; then
		lab_ok "$1"
	else
		lab_say "FAIL: $1: wanted '$2', got '$3'"
		FAILED=$((FAILED + 1))
	fi
}

# learned PLACE ADDRESS: the MTU that this kernel has found out for the way there
learned() { lab_in "$1" ip route get "$2" | sed -nE 's/.* mtu ([0-9]+).*/\1/p'; }

# transfers WHAT SERVER CLIENT ADDRESS...
transfers() {
	local what=$1 place=$2 client=$3
	shift 3
	lab_spawn "$place" serve /usr/bin/python3 "$WORLD_SOURCE/serve.py"
	lab_must_wait 10 "the servers" grep -q ready "$LAB_DIR/log/serve"
	lab_in "$client" timeout 40 /usr/bin/python3 "$WORLD_SOURCE/drive.py" 44 7 "$@" >"$LAB_DIR/log/drive" ||
		lab_fail "$what: the clients"
	expect "$what: lost and wrong" '0, 0' "$(sed -E 's/.*"lost": ([0-9]+), "wrong": ([0-9]+).*/\1, \2/' "$LAB_DIR/log/drive")"
	kill "$LAB_SPAWNED"
	lab_must_wait 5 "the servers' end" lab_gone "$LAB_SPAWNED"
}

# both WHAT: as kernels know nothing yet
both() {
	local place
	for place in client server; do
		lab_in "$place" ip route flush cache
		lab_in "$place" ip -6 route flush cache
	done
	expect "$1: nothing is known yet" '' "$(learned client 198.19.8.10)$(learned client fd00:9::10)"
	transfers "$1, uploads" far client 198.19.8.10 fd00:9::10
	expect "$1, uploads: path MTU of IPv4" "$MTU" "$(learned client 198.19.8.10)"
	expect "$1, uploads: path MTU of IPv6" "$MTU" "$(learned client fd00:9::10)"
	transfers "$1, downloads" server far 198.18.7.3 fd00:7::3
	expect "$1, downloads: path MTU of IPv4" "$MTU" "$(learned server 198.19.8.10)"
	expect "$1, downloads: path MTU of IPv6" "$MTU" "$(learned server fd00:9::10)"
}

world_need
world_up
world_link none
world_route "$MTU"
for place in client server far; do world_sysctl "$place" net.ipv4.tcp_mtu_probing=0; done
world_policy
lab_bw_up
lab_mark
both "aggregates"
for place in client server; do
	world_offloads "$place" eth0 off
	world_offloads docker "${place}0" off
done
both "single packets"
expect "violations" '' "$(world_violations)"
printf 'scorecard S21 tried=%s failed=%s\n' "$TRIED" "$FAILED"
((FAILED == 0)) || lab_fail "$FAILED of $TRIED"
