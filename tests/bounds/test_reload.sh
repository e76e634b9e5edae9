#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A hundred reloads at ten a second, in turns between two policies that allow disjoint paths, while both paths are asked
# for, over IPv4 and IPv6. What each request got must be what the policy of the generation in its record says; the daemon must not grow.
set -euo pipefail
# shellcheck source=../survival/world.sh
. "$(dirname "$0")/../survival/world.sh"

HERE=$(cd "$(dirname "$0")" && pwd)
RELOADS=${BOUNDS_RELOADS:-100}

# policy_of PATH: the policy that allows it
policy_of() {
	{
		world_policy_head ""
		printf '%s\n' "- {name: only-$1, from: any, to: any, app: http, port: 80, log: all, allow: [{methods: [GET], paths: [\"/$1/**\"]}]}"
	} >"$LAB_DIR/$1.yaml"
}

# use PATH: becomes the policy file, whole at any time; notes which generation came of it
use() {
	local said
	cp "$LAB_DIR/$1.yaml" "$LAB_DIR/next.yaml"
	mv "$LAB_DIR/next.yaml" "$LAB_POLICY"
	said=$(lab_bw reload 2>>"$LAB_DIR/log/reload") || return 1
	printf '%s %s\n' "${said#generation }" "$1" >>"$LAB_DIR/generations"
}

# reloads N SECONDS: one every so many seconds, where the machine keeps up
reloads() {
	local i next
	for ((i = 0; i < $1; i++)); do
		next=$((i % 2))
		sleep "$2" &
		use "$([[ $next == 0 ]] && echo b || echo a)" || BAD_RELOADS=$((BAD_RELOADS + 1))
		wait $!
	done
}

# own PID: KiB of its private memory. The shared tables fill up with flows, up to their size, and are none of it.
own() { awk '$1 == "RssAnon:" {print $2}' "/proc/$1/status"; }

# holds PID: mappings and descriptors; an old generation that is kept is one more of each
holds() { echo "$(wc -l <"/proc/$1/maps") $(find "/proc/$1/fd" -mindepth 1 | wc -l)"; }

# Neighbouring mappings come apart and together: some are no sign of anything.
holds_no_more() { (($3 < $1 + RELOADS / 10 && $4 <= $2 + 1)) || { lab_say "   had $1 $2, has $3 $4"; return 1; }; }

# drift WHAT PID OWN HOLDS ALLOWANCE: since then, of a process that is warm; allowance: KiB that may come on top
drift() {
	lab_say "   $1: $3 KiB of its own before, $(own "$2") KiB after; mappings and descriptors $4, then $(holds "$2")"
	world_try "$1: grew by at most 1 % and $5 KiB" at_least "$((($(own "$2") - $5) * 100))" "$(($3 * 101))"
	# shellcheck disable=SC2046,SC2086 # two numbers each
	world_try "$1: keeps no old generation" holds_no_more $4 $(holds "$2")
}

world_need_tools nginx
world_up
world_serve http
mkdir -p "$LAB_DIR"/www/{a,b}
printf 'a\n' >"$LAB_DIR/www/a/1"
printf 'b\n' >"$LAB_DIR/www/b/1"
policy_of a
policy_of b
cp "$LAB_DIR/a.yaml" "$LAB_POLICY"
BAD_RELOADS=0
lab_bw_up
printf '%s a\n' "$(lab_bw_field generation)" >"$LAB_DIR/generations"
ENGINE=$(lab_bw_field engine_pid)

lab_spawn client asked /usr/bin/python3 "$HERE/ask.py" "$WORLD_SERVERS" "$LAB_DIR/asked.json"
ASKING=$LAB_SPAWNED
lab_must_wait 10 "the first answers" test -s "$LAB_DIR/log/asked"
START=$SECONDS
reloads "$RELOADS" 0.1
lab_say "   $RELOADS reloads in $((SECONDS - START)) s"
kill -TERM "$ASKING"
lab_must_wait 10 "the end of the load" lab_gone "$ASKING"
sleep 1.5 # the last records
# What traffic needs for the first time has been taken by now; what grows from here on, reloads make grow.
reloads "$RELOADS" 0
ENGINE_OWN=$(own "$ENGINE") ENGINE_HOLDS=$(holds "$ENGINE")
CONTROL_OWN=$(own "$LAB_BW") CONTROL_HOLDS=$(holds "$LAB_BW")
reloads "$RELOADS" 0
sleep 1.5
drift "the engine" "$ENGINE" "$ENGINE_OWN" "$ENGINE_HOLDS" 0
# Each reload is a record in its bounded history (src/output/history.h): 4 KiB at most.
drift "the control process" "$LAB_BW" "$CONTROL_OWN" "$CONTROL_HOLDS" $((4 * RELOADS))
world_try "all reloads were taken" same 0 "$BAD_RELOADS"
world_try "the engine is the same" same "$ENGINE" "$(lab_bw_field engine_pid)"
world_try "no record was lost" same 0 "$(lab_bw_field counters.events_lost)"
world_try "each request was judged by one version" /usr/bin/python3 "$HERE/versions.py" "$LAB_DIR/generations" \
	"$LAB_DIR/asked.json" "$LAB_EVE"
world_score S13
world_end
