#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A queue, or its socket's buffer, is full because nobody reads: what does not fit is dropped and never accepted, with
# on_failure open as with closed; what fitted is judged when the engine goes on. The daemon counts as the kernel does.
set -euo pipefail
# shellcheck source=world.sh
. "$(dirname "$0")/world.sh"

# shellcheck disable=SC2016 # what is quoted is awk's
# queue_sum COLUMN: of the kernel's own table, over the daemon's queues (6: queue full, 7: socket buffer full)
queue_sum() { lab_in docker awk -v c="$1" '$1 >= 4200 && $1 < 4216 {n += $c} END {print n + 0}' /proc/net/netfilter/nfnetlink_queue; }

status_sum() {
	lab_bw status -o json | /usr/bin/python3 -c '
import json, sys
print(sum(queue[sys.argv[1]] for queue in json.loads(sys.stdin.readline())["queues"]))' "$1"
}

# shellcheck disable=SC2016
# arrived FAMILY: how many datagrams came to the server
arrived() {
	case $1 in
	4) lab_in server awk '/^Udp: [0-9]/ {print $2 + $3 + $4}' /proc/net/snmp ;;
	6) lab_in server awk '/^Udp6(InDatagrams|NoPorts|InErrors) / {n += $2} END {print n + 0}' /proc/net/snmp6 ;;
	esac
}

# What the log told of dropped packets, in all
told() { sed -n 's/.*queue_dropped: \([0-9]*\) more.*/\1/p' "$LAB_DIR/bw/log" | awk '{n += $1} END {print n + 0}'; }

# Neither judges nor restarts: the watchdog is stopped as well.
stop_both() {
	ENGINE=$(lab_bw_field engine_pid)
	kill -STOP "$LAB_BW"
	kill -STOP "$ENGINE"
}

go_on_both() {
	kill -CONT "$ENGINE"
	sleep 0.7
	kill -CONT "$LAB_BW"
	sleep 1.3
}

flood() { lab_in client /usr/bin/python3 "$WORLD_SOURCE/flood.py" datagrams "${WORLD_SERVER[$FAMILY]}" "$@"; }

# overflow WHAT NAME COUNT SIZE: in FAMILY, while nobody reads, and then goes on. Sets SENT, DROPPED, BUFFER, GOT and TOLD.
overflow() {
	local before_got before_dropped before_buffer before_told
	before_got=$(arrived "$FAMILY") before_dropped=$(queue_sum 6) before_buffer=$(queue_sum 7) before_told=$(told)
	stop_both
	SENT=$(flood "${@:2}")
	sleep 0.5
	world_try "$1: nothing passes meanwhile" same "$before_got" "$(arrived "$FAMILY")"
	DROPPED=$(($(queue_sum 6) - before_dropped))
	BUFFER=$(($(queue_sum 7) - before_buffer))
	go_on_both
	GOT=$(($(arrived "$FAMILY") - before_got))
	TOLD=$(($(told) - before_told))
	world_try "$1: the log tells of all" same "$((DROPPED + BUFFER))" "$TOLD"
	world_try "$1: status counts as the kernel does" same "$(queue_sum 6) $(queue_sum 7)" \
		"$(status_sum dropped) $(status_sum user_dropped)"
}

queues_full() {
	world_policy "queue_length: 64" "on_failure: $1"
	lab_bw_up
	sleep 1.5 # what was counted before the first look counts as told
	for FAMILY in "${WORLD_FAMILIES[@]}"; do
		floods "$1, IPv$FAMILY"
	done
	world_try "$1: the socket itself says nothing" same 0 "$(lab_bw_field counters.enobufs)"
	world_try "$1: nothing forbidden was executed" same 0 "$(world_executed dns-udp)"
	lab_bw_down
}

# floods WHAT: in FAMILY
floods() {
	overflow "$1, allowed" n7.ok.test 1000 0
	world_try "$1, allowed: dropped" at_least 500 "$DROPPED"
	world_try "$1, allowed: what was not dropped arrived" same "$((SENT - DROPPED - BUFFER))" "$GOT"
	overflow "$1, forbidden" n7.evil.test 1000 0
	world_try "$1, forbidden: dropped" at_least 500 "$DROPPED"
	world_try "$1, forbidden: none arrived" same 0 "$GOT"
	overflow "$1, socket buffer" n7.evil.test 100 60000
	world_try "$1, socket buffer: dropped" at_least 1 "$BUFFER"
	world_try "$1, socket buffer: none arrived" same 0 "$GOT"
}

world_need_tools awk
world_up
world_serve dns-udp
queues_full closed
queues_full open
world_score S15
world_end
