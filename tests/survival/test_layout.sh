#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The next daemon cannot go on from the flow table: it wants another shape, its structs have another layout, or there is
# none after a regular stop. Then `midstream` says what becomes of connections, and nothing passes unjudged.
set -euo pipefail
# shellcheck source=world.sh
. "$(dirname "$0")/world.sh"

FEW=20

# Ways to have no table to go on from; each ends the daemon, and says what the next one is.
# Its table has other sizes.
shape() {
	world_bw_kill
	world_policy "max_flows: 65536" "midstream: $1"
}

# Its table has the same sizes, and its structs mean something else.
layout() {
	world_bw_kill
	other_program '\x31wegdirb' '\x32wegdirb'
}

# A regular stop: there is no former engine.
restart() { lab_bw_down; }

# judged WHAT: strays are judged, whatever becomes of what was established
judged() {
	local protocol family host
	for protocol in http redis; do
		for family in "${WORLD_FAMILIES[@]}"; do
			host=${WORLD_SERVER[$family]}
			world_try "$1, IPv$family: $protocol strays were refused" at_least 3 "$(load_said "$protocol" denied "$host")"
			world_try "$1, IPv$family: no $protocol stray had an answer" same 0 "$(load_said "$protocol" passed "$host")"
		done
		world_try "$1: $protocol executed nothing forbidden" same 0 "$(world_executed "$protocol")"
	done
}

# not_handed_over MIDSTREAM HOW READ RAW: how many connections that must be read go on, how many that need not
not_handed_over() {
	local family host
	LAB_BUILD=$WORLD_BUILD
	lab_bw_down
	world_policy "" "midstream: $1"
	lab_bw_up
	LOADS=()
	load_start "$FEW" 0.5 http redis raw
	"$2" "$1"
	lab_bw_up
	sleep 2
	load_end
	for family in "${WORLD_FAMILIES[@]}"; do
		host=${WORLD_SERVER[$family]}
		world_try "$2, $1, IPv$family: http connections that go on" same "$(($3 / 2))" "$(load_said http alive "$host")"
		world_try "$2, $1, IPv$family: redis connections that go on" same "$(($3 / 2))" "$(load_said redis alive "$host")"
		world_try "$2, $1, IPv$family: connections that need no reading and go on" same "$(($4 / 2))" \
			"$(load_said raw alive "$host")"
	done
	world_try "$2, $1: counted" at_least 1 "$(lab_bw_field counters.midstream)"
}

world_need_tools nginx redis-server openssl
world_up
world_serve http redis raw
not_handed_over inspect shape 0 "$FEW"
judged "shape, inspect"
not_handed_over deny layout 0 0
judged "layout, deny"
# A regular stop, and midstream: allow, let pass what they say they let pass: nothing to count at the servers.
not_handed_over inspect restart 0 "$FEW"
not_handed_over allow layout "$FEW" "$FEW"
world_score S12-layout
world_end
