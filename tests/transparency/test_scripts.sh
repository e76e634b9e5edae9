#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Short exchanges, segment by segment, between two raw ends (scripts.txt): what comes out of the firewall is what went in,
# byte for byte, headers included; where it is not, the script says so.
set -euo pipefail
# shellcheck source=../lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=world.sh
. "$(dirname "$0")/world.sh"

# mute PLACE: its kernel has no address and says nothing; the wire is the script's alone
mute() {
	ip -n "${LAB_HOSTS[$1]}" addr flush dev eth0
	world_sysctl "$1" net.ipv6.conf.all.disable_ipv6=1
	world_offloads "$1" eth0 off
}

world_need
world_up
world_link none
for place in client server; do
	mute "$place"
	world_offloads docker "${place}0" off
done
world_policy
lab_bw_up
status=0
/usr/bin/python3 "$WORLD_SOURCE/script.py" "${1:-$WORLD_SOURCE/scripts.txt}" "${LAB_HOSTS[client]}" "${LAB_HOSTS[server]}" \
	>"$LAB_DIR/log/scripts" || status=$?
cat "$LAB_DIR/log/scripts" >&2
tail -n 1 "$LAB_DIR/log/scripts" | sed 's/.*tried/scorecard S21 tried/'
((status == 0)) || lab_fail "some exchanges were changed"
