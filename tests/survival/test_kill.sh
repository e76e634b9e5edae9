#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A thousand established connections in each protocol, half of them IPv6, requests under way on all of them. The engine is killed five times
# at random moments; then the control process is killed and started again, then killed and another build of the same
# layout is started. Queues and flow table are handed over: all connections go on with the right answers, and nothing
# that is forbidden reaches a server.
set -euo pipefail
# shellcheck source=world.sh
. "$(dirname "$0")/world.sh"

N=${SURVIVAL_CONNECTIONS:-1000}

engine_killed() {
	for _ in 1 2 3 4 5; do
		doze 20
		kill_engine
	done
	sleep 1
	load_so_far
	load_check "$N"
	world_try "no flow was left half changed" same 0 "$(lab_bw_field counters.state_lost)"
	world_try "the engine was replaced five times" same 5 "$(lab_bw_field engine_restarts)"
}

handed_over() {
	world_bw_kill
	sleep 1.5
	lab_bw_up
	world_try "handed over to a new control process" same 1 "$(world_logged 'took over queues and flow table')"
	doze 10
	world_bw_kill
	other_program '\x000.1.0\x00' '\x000.1.x\x00'
	lab_bw_up
	world_try "the other build runs" same 0.1.x "$(lab_bw_field version)"
	world_try "handed over to the other build" same 2 "$(world_logged 'took over queues and flow table')"
	sleep 2
	load_end
	load_check "$N"
	world_try "no flow was left half changed" same 0 "$(lab_bw_field counters.state_lost)"
}

world_need_tools nginx redis-server mariadbd openssl
world_up
mapfile -t protocols < <(world_protocols)
world_serve "${protocols[@]}"
world_policy "hold_timeout: 20s" # a slow machine is no silent client
lab_bw_up
load_start "$N" 3 "${protocols[@]}"
engine_killed
world_score S11
handed_over
world_score S12
world_end
