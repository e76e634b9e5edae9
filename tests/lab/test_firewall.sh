#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the daemon does to the host: its rules come once, come back when somebody flushes them, go when it ends; the
# bridges' own switches make bridged packets visible while the host-wide sysctl stays off. Both families.
set -euo pipefail
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"

# Chains of somebody's making and rules; the empty built-in ones come with the first look.
tables() { lab_in docker "$1" -t mangle | sed -n 's/\[[0-9:]*\]//; /^:[^ ]* -/p; /^-A/p'; }
both_tables() { tables iptables-save && tables ip6tables-save; }

# switches BRIDGE: the per-bridge netfilter switches, "1 1" when both families are on
switches() {
	lab_in docker ip -d -j link show "$1" | /usr/bin/python3 -c '
import json, sys
data = json.load(sys.stdin)[0]["linkinfo"]["info_data"]
print(data["nf_call_iptables"], data["nf_call_ip6tables"])'
}

ours() { lab_in docker "$1" -t mangle | grep -c BRIDGEWARDEN || true; }
present() { [[ $(both_tables) == "$INSTALLED" ]]; }

get() { lab_get client "http://web$1"; }

is_managed() { [[ $(switches "$(lab_bridge "$1")") == "1 1" ]]; }

is_flushed_and_returns() {
	lab_in docker "$1" -t mangle -F
	lab_must_wait 6 "our rules after $1 -F" present
	lab_ok "our rules are back after $1 -F"
	lab_in docker "$1" -t mangle -F
	lab_in docker "$1" -t mangle -X 2>/dev/null || true
	lab_must_wait 6 "our chains after $1 -X" present
	lab_ok "our chains are back after $1 -F and -X"
	lab_refused "denied after it" "$(get /denied/)"
}

lab_need nginx
lab_have_bw
lab_up
lab_in docker sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
lab_network t_default --label com.docker.compose.project=t
BRIDGE=$(lab_bridge t_default)
mkdir -p "$LAB_DIR/www/allowed" "$LAB_DIR/www/denied"
printf 'yes\n' | tee "$LAB_DIR/www/allowed/index.html" >"$LAB_DIR/www/denied/index.html"
lab_run web t web t_default -v "$LAB_DIR/www:/www:ro" -- /usr/bin/python3 -m http.server -d /www 80
lab_run client t client t_default -- sleep 600
lab_wait_port web 80
lab_policy <<'YAML'
version: 1
mode: enforce
manage: [project:t]
rules:
- name: web
  from: t/client
  to: t/web
  app: http
  allow: [{methods: [GET], paths: ["/allowed/**"]}]
YAML
BEFORE=$(both_tables)
lab_equal "the bridge's switches before" "0 0" "$(switches "$BRIDGE")"
lab_equal "denied, before" 200 "$(get /denied/)"
lab_bw_up
INSTALLED=$(both_tables)
[[ $(ours iptables-save) -gt 0 && $(ours ip6tables-save) -gt 0 ]] || lab_fail "no rules of ours in one family"
lab_equal "the bridge's switches" "1 1" "$(switches "$BRIDGE")"
lab_equal "the host-wide switch" 0 "$(lab_in docker sysctl -n net.bridge.bridge-nf-call-iptables)"
lab_refused "denied" "$(get /denied/)"
lab_equal "allowed" 200 "$(get /allowed/)"

# Nothing is added by being asked again, or by somebody else's rule beside ours.
lab_bw reload >/dev/null || lab_fail "reload"
sleep 1
lab_equal "rules after a reload" "$(sed 's/0x[0-9a-f/x]*//g' <<<"$INSTALLED")" \
	"$(both_tables | sed 's/0x[0-9a-f/x]*//g')"
INSTALLED=$(both_tables)
is_flushed_and_returns iptables
is_flushed_and_returns ip6tables

# A new network of the project is managed without a reload.
lab_network t_second --label com.docker.compose.project=t
lab_must_wait 6 "the second bridge's switches" is_managed t_second
lab_ok "the second bridge is managed"
docker network rm t_second >/dev/null

# Somebody else's rule survives our end; ours do not.
lab_in docker iptables -t mangle -A FORWARD -p udp --dport 9 -m comment --comment theirs -j ACCEPT
lab_bw_down
lab_in docker iptables -t mangle -D FORWARD -p udp --dport 9 -m comment --comment theirs -j ACCEPT ||
	lab_fail "somebody else's rule is gone"
lab_equal "the tables after the end" "$BEFORE" "$(both_tables)"
lab_equal "the bridge's switches after the end" "0 0" "$(switches "$BRIDGE")"
lab_equal "denied, after" 200 "$(get /denied/)"
