#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Headers are not touched: of real connections over a bad link, with ECN in use and marked, what entered the firewall
# left it byte by byte, on a bridge; routed, with a TTL of one less per hop. No packet is added and none is lost, IPv4 and IPv6.
set -euo pipefail
# shellcheck source=../lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=world.sh
. "$(dirname "$0")/world.sh"

TRIED=0
FAILED=0

# judge NAME REPORT FEATURE...: nothing differs, and every feature was there to differ
judge() {
	local name=$1 bad
	TRIED=$((TRIED + 1))
	bad=$(/usr/bin/python3 - "$LAB_DIR/log/fields" "$LAB_DIR/log/drive" "${@:2}" <<-'PY'
		import json, sys
		report, drive = (json.load(open(path)) for path in sys.argv[1:3])
		bad = [way for way in report["ways"] if way["missing"] or way["extra"] or way["packets"] < 500]
		bad += [f"saw no {name}" for name in sys.argv[3:] if not report["seen"].get(name)]
		bad += [drive] if drive["lost"] or drive["wrong"] or report["command"] else []
		print("\n".join(map(str, bad)))
		print([(way["way"], way["packets"]) for way in report["ways"]], report["seen"], file=sys.stderr)
	PY
	)
	if [[ -n $bad ]]; then
		lab_say "FAIL: $name: $bad"
		FAILED=$((FAILED + 1))
	else
		lab_ok "$name"
	fi
}

# watch NAME HOPS PLACE ADDRESS...: the servers run in PLACE; clients are in the bad link's namespace
watch() {
	local name=$1 hops=$2 place=$3
	shift 3
	lab_spawn "$place" serve /usr/bin/python3 "$WORLD_SOURCE/serve.py"
	lab_must_wait 10 "the servers" grep -q ready "$LAB_DIR/log/serve"
	timeout 50 /usr/bin/python3 "$WORLD_SOURCE/fields.py" "$hops" "$LAB_NS,client0" "${LAB_HOSTS[$place]},eth0" -- \
		nsenter --net="/run/netns/$LAB_TAG-client" /usr/bin/python3 "$WORLD_SOURCE/drive.py" "${CONNECTIONS:-66}" \
		"${SEED:-1}" "$@" >"$LAB_DIR/log/both" || lab_fail "$name: the capture"
	head -n 1 "$LAB_DIR/log/both" >"$LAB_DIR/log/drive"
	tail -n 1 "$LAB_DIR/log/both" >"$LAB_DIR/log/fields"
	kill "$LAB_SPAWNED"
	judge "$name" syn mss window_scale sack_permitted sack_blocks timestamps ece cwr ect ce ipv4 ipv6
}

export WITHOUT=fast_open # its SYN is changed on purpose
world_need
world_up
world_link delay_ms=1 loss=1 reorder=5 late_ms=3 ce=2 seed="${SEED:-1}"
world_route 1500
for place in client server far; do
	world_sysctl "$place" net.ipv4.tcp_ecn=1 net.ipv4.tcp_mtu_probing=0
done
# Packets are compared as they are: no aggregates, and checksums that are computed by who sends.
world_offloads client eth0 off
for place in server far; do world_offloads "$place" eth0 off; done
for link in server0 client0 up0 br0; do world_offloads docker "$link" off; done
for link in eth0 down0; do world_offloads router "$link" off; done
world_policy
lab_bw_up
watch "bridged" 0 server 198.18.7.3 fd00:7::3
watch "routed" 2 far 198.19.8.10 fd00:9::10
printf 'scorecard S21 tried=%s failed=%s\n' "$TRIED" "$FAILED"
((FAILED == 0)) || lab_fail "$FAILED of $TRIED"
