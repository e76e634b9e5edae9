#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# bench.sh [-o FILE] [-r ROUNDS] [-s SECONDS] [MODE...]: what inspection costs between two containers on one bridge.
#
# Modes, in turns so that what drifts on the machine drifts for all: kernel (no queue), acceptall (a queue reader
# that only accepts), connection (bridgewarden, a rule that ends with the connection), request (bridgewarden, every
# HTTP request judged). Measures: iperf3, one stream; wrk, 16 kept connections, 128-byte bodies; big HTTP
# downloads, one after the other. Prints medians and their ratio to the kernel; writes the same as JSON, with every single value.
set -euo pipefail
LAB_LIMIT=${LAB_LIMIT:-1800}
# shellcheck source=../lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"

OUT=
ROUNDS=3
DURATION=5
QUEUES=2
ALL_MODES=(kernel acceptall connection request)
BRIDGE=

options() {
	local option
	while getopts o:r:s: option; do
		case $option in
		o) OUT=$OPTARG ;;
		r) ROUNDS=$OPTARG ;;
		s) DURATION=$OPTARG ;;
		*) exit 64 ;;
		esac
	done
	MODES=("${@:OPTIND}")
	[[ ${#MODES[@]} -gt 0 ]] || MODES=("${ALL_MODES[@]}")
}

containers() {
	lab_network b_default --label com.docker.compose.project=b
	BRIDGE=$(lab_bridge b_default)
	mkdir -p "$LAB_DIR/www"
	head -c 128 /dev/zero | tr '\0' x >"$LAB_DIR/www/small"
	head -c 256M /dev/zero >"$LAB_DIR/www/big"
	lab_nginx web b web b_default "$LAB_DIR/www"
	lab_spawn web iperf3 iperf3 -s
	lab_wait_port web 5201
	lab_run client b client b_default -- sleep "$LAB_LIMIT"
}

# True (in the kernel) for every second pair of ports, alike for both directions: (sport + dport) & 1.
SPREAD="8,177 0 0 0,72 0 0 0,2 0 0 0,72 0 0 2,97 0 0 0,12 0 0 0,84 0 0 1,22 0 0 0"

acceptall_rules() {
	local action=$1 match=(-i "$BRIDGE" -o "$BRIDGE" -p tcp)
	lab_in docker iptables -t mangle "$action" FORWARD "${match[@]}" -m bpf --bytecode "$SPREAD" \
		-j NFQUEUE --queue-num 101
	lab_in docker iptables -t mangle "$action" FORWARD "${match[@]}" -j NFQUEUE --queue-num 100
}

policy() {
	lab_policy <<-YAML
		version: 1
		mode: enforce
		manage: [project:b]
		engine: {workers: $QUEUES}
		rules:
		- {name: web, from: b/client, to: b/web, ${1#\{}
	YAML
}

turn_on() {
	case $1 in
	kernel) ;;
	acceptall)
		lab_spawn docker acceptall "$LAB_BUILD/tests/bench/acceptall" 100 "$QUEUES"
		ACCEPTALL=$LAB_SPAWNED
		lab_must_wait 5 "acceptall" grep -q ready "$LAB_DIR/log/acceptall"
		acceptall_rules -A
		;;
	connection) policy '{app: tcp, allow: true}' && lab_bw_up ;;
	request) policy '{app: http, allow: [{methods: [GET], paths: ["/**"]}]}' && lab_bw_up ;;
	*) lab_fail "no mode '$1'; there are: ${ALL_MODES[*]}" ;;
	esac
}

turn_off() {
	case $1 in
	acceptall)
		acceptall_rules -D
		kill "$ACCEPTALL"
		lab_must_wait 5 "the end of acceptall" lab_gone "$ACCEPTALL"
		;;
	connection | request) lab_bw_down ;;
	esac
}

# One line "MODE ROUND MEASURE VALUE" each; a request rule has no iperf3, which does not speak HTTP.
measure() {
	[[ $1 == request ]] || measure_iperf "$1" "$2"
	measure_wrk "$1" "$2"
	measure_download "$1" "$2"
}

# In a container of its own process: nothing but the measured path between the two.
client() { LAB_EXEC_LIMIT=$((DURATION + 30)) lab_exec client "$@"; }

measure_iperf() {
	client iperf3 -c web -t "$DURATION" -J | /usr/bin/python3 -c '
import json, sys
print("'"$1 $2"' iperf3_gbps", json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"] / 1e9)' >>"$VALUES" ||
		lab_fail "iperf3 in mode $1"
}

measure_wrk() {
	local report
	report=$(client wrk -t2 -c16 -d"${DURATION}s" --latency http://web/small) || lab_fail "wrk in mode $1"
	! grep -E 'Socket errors|Non-2xx' <<<"$report" || lab_fail "wrk saw errors in mode $1"
	awk -v run="$1 $2" '
		function ms(text) { return text * (text ~ /us$/ ? 0.001 : text ~ /ms$/ ? 1 : 1000) }
		/Requests\/sec/ {print run, "wrk_rps", $2}
		$1 == "50%" {print run, "wrk_p50_ms", ms($2)}
		$1 == "99%" {print run, "wrk_p99_ms", ms($2)}' <<<"$report" >>"$VALUES"
}

measure_download() {
	client wrk -t1 -c1 -d"${DURATION}s" http://web/big | awk -v run="$1 $2" '
		function bytes(text) {
			return text * (text ~ /GB$/ ? 1073741824 : text ~ /MB$/ ? 1048576 : text ~ /KB$/ ? 1024 : 1)
		}
		/Transfer\/sec/ {print run, "http_gbps", bytes($2) * 8 / 1e9}' >>"$VALUES" ||
		lab_fail "the download in mode $1"
}

options "$@"
lab_need wrk iperf3 nginx
[[ " ${MODES[*]} " != *" connection "* && " ${MODES[*]} " != *" request "* ]] || lab_have_bw
lab_up
VALUES=$LAB_DIR/values
containers
for ((round = 1; round <= ROUNDS; round++)); do
	for mode in "${MODES[@]}"; do
		lab_say "round $round of $ROUNDS: $mode"
		turn_on "$mode"
		measure "$mode" "$round"
		turn_off "$mode"
	done
done
/usr/bin/python3 "$(dirname "$0")/table.py" "$VALUES" ${OUT:+"$OUT"}
