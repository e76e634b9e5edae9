#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Memory runs out in the engine, at each place that asks for it, one after the other (malloc.c), under load: the engine
# goes on, or ends with a word and another takes its place. It never crashes, and nothing passes unjudged.
set -euo pipefail
# shellcheck source=world.sh
. "$(dirname "$0")/world.sh"

# page_word I: a number of malloc.c's page (0: engines, 1: places, 2: failures)
page_word() { od -An -t d4 -j $((4 * $1)) -N 4 "$LAB_DIR/memory" | tr -d ' '; }

engines_beyond() { (($(page_word 0) > $1)); }

judges_still() {
	local family
	for family in "${WORLD_FAMILIES[@]}"; do
		same 200 "$(lab_get client "$(world_url "${WORLD_SERVER[$family]}" /allowed/7)")" || return 1
		same 403 "$(lab_get client "$(world_url "${WORLD_SERVER[$family]}" /denied/secret)")" || return 1
	done
}

# Engine n+1 fails place n. One that dies is followed by the next at once, or after half a second.
walk() {
	local engines
	kill_engine
	while engines=$(page_word 0) && ((engines <= $(page_word 1))); do
		lab_wait 1 engines_beyond "$engines" && continue
		world_try "place $((engines - 2)): the engine goes on" judges_still
		kill_engine
	done
}

world_need_tools nginx redis-server openssl od
[[ -z ${BW_SANITIZE:-} ]] || lab_skip "a sanitizer has a malloc of its own"
LIB=${SURVIVAL_LIBS:-$LAB_BUILD/tests/survival}/libsurvival_malloc.so
[[ -e $LIB ]] || lab_skip "no $LIB"
world_up
world_serve http redis
world_policy ""
head -c 4096 /dev/zero >"$LAB_DIR/memory"
export SURVIVAL_MALLOC=$LAB_DIR/memory
LD_PRELOAD=$LIB lab_bw_up
load_start 20 1 http redis
walk
load_end
load_check 20
world_try "places that ask for memory" at_least 5 "$(page_word 1)"
world_try "each ran out once, but for one that only another failure leads to" at_least $(($(page_word 1) - 1)) "$(page_word 2)"
world_try "no engine crashed" same "" "$(grep 'engine died:' "$LAB_DIR/bw/log" | grep -v 'signal=9\|exit=1' || true)"
lab_say "   $(page_word 0) engines, $(page_word 1) places, $(grep -c 'exit=1' "$LAB_DIR/bw/log") ended with a word"
world_score S20
world_end
