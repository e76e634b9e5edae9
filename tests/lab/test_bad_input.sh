#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the daemon is given wrongly: it says what, where and what mends it, ends with a status other than zero within
# seconds, and leaves the host as it was.
set -euo pipefail
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"

# Rules and chains of the lab's mangle tables and its bridges' switches, without what changes by itself (counters).
state_of_host() {
	local tool
	for tool in iptables-save ip6tables-save; do
		lab_in docker "$tool" -t mangle | sed -n 's/\[[0-9:]*\]//; /^:[^ ]* -/p; /^-A/p'
	done
	lab_in docker ip -d link show type bridge | grep -o 'nf_call_ip6\?tables [01]' || true
}

# refuses WHAT PATTERN [WRAPPER...] -- OPTION...: the message matches PATTERN (extended regular expression)
refuses() {
	local what=$1 pattern=$2 wrapper=() status=0 said
	shift 2
	while [[ $1 != -- ]]; do
		wrapper+=("$1")
		shift
	done
	shift
	said=$(nsenter --net="/run/netns/$LAB_NS" "${wrapper[@]}" timeout -k 2 10 "$LAB_BUILD/bridgewardend" "$@" 2>&1 \
		</dev/null) || status=$?
	[[ $status != 0 ]] || lab_fail "$what: exit status 0"
	[[ $status != 124 && $status != 137 ]] || lab_fail "$what: still running after ten seconds"
	((status < 128)) || lab_fail "$what: died by a signal ($status): $said"
	grep -qiE -- "$pattern" <<<"$said" || lab_fail "$what: no match for '$pattern' in: $said"
	lab_equal "$what: the host" "$BEFORE" "$(state_of_host)"
	lab_say "   $what: $(tail -n 1 <<<"$said")"
}

bad_policies() {
	printf 'version: 1\nmode: enforce\nrules:\n- name: a\n   from: [b\n' >"$LAB_DIR/broken.yaml"
	refuses "broken YAML" 'broken\.yaml:[0-9]+:[0-9]+' -- --config "$LAB_DIR/broken.yaml" "${COMMON[@]}"
	printf 'version: 1\nmode: enforce\nrulez: []\n' >"$LAB_DIR/unknown.yaml"
	refuses "an unknown key" 'unknown\.yaml:3:1.*rulez' -- --config "$LAB_DIR/unknown.yaml" "${COMMON[@]}"
	refuses "an unknown key, the remedy" 'did you mean.*rules' -- --config "$LAB_DIR/unknown.yaml" "${COMMON[@]}"
	refuses "a missing file" 'no-such\.yaml.*no such file' -- --config "$LAB_DIR/no-such.yaml" "${COMMON[@]}"
	head -c 4096 /dev/urandom >"$LAB_DIR/noise.yaml"
	refuses "noise" 'noise\.yaml' -- --config "$LAB_DIR/noise.yaml" "${COMMON[@]}"
}

bad_surroundings() {
	refuses "no Docker" '/no/docker\.sock.*(docker|no such file)' -- --config "$LAB_POLICY" \
		--runtime-dir "$LAB_DIR/bw/run" --docker-host unix:///no/docker.sock
	refuses "no privileges" 'root|CAP_NET_ADMIN|privilege' \
		setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --inh-caps=-all -- \
		--config "$LAB_POLICY" --runtime-dir "$LAB_DIR/nobody" --docker-host "unix://$LAB_SOCK"
	refuses "an unknown option" '--frobnicate' -- --config "$LAB_POLICY" --frobnicate "${COMMON[@]}"
}

second_daemon() {
	lab_bw_up
	BEFORE=$(state_of_host)
	refuses "a second daemon in the same directory" 'already|in use|running' -- \
		--config "$LAB_POLICY" "${COMMON[@]}"
	refuses "a second daemon on the same queues" 'queue|already|in use' -- --config "$LAB_POLICY" \
		--runtime-dir "$LAB_DIR/bw/run2" --docker-host "unix://$LAB_SOCK"
	lab_bw_ready || lab_fail "the first daemon is no longer ready"
	lab_ok "the first daemon goes on"
	lab_bw_down
}

# A reload of a broken file keeps the policy that was there.
bad_reload() {
	local generation
	lab_bw_up
	generation=$(lab_bw_field generation)
	printf 'rulez: []\n' >>"$LAB_POLICY"
	lab_bw reload >"$LAB_DIR/reload" 2>&1 && lab_fail "reload of a broken policy succeeded"
	lab_contains "reload" "$(<"$LAB_DIR/reload")" "rulez"
	lab_equal "the generation" "$generation" "$(lab_bw_field generation)"
	lab_bw_down
}

lab_need setpriv
lab_have_bw
lab_up
lab_network t_default --label com.docker.compose.project=t
lab_policy <<'YAML'
version: 1
mode: enforce
manage: [project:t]
YAML
COMMON=(--runtime-dir "$LAB_DIR/bw/run" --docker-host "unix://$LAB_SOCK")
mkdir -m 750 "$LAB_DIR/nobody" && chown 65534:65534 "$LAB_DIR/nobody"
BEFORE=$(state_of_host)
CLEAN=$BEFORE
bad_policies
bad_surroundings
second_daemon
bad_reload
lab_equal "the host at the end" "$CLEAN" "$(state_of_host)"
