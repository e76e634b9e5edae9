#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# latency.sh [-r ROUNDS] [FLOOD...]: the p99 of requests on established connections in each flood of test_daemon.sh (syns,
# paced, holes, idle; none, to know the noise), as a ratio to the p99 on the same connections just before it.
#
#	client, outside --- br0 [bridgewarden] --- server        198.18.7.3, fd00:7::3
#	client, outside --- br1 [acceptall]    --- server        198.18.9.3, fd00:9::3
#
# In turns by either way, the same flood, so that what the flood takes of the processors without bridgewarden is known:
# flooder, client, server and firewall share them. It measures time and is no test; README.md says how to read it.
set -euo pipefail
LAB_LIMIT=${LAB_LIMIT:-900}
# shellcheck source=../survival/world.sh
. "$(dirname "$0")/../survival/world.sh"

HERE=$(cd "$(dirname "$0")" && pwd)
ROUNDS=3
QUIET=2.5
FLOODED=4
FLOWS=2048
QUEUE=100
ENDLESS=1000000000 # SYNs: ended when it was measured
declare -A HOSTS=([bridgewarden]="198.18.7.3,fd00:7::3" [acceptall]="198.18.9.3,fd00:9::3")
PREFIXES="198.19.7.,fd00:8::"

options() {
	local option
	while getopts r: option; do
		case $option in
		r) ROUNDS=$OPTARG ;;
		*) exit 64 ;;
		esac
	done
	FLOODS=("${@:OPTIND}")
	[[ ${#FLOODS[@]} -gt 0 ]] || FLOODS=(none syns paced holes idle)
}

# A second bridge that bridgewarden does not manage. What comes in by it is answered by it.
unmanaged() {
	local tool
	world_add_bridge 1 9
	world_wire client 1 9 2
	world_endpoint server 1 9 3
	world_endpoint client 1 9 2
	lab_in server ip rule add from 198.18.9.3 table 9
	lab_in server ip -6 rule add from fd00:9::3 table 9
	lab_in server ip route add default via 198.18.9.1 table 9
	lab_in server ip -6 route add default via fd00:9::1 table 9
	ip -n "$LAB_NS" link set br1 type bridge nf_call_iptables 1 nf_call_ip6tables 1
	lab_spawn docker acceptall "$LAB_BUILD/tests/bench/acceptall" "$QUEUE" 2
	lab_must_wait 5 "acceptall" grep -q ready "$LAB_DIR/log/acceptall"
	for tool in iptables ip6tables; do
		lab_in docker "$tool" -t mangle -A FORWARD -i br1 -p tcp -j NFQUEUE --queue-balance "$QUEUE:$((QUEUE + 1))"
		lab_in docker "$tool" -t mangle -A FORWARD -o br1 -p tcp -j NFQUEUE --queue-balance "$QUEUE:$((QUEUE + 1))"
	done
}

# attack WAY FLOOD; of "none" the ratio is what the machine's other work makes of it
attack() {
	local what
	case $2 in
	none)
		lab_spawn outside attack sleep 30
		return
		;;
	syns) what=(syns "${HOSTS[$1]}" "$PREFIXES" 80 "$ENDLESS") ;;
	paced) what=(syns "${HOSTS[$1]}" "$PREFIXES" 80 "$ENDLESS" 5000) ;;
	holes) what=(holes "${HOSTS[$1]}" 80 1500 30) ;;
	idle) what=(idle "${HOSTS[$1]}" 80 3000 30) ;;
	*) lab_fail "no flood '$2'; there are none syns paced holes idle" ;;
	esac
	lab_spawn outside attack /usr/bin/python3 "$HERE/attack.py" "${what[@]}"
}

# measure WAY FLOOD: the same connections in quiet and in the flood
measure() {
	local prober
	lab_spawn client probe /usr/bin/python3 "$HERE/latency.py" probe "${HOSTS[$1]}" quiet - flood
	prober=$LAB_SPAWNED
	lab_must_wait 10 "the connections" grep -q ready "$LAB_DIR/log/probe"
	sleep "$QUIET"
	kill -USR1 "$prober"
	attack "$1" "$2"
	sleep 0.5 # Python begins
	kill -USR1 "$prober"
	sleep "$FLOODED"
	kill -TERM "$prober"
	lab_must_wait 10 "the last answers" lab_gone "$prober"
	kill -KILL "$LAB_SPAWNED"
	lab_must_wait 5 "the end of the flood" lab_gone "$LAB_SPAWNED"
	printf '%s %s %s\n' "$2" "$1" "$(tail -n 1 "$LAB_DIR/log/probe")" >>"$LAB_DIR/values"
	sleep 2.5 # half-open connections end
}

options "$@"
world_need_tools nginx
[[ -x $LAB_BUILD/tests/bench/acceptall ]] || lab_skip "no acceptall in $LAB_BUILD; set BW_BUILD_DIR"
world_up
# What a flood leaves behind would be the next one's burden.
world_sysctl docker net.netfilter.nf_conntrack_tcp_timeout_syn_sent=2 net.netfilter.nf_conntrack_tcp_timeout_syn_recv=2
world_serve http
world_policy "max_flows: $FLOWS, max_held_bytes: 1MiB"
lab_bw_up
unmanaged
for ((round = 1; round <= ROUNDS; round++)); do
	for flood in "${FLOODS[@]}"; do
		for way in acceptall bridgewarden; do
			lab_say "round $round of $ROUNDS: $flood, $way"
			measure "$way" "$flood"
		done
	done
done
lab_say "bridgewarden: flows_full $(lab_bw_field counters.flows_full), held_full $(lab_bw_field counters.held_full)"
/usr/bin/python3 "$HERE/latency.py" table "$LAB_DIR/values"
