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

# ask SCOPE PATH: 200, 403, reset, timeout
ask() {
	case $1 in
	internal) lab_get client "http://$WORLD_SERVER$2" -m 1.5 ;;
	egress) lab_get client "http://$WORLD_OUTSIDE$2" -m 1.5 ;;
	ingress) lab_get outside "http://$WORLD_SERVER$2" -m 1.5 ;;
	esac
}

# asks PATH: in all scopes at once
asks() {
	local scope
	for scope in internal egress ingress; do
		ask "$scope" "$1" >"$LAB_DIR/asked-$scope" &
		ASKING+=($!)
	done
	wait "${ASKING[@]}" || true
	ASKING=()
	cat "$LAB_DIR"/asked-{internal,egress,ingress} | xargs
}

judges() {
	world_try "$1: allowed" same "200 200 200" "$(asks /allowed/7)"
	world_try "$1: forbidden" same "403 403 403" "$(asks /denied/secret)"
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
	world_try "$1, engine gone: forbidden waits, in every scope" same "timeout timeout timeout" "$(asks /denied/secret)"
	kill -CONT "$LAB_BW"
	lab_must_wait 5 "another engine" another_engine "$engine"
	world_try "$1, engine gone: told" at_least 1 "$(world_logged "engine died: pid=$engine")"
	judges "$1, another engine"
	engine=$(lab_bw_field engine_pid)
	kill -KILL "$LAB_BW" "$engine"
	lab_must_wait 5 "the end of both" lab_gone "$LAB_BW"
	lab_must_wait 5 "the end of the engine" lab_gone "$engine"
	world_try "$1, both gone" same "$2" "$(asks /denied/secret)"
	lab_bw_up
	judges "$1, both back"
	lab_bw_down
}

# ---- tables that are full ------------------------------------------------------------------------------------

json_of() { /usr/bin/python3 -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$@"; }

flows_full() {
	local said
	world_policy "max_flows: 1024"
	lab_bw_up
	said=$(lab_in client /usr/bin/python3 "$WORLD_SOURCE/flood.py" connections "$WORLD_SERVER" 1400 4)
	lab_say "   $said"
	world_try "flows: no more than there is room for" at_least "$(json_of "$said" stands)" 1024
	world_try "flows: the table is used" at_least 900 "$(json_of "$said" stands)"
	world_try "flows: those that stand are served" same "$(($(json_of "$said" stands) - $(json_of "$said" refused)))" \
		"$(json_of "$said" set)"
	world_try "flows: and judged" same 0 "$(json_of "$said" passed)"
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
	local said
	world_policy "max_flows: 1024" "" shadow
	lab_bw_up
	said=$(lab_in client /usr/bin/python3 "$WORLD_SOURCE/flood.py" connections "$WORLD_SERVER" 1400 4)
	lab_say "   $said"
	world_try "flows, shadow: all stand" same 1400 "$(json_of "$said" stands)"
	world_try "flows, shadow: all pass" same "1260 140" "$(json_of "$said" set) $(json_of "$said" passed)"
	world_try "flows, shadow: counted" at_least 1 "$(lab_bw_field counters.flows_full)"
	lab_bw_down
}

held_full() {
	local said
	world_policy "max_held_bytes: 1MiB, hold_timeout: 60s"
	lab_bw_up
	said=$(lab_in client /usr/bin/python3 "$WORLD_SOURCE/flood.py" heads "$WORLD_SERVER" 400 6000)
	lab_say "   $said"
	world_try "held: all are answered in the end" same 400 "$(json_of "$said" answered)"
	world_try "held: counted" at_least 1 "$(lab_bw_field counters.held_full)"
	sleep 1.2
	world_try "held: told" at_least 1 "$(world_logged 'held_full: ')"
	judges "held: room again"
	lab_bw_down
}

world_need nginx redis-server openssl
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
