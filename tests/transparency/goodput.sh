#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# goodput.sh [-p] [-r ROUNDS] [-s SECONDS] [-t TRIES] [-m LEAST] [-c CONGESTION] [MODE...]: what applications get of a
# link with 1 % loss and 5 % reordering through bridgewarden, as a share of what they get through a queue reader that
# accepts everything.
#
# Modes: watched (every byte both ways), requests (only these), addresses (what is handed to the kernel at once), kernel
# (no queue at all). All of them are up all the time; the bridge and the port of a connection say which one it meets. In
# turns, so that what drifts on the machine drifts for all; with -p each mode at the same time as accept-all, so that
# what else the machine does hits both. Ratios are of the totals of all rounds: a round alone sees too few losses.
# Prints a table; exit status 1 when watched or requests stay below LEAST (0.95) in each of TRIES.
set -euo pipefail
# shellcheck source=../lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=world.sh
. "$(dirname "$0")/world.sh"

ROUNDS=5
DURATION=2
TRIES=1
LEAST=0.95
IS_PAIRED=
CONNECTIONS=32
QUEUE=100
export CONGESTION=cubic
declare -A PORTS=([kernel]=8400 [acceptall]=8300 [watched]=8000 [requests]=8100 [addresses]=8200)

options() {
	local option
	while getopts pr:s:t:m:c: option; do
		case $option in
		p) IS_PAIRED=yes ;;
		r) ROUNDS=$OPTARG ;;
		s) DURATION=$OPTARG ;;
		t) TRIES=$OPTARG ;;
		m) LEAST=$OPTARG ;;
		c) CONGESTION=$OPTARG ;;
		*) exit 64 ;;
		esac
	done
	MODES=("${@:OPTIND}")
	[[ ${#MODES[@]} -gt 0 ]] || MODES=(watched requests addresses kernel)
}

# A second bridge, with a link as bad, that bridgewarden does not manage.
unmanaged() {
	local tool way
	world_add_bridge 1 9
	world_endpoint server 1 9 3
	world_bad_link 1 02:00:00:00:09:02 "${LINK[@]}"
	world_endpoint client 1 9 2
	ip -n "$LAB_NS" link set br1 type bridge nf_call_iptables 1 nf_call_ip6tables 1
	lab_spawn docker acceptall "$LAB_BUILD/tests/bench/acceptall" "$QUEUE" 2
	lab_must_wait 5 "acceptall" grep -q ready "$LAB_DIR/log/acceptall"
	for tool in iptables ip6tables; do
		for way in dport sport; do
			lab_in docker "$tool" -t mangle -A FORWARD -i br1 -p tcp "--$way" "${PORTS[acceptall]}" -j NFQUEUE \
				--queue-balance "$QUEUE:$((QUEUE + 1))"
		done
	done
}

addresses_of() {
	case $1 in
	kernel | acceptall) printf '198.18.9.3 fd00:9::3\n' ;;
	*) printf '198.18.7.3 fd00:7::3\n' ;;
	esac
}

# transfer MODE: prints megabytes per second
transfer() {
	local to
	read -ra to <<<"$(addresses_of "$1")"
	lab_in client timeout 40 /usr/bin/python3 "$WORLD_SOURCE/bulk.py" "$DURATION" "$CONNECTIONS" "${PORTS[$1]}" "${to[@]}" ||
		lab_fail "the transfers in mode $1"
}

# Lines "MODE VALUE BASE" each
rounds() {
	local round mode base
	for ((round = 1; round <= ROUNDS; round++)); do
		[[ -n $IS_PAIRED ]] || base=$(transfer acceptall)
		for mode in "${MODES[@]}"; do
			if [[ -n $IS_PAIRED ]]; then
				transfer acceptall >"$LAB_DIR/base" &
				printf '%s %s ' "$mode" "$(transfer "$mode")"
				wait $! || lab_fail "the transfers beside mode $mode"
				base=$(<"$LAB_DIR/base")
			else
				printf '%s %s ' "$mode" "$(transfer "$mode")"
			fi
			printf '%s\n' "$base"
		done
	done
}

# A mode that was good once need not be tried again.
try() {
	rounds >"$LAB_DIR/values"
	/usr/bin/python3 "$WORLD_SOURCE/ratios.py" "$LAB_DIR/values" "$LEAST" 3>"$LAB_DIR/bad"
	read -ra MODES <"$LAB_DIR/bad" || true
}

options "$@"
world_need
[[ -x $LAB_BUILD/tests/bench/acceptall ]] || lab_skip "no acceptall in $LAB_BUILD; set BW_BUILD_DIR"
world_up
LINK=(delay_ms=12 loss=1 reorder=5 late_ms=3 "seed=${SEED:-1}")
world_link "${LINK[@]}"
world_policy
lab_bw_up
unmanaged
lab_mark
lab_spawn server serve /usr/bin/python3 "$WORLD_SOURCE/serve.py"
lab_must_wait 10 "the servers" grep -q ready "$LAB_DIR/log/serve"
tried=${#MODES[@]}
for ((number = 1; number <= TRIES && ${#MODES[@]}; number++)); do
	try
done
lab_say "the firewall: packets=$(world_counter packets) bytes=$(world_counter bytes) retransmits=$(world_counter retransmits)" \
	"out_of_order=$(world_counter out_of_order) overlap_differs=$(world_counter overlap_differs)"
lab_say "the link: $(world_unlink 0)"
[[ -z $(world_violations) ]] || lab_fail "violations: $(world_violations)"
printf 'scorecard S21 tried=%s failed=%s\n' "$tried" "${#MODES[@]}"
exit "$((${#MODES[@]} > 0))"
