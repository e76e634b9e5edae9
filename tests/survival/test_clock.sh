#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The calendar clock jumps under load: a day ahead, a year back, to 1970, ten years ahead. Records take the new time; flows,
# deadlines, the watchdog and the engine's restart do not care. Only monotonic time may matter.
set -euo pipefail
# shellcheck source=world.sh
. "$(dirname "$0")/world.sh"

N=${SURVIVAL_CONNECTIONS:-100}
DAY=86400

# set_clock SECONDS: from now on the daemon's calendar is off by so many
set_clock() {
	/usr/bin/python3 -c '
import sys
with open(sys.argv[1], "r+b", buffering=0) as page:
    page.write(int(sys.argv[2]).to_bytes(8, "little", signed=True))' "$LAB_DIR/clock" "$1"
}

# unidentified HOST: a client whose first bytes may become anything is refused in time: 3 s, whatever the calendar says.
# Prints seconds.
unidentified() {
	lab_in client timeout 20 /usr/bin/python3 -c '
import socket, sys, time
begin = time.monotonic()
with socket.create_connection((sys.argv[1], 80), timeout=15) as one:
    one.sendall(b"GE")
    try:
        one.recv(1000)
    except ConnectionResetError:
        pass
print(int(time.monotonic() - begin))' "$1"
}

latest_year() { tail -n 1 "$LAB_EVE" | sed 's/.*"timestamp": *"\([0-9]*\)-.*/\1/'; }

# jump SECONDS WHAT
jump() {
	local engine family took
	engine=$(lab_bw_field engine_pid)
	set_clock "$1"
	unidentified "${WORLD_SERVER[6]}" >"$LAB_DIR/took6" &
	unidentified "${WORLD_SERVER[4]}" >"$LAB_DIR/took4"
	wait $! || true # nothing in took6 says so
	for family in "${WORLD_FAMILIES[@]}"; do
		took=$(<"$LAB_DIR/took$family")
		world_try "$2, IPv$family: silence ends in time" at_least 2 "${took:-0}"
		world_try "$2, IPv$family: and not late" at_least "${took:-99}" 10
	done
	world_try "$2: records have the new year" same "$(date -u -d "@$(($(date +%s) + $1))" +%Y)" "$(latest_year)"
	world_try "$2: the engine lives" same "$engine" "$(lab_bw_field engine_pid)"
	kill_engine
}

world_need_tools nginx redis-server openssl
[[ -z ${BW_SANITIZE:-} ]] || lab_skip "a sanitizer's runtime must be loaded first"
[[ -e ${SURVIVAL_LIBS:-$LAB_BUILD/tests/survival}/libsurvival_clock.so ]] || lab_skip "no libsurvival_clock.so"
world_up
world_serve http redis dns-udp
world_policy "hold_timeout: 3s"
head -c 8 /dev/zero >"$LAB_DIR/clock"
export SURVIVAL_CLOCK=$LAB_DIR/clock
LD_PRELOAD=${SURVIVAL_LIBS:-$LAB_BUILD/tests/survival}/libsurvival_clock.so lab_bw_up
load_start "$N" 1 http redis dns-udp
jump $DAY "a day ahead"
jump $((-365 * DAY)) "a year back"
jump "-$(date +%s)" "1970"
jump $((3650 * DAY)) "ten years ahead"
load_end
load_check "$N"
world_try "only the test ended engines" same 4 "$(lab_bw_field engine_restarts)"
world_score S18
world_end
