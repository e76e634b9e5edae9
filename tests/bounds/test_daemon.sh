#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Floods through the real daemon while established connections go on with their requests: SYNs from random addresses,
# segments beyond holes, connections that say nothing; all of it half over IPv4, half over IPv6. The tables are small. No established connection is lost, each
# cap is counted and told, and the engine's memory is what it was when it began.
set -euo pipefail
# shellcheck source=../survival/world.sh
. "$(dirname "$0")/../survival/world.sh"

HERE=$(cd "$(dirname "$0")" && pwd)
LOAD=50
SYNS=${BOUNDS_SYNS:-200000}
FLOWS=4096
HELD_MIB=1

attack() { lab_spawn outside "attack-$1" /usr/bin/python3 "$HERE/attack.py" "$1" "$WORLD_SERVERS" "${@:2}"; }

# stands FAMILY KIND: how many connections of a flood do
stands() { /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1], 0))' "${WORLD_SERVER[$1]}" <"$LAB_DIR/log/attack-$2"; }

# both_stand WHAT KIND LEAST: neither family keeps the other one out
both_stand() {
	local family
	for family in "${WORLD_FAMILIES[@]}"; do
		world_try "$1, IPv$family: has its share" at_least "$3" "$(stands "$family" "$2")"
	done
}

# Newcomers may be refused while a table is full, so there are no strays among the load.
load_up() {
	lab_mark
	lab_spawn client load-http /usr/bin/python3 "$WORLD_SOURCE/load.py" http "$WORLD_SERVERS" --connections "$LOAD" \
		--pause 0.15 --strays 0
	# shellcheck disable=SC2034 # world.sh reads it
	LOADS=([http]=$LAB_SPAWNED)
	lab_must_wait 30 "$LOAD connections" load_is_up http
}

# kib NAME: of the engine's memory
kib() { awk -v name="$1:" '$1 == name {print $2}' "/proc/$ENGINE/status"; }

# All that it may ever take is mapped when it begins, so the size of its address space says what the cap is.
remember_memory() {
	ENGINE=$(lab_bw_field engine_pid)
	SIZE=$(kib VmSize)
	# struct flow and struct session, the pool, two rings, counters; and what a quiet engine has resident
	CAP=$((FLOWS * 5 + HELD_MIB * 1024 + 2 * 4096 + 1024 + $(kib VmRSS)))
}

check_memory() {
	world_try "$1: the engine is the same" same "$ENGINE" "$(lab_bw_field engine_pid)"
	world_try "$1: it mapped nothing more" same "$SIZE" "$(kib VmSize)"
	world_try "$1: $(kib VmRSS) KiB resident of at most $CAP" at_least "$(kib VmRSS)" "$CAP"
}

check_load() {
	load_end
	load_check "$LOAD"
	load_forget
}

grown() { echo $(($(lab_bw_field "counters.$1") - ${BEFORE[$1]})); }
declare -A BEFORE
note() { BEFORE[$1]=$(lab_bw_field "counters.$1"); }

limit_is_recorded() { lab_records event_type=engine engine.event=limit | grep "$1: " >/dev/null; }

flood_of_syns() {
	note flows_new
	note flows_closed
	load_up
	attack syns 198.19.7.,fd00:8:: 80 "$SYNS"
	lab_wait 60 lab_gone "$LAB_SPAWNED" || lab_fail "the flood does not end"
	lab_say "   $(cat "$LAB_DIR/log/attack-syns") SYNs left; flows_new $(grown flows_new), flows_full $(lab_bw_field counters.flows_full)"
	world_try "SYNs: more came than there is room for" at_least $((2 * FLOWS)) "$(grown flows_new)"
	world_try "SYNs: the oldest made room" at_least "$FLOWS" "$(grown flows_closed)"
	world_try "SYNs: no more flows than there is room for" at_least "$(lab_bw_field counters.flows_live)" "$FLOWS"
	check_load
	check_memory SYNs
}

flood_of_holes() {
	note held_full
	load_up
	attack holes 80 2500 6
	lab_must_wait 30 "the holes" test -s "$LAB_DIR/log/attack-holes"
	sleep 3
	lab_say "   $(cat "$LAB_DIR/log/attack-holes") connections with a hole; held_full $(grown held_full), chunks_live $(lab_bw_field counters.chunks_live)"
	both_stand holes holes 500
	world_try "holes: counted" at_least 100 "$(grown held_full)"
	world_try "holes: told" at_least 1 "$(world_logged 'held_full: ')"
	world_try "holes: recorded" limit_is_recorded held_full
	check_load
	check_memory holes
	lab_wait 20 lab_gone "$LAB_SPAWNED" || true # it only waits; lab_down ends it
}

flood_of_connections() {
	note flows_full
	load_up
	attack idle 80 5000 4
	lab_must_wait 30 "the connections" test -s "$LAB_DIR/log/attack-idle"
	lab_say "   $(cat "$LAB_DIR/log/attack-idle") connections stand; flows_full $(grown flows_full)"
	both_stand connections idle 500
	world_try "connections: no more flows than there is room for" at_least "$(lab_bw_field counters.flows_live)" "$FLOWS"
	world_try "connections: counted" at_least 100 "$(grown flows_full)"
	sleep 1.5
	world_try "connections: told" at_least 1 "$(world_logged 'flows_full: ')"
	check_load
	check_memory connections
}

world_need_tools nginx
world_up
world_serve http
world_policy "max_flows: $FLOWS, max_held_bytes: ${HELD_MIB}MiB, queue_length: 4096"
lab_bw_up
sleep 1.5 # what is counted before the first look counts as told
remember_memory
flood_of_syns
flood_of_holes
flood_of_connections
world_score S14
world_end
