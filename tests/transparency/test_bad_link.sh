#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Hundreds of real connections over a link that loses, reorders, duplicates, and cuts what is sent again on other
# boundaries; with tiny windows, shut windows, probes, half-closed sides. None may be lost, every byte must be equal, and
# no honest resend may count as one that differs. With segmentation offloads and without, replies watched and not,
# clients on either side.
set -euo pipefail
# shellcheck source=../lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=world.sh
. "$(dirname "$0")/world.sh"

CONNECTIONS=${CONNECTIONS:-216}
SEED=${SEED:-1}
TRIED=0
FAILED=0

finish() {
	printf 'scorecard S21 tried=%s failed=%s\n' "$TRIED" "$FAILED"
	((FAILED == 0)) || lab_fail "$FAILED of $TRIED connections were lost or changed"
}

# What the daemon counted since the last call must show that there was something to put up with.
expect_counts() {
	local name before now
	for name in retransmits out_of_order requests; do
		before=${COUNTED[$name]:-0}
		now=$(world_counter "$name")
		((${now:-0} > before)) || lab_fail "$1: the counter $name did not move: the link did not do its work"
		COUNTED[$name]=$now
	done
	lab_ok "$1: retransmits=${COUNTED[retransmits]} out_of_order=${COUNTED[out_of_order]} so far"
	for name in overlap_differs spoofed invalid inject_errors refused held_full; do
		now=$(world_counter "$name")
		[[ ${now:-0} == 0 ]] || count_failure "$1: the counter $name is $now"
	done
}

count_failure() {
	lab_say "FAIL: $1"
	FAILED=$((FAILED + 1))
}

# round NAME SERVER CLIENT OFFLOADS ADDRESS...
round() {
	local name=$1 server=$2 client=$3 report
	world_offloads server eth0 "$4"
	world_offloads docker server0 "$4"
	shift 4
	lab_spawn "$server" serve /usr/bin/python3 "$WORLD_SOURCE/serve.py"
	lab_must_wait 10 "the servers" grep -q ready "$LAB_DIR/log/serve"
	lab_in "$client" timeout 50 /usr/bin/python3 "$WORLD_SOURCE/drive.py" "$CONNECTIONS" "$SEED" "$@" >"$LAB_DIR/log/drive" ||
		lab_fail "$name: the clients"
	kill "$LAB_SPAWNED"
	lab_must_wait 5 "the servers' end" lab_gone "$LAB_SPAWNED"
	report=$(<"$LAB_DIR/log/drive")
	lab_say "$name: $report"
	TRIED=$((TRIED + CONNECTIONS))
	FAILED=$((FAILED + $(sed -E 's/.*"lost": ([0-9]+), "wrong": ([0-9]+).*/\1 + \2/' <<<"$report")))
	expect_counts "$name"
	[[ -z $(world_violations) ]] || count_failure "$name: violations: $(world_violations | head -n 3)"
}

declare -A COUNTED=()
world_need
world_up
world_link delay_ms=1 loss=1 reorder=5 late_ms=3 duplicate=1 recut=60 spurious=1 seed="$SEED"
world_policy
lab_bw_up
lab_mark
round "server in the bridge, offloads" server client on 198.18.7.3 fd00:7::3
round "client in the bridge, no offloads" client server off 198.18.7.2 fd00:7::2
lab_say "$(lab_bw status | tr -s " \n" " ")"
lab_say "the link: $(world_unlink 0)"
finish
