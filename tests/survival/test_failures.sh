#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What happens when a process is gone, in each scope (internal, egress, ingress) and with on_failure open and closed, and
# when the flow table or the memory for held bytes is full. Each has its verdict, its counter and its line in the log;
# docs/operations.md has them in a table.
set -euo pipefail
# shellcheck source=world.sh
. "$(dirname "$0")/world.sh"

# ---- processes that are gone ---------------------------------------------------------------------------------

# ask SCOPE FAMILY PATH: 200, 403, reset, timeout
ask() {
	case $1 in
	internal) lab_get client "$(world_url "${WORLD_SERVER[$2]}" "$3")" -m 1.5 ;;
	egress) lab_get client "$(world_url "${WORLD_OUTSIDE[$2]}" "$3")" -m 1.5 ;;
	ingress) lab_get outside "$(world_url "${WORLD_SERVER[$2]}" "$3")" -m 1.5 ;;
	esac
}

# asks PATH: in all scopes and both families at once; three words a family are in ANSWERS
declare -A ANSWERS=()
asks() {
	local scope family asking=()
	for family in "${WORLD_FAMILIES[@]}"; do
		for scope in internal egress ingress; do
			ask "$scope" "$family" "$1" >"$LAB_DIR/asked-$scope-$family" &
			asking+=($!)
		done
	done
	wait "${asking[@]}" || true # what did not answer is no word
	for family in "${WORLD_FAMILIES[@]}"; do
		ANSWERS[$family]=$(cat "$LAB_DIR"/asked-{internal,egress,ingress}-"$family" | xargs)
	done
}

# answer WHAT PATH WANTED: in either family
answer() {
	local family
	asks "$2"
	for family in "${WORLD_FAMILIES[@]}"; do
		world_try "$1, IPv$family" same "$3" "${ANSWERS[$family]}"
	done
}

judges() {
	answer "$1: allowed" /allowed/7 "200 200 200"
	answer "$1: forbidden" /denied/secret "403 403 403"
}

# gone ON_FAILURE WHILE_NOBODY: what the three scopes answer to a forbidden request while both processes are dead
gone() {
	local engine
	world_policy "" "on_failure: $1"
	lab_bw_up
	judges "$1"
	kill -KILL "$LAB_BW"
	lab_must_wait 5 "the end of the control process" lab_gone "$LAB_BW"
	judges "$1, control process gone"
	lab_bw_up
	engine=$(lab_bw_field engine_pid)
	kill -STOP "$LAB_BW"
	kill -KILL "$engine"
	lab_must_wait 5 "the end of the engine" lab_gone "$engine"
	answer "$1, engine gone: forbidden waits, in every scope" /denied/secret "timeout timeout timeout"
	kill -CONT "$LAB_BW"
	lab_must_wait 5 "another engine" another_engine "$engine"
	world_try "$1, engine gone: told" at_least 1 "$(world_logged "engine died: pid=$engine")"
	judges "$1, another engine"
	engine=$(lab_bw_field engine_pid)
	kill -KILL "$LAB_BW" "$engine"
	lab_must_wait 5 "the end of both" lab_gone "$LAB_BW"
	lab_must_wait 5 "the end of the engine" lab_gone "$engine"
	answer "$1, both gone" /denied/secret "$2"
	lab_bw_up
	judges "$1, both back"
	lab_bw_down
}

# ---- tables that are full ------------------------------------------------------------------------------------

# flood KIND ARGUMENT...: from the client to both addresses of the server; said asks for its last words
flood() {
	FLOODED=$(lab_in client /usr/bin/python3 "$WORLD_SOURCE/flood.py" "$1" "$WORLD_SERVERS" "${@:2}")
	lab_say "   $FLOODED"
}

# said KEY [FAMILY]: of both together where none is named
said() {
	/usr/bin/python3 -c '
import json, sys
hosts = json.loads(sys.argv[1])
print(sum(said[sys.argv[2]] for host, said in hosts.items() if host in (sys.argv[3:] or hosts)))' \
		"$FLOODED" "$1" ${2:+"${WORLD_SERVER[$2]}"}
}

flows_full() {
	local family
	world_policy "max_flows: 1024"
	lab_bw_up
	flood connections 1400 4
	world_try "flows: no more than there is room for" at_least "$(said stands)" 1024
	world_try "flows: the table is used" at_least 900 "$(said stands)"
	for family in "${WORLD_FAMILIES[@]}"; do
		world_try "flows, IPv$family: has its share" at_least 300 "$(said stands "$family")"
		world_try "flows, IPv$family: those that stand are served" same \
			"$(($(said stands "$family") - $(said refused "$family")))" "$(said set "$family")"
		world_try "flows, IPv$family: and judged" same 0 "$(said passed "$family")"
	done
	world_try "flows: the server knows of none" same 0 "$(world_executed redis)"
	world_try "flows: counted" at_least 100 "$(lab_bw_field counters.flows_full)"
	sleep 1.2
	world_try "flows: told" at_least 1 "$(world_logged 'flows_full: ')"
	sleep 4
	judges "flows: room again"
	lab_bw_down
}

# Where nothing is enforced there is nothing to protect: what has no room passes unjudged, and is counted.
flows_full_in_shadow() {
	local family
	world_policy "max_flows: 1024" "" shadow
	lab_bw_up
	flood connections 1400 4
	for family in "${WORLD_FAMILIES[@]}"; do
		world_try "flows, shadow, IPv$family: all stand" same 700 "$(said stands "$family")"
		world_try "flows, shadow, IPv$family: all pass" same "630 70" "$(said set "$family") $(said passed "$family")"
	done
	world_try "flows, shadow: counted" at_least 1 "$(lab_bw_field counters.flows_full)"
	lab_bw_down
}

held_full() {
	local family
	world_policy "max_held_bytes: 1MiB, hold_timeout: 60s"
	lab_bw_up
	flood heads 400 6000
	for family in "${WORLD_FAMILIES[@]}"; do
		world_try "held, IPv$family: all are answered in the end" same 200 "$(said answered "$family")"
	done
	world_try "held: counted" at_least 1 "$(lab_bw_field counters.held_full)"
	sleep 1.2
	world_try "held: told" at_least 1 "$(world_logged 'held_full: ')"
	judges "held: room again"
	lab_bw_down
}

world_need_tools nginx redis-server openssl
world_up
world_serve http redis
sed "s|nginx.pid|outside.pid|" "$LAB_DIR/nginx.conf" >"$LAB_DIR/outside.conf"
lab_spawn outside nginx-outside nginx -e stderr -c "$LAB_DIR/outside.conf"
lab_must_wait 10 "the web server outside" lab_listens outside 80
# A connection out has replies that come in: egress and ingress go together.
gone "{internal: closed, egress: open, ingress: closed}" "timeout 200 timeout"
gone "{internal: open, egress: closed, ingress: open}" "200 timeout 200"
flows_full
flows_full_in_shadow
held_full
world_score failure-modes
world_end
