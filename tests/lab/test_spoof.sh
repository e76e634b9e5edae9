#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A container that may send raw frames (Docker's default) forges its neighbour's address, MAC, ARP and ND, the
# gateway's, a server of the internet's, towards a third container, the host and a VM: none arrives, and the
# neighbour's connections go on. The policy allows the neighbour what is forged in its name, so nothing but the
# binding to its port tells them apart. The same for a machine that is no container, by the port that the inventory
# names. Frames are counted where they arrive.
set -euo pipefail
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"

EACH=100

link() { lab_in "$1" ip -j link show "${2:-eth0}" | /usr/bin/python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["address"])'; }
six() { docker inspect -f '{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}' "$1"; }

# listen WHO INTERFACE [ADDRESS]
listen() {
	lab_spawn "$1" "$1.arrived" /usr/bin/python3 "$LAB_SOURCE/forge.py" count "${@:2}"
	lab_must_wait 10 "a listener in $1" grep -q listening "$LAB_DIR/log/$1.arrived"
}

# arrived WHO MAGIC: how many since the last forget
declare -A BASE=()
counted() { grep -c "^$2" "$LAB_DIR/log/$1.arrived" || true; }
arrived() {
	sleep 0.5
	echo $(($(counted "$1" "$2") - ${BASE[$1 $2]:-0}))
}
everywhere() { echo $(($(arrived third "$1") + $(arrived vm "$1") + $(arrived docker "$1"))); }
forget() {
	local who magic
	sleep 0.5
	for who in third vm docker; do
		for magic in FORGED HONEST; do
			BASE[$who $magic]=$(counted "$who" "$magic")
		done
	done
}

# forge EACH MAC IPV4 IPV6: in the name of whom
forge() {
	lab_exec attacker /usr/bin/python3 /lab/forge.py send "$1" "vm=198.19.1.10" "outside=198.19.7.7" \
		"me.mac=$(link attacker)" "me.ip=$(lab_address attacker)" "me.ip6=$(six attacker)" \
		"victim.mac=$2" "victim.ip=$3" "victim.ip6=$4" \
		"third.mac=$(link third)" "third.ip=$(lab_address third)" "third.ip6=$(six third)" \
		"gateway.mac=$(link docker "$BRIDGE")" "gateway.ip=$GATEWAY"
}

forge_victim() { forge "$1" "$(link victim)" "$(lab_address victim)" "$(six victim)"; }
forge_machine() { forge "$1" "$(link machine)" "${MACHINE[@]}"; }

# A machine at the bridge's port vnet0.
MACHINE=(198.18.64.200 fd00:18::200)
machine() {
	lab_namespace "$LAB_TAG-machine"
	LAB_HOSTS[machine]=$LAB_TAG-machine
	ip -n "$LAB_NS" link add vnet0 type veth peer name eth0 netns "$LAB_TAG-machine"
	ip -n "$LAB_NS" link set vnet0 master "$BRIDGE" up
	ip -n "$LAB_TAG-machine" link set eth0 up
	ip -n "$LAB_TAG-machine" addr add "${MACHINE[0]}/24" dev eth0
	ip -n "$LAB_TAG-machine" addr add "${MACHINE[1]}/64" dev eth0 nodad
	ip -n "$LAB_TAG-machine" route add default via "$GATEWAY"
}

nothing_arrived() {
	local who n
	for who in third vm docker; do
		n=$(arrived "$who" FORGED)
		[[ $n == 0 ]] || lab_fail "$1: $n forged frames arrived at $who: $(grep -m 3 ^FORGED "$LAB_DIR/log/$who.arrived")"
	done
}

all_bound() { [[ $(lab_bw_field ports.bound) == "$1" && $(lab_bw_field ports.state) == ok ]]; }
all_bound_and_there() { [[ $(tables) == 2 ]] && lab_in docker nft list set bridge bridgewarden own4 | grep -q elements; }
is_answered() { [[ $(docker logs "$1" 2>/dev/null) == 200 ]]; }
tables() { lab_in docker nft list tables | grep -c bridgewarden || true; }

lab_need nft
lab_have_bw
lab_up
lab_network t_default --label com.docker.compose.project=t --ipv6 --subnet 198.18.64.0/24 --subnet fd00:18::/64
BRIDGE=$(lab_bridge t_default)
GATEWAY=198.18.64.1
lab_host vm 198.19.1.10
mkdir -p "$LAB_DIR/www"
printf 'yes\n' >"$LAB_DIR/www/index.html"
lab_run third t third t_default -v "$LAB_DIR/www:/www:ro" -- /usr/bin/python3 -c '
import http.server, functools
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
http.server.ThreadingHTTPServer(("", 80), functools.partial(Handler, directory="/www")).serve_forever()'
lab_run victim t victim t_default -- sleep 600
lab_run attacker t attacker t_default -- sleep 600
lab_wait_port third 80
machine
listen third eth0
listen vm eth0
listen docker "$BRIDGE" "$GATEWAY"

lab_policy <<'YAML'
version: 1
mode: enforce
manage: [project:t]
inventory: inventory.yaml
rules:
- name: web
  from: t/victim
  to: t/third
  app: http
  allow: [{methods: [GET], paths: ["/", "/index.html"]}]
- {name: datagrams, from: [t/victim, t/machine], to: [t/third, host, "cidr:198.19.1.10/32"], app: udp, port: 5353, allow: true}
YAML

cat >"${LAB_POLICY%/*}/inventory.yaml" <<YAML
endpoints:
- {ips: [${MACHINE[0]}, "${MACHINE[1]}"], container: machine, project: t, service: machine, networks: [t_default],
   mac: "$(link machine)", port: vnet0}
YAML

# ---- it would work ----

forge_victim 2 >/dev/null
BEFORE=$(everywhere FORGED)
((BEFORE >= 30)) || lab_fail "without bridgewarden only $BEFORE of the forged frames arrived: the test proves nothing"
lab_ok "without bridgewarden $BEFORE forged frames arrive"

# ---- it does not ----

lab_bw_up
lab_must_wait 5 "all bound to their ports" all_bound 4
lab_ok "three containers and a machine are bound to their ports"
lab_equal "tables of ours" 2 "$(tables)"
lab_exec victim curl -s -m 4 -o /dev/null http://third/ || lab_fail "the neighbour cannot reach the third"
forget
lab_spawn victim requests /usr/bin/python3 "$LAB_SOURCE/forge.py" requests 12 "http://$(lab_address third)/"
REQUESTS=$LAB_SPAWNED
TRIED=$(forge_victim "$EACH" | awk '/^total/ {print $2}')
((TRIED >= 2000)) || lab_fail "only $TRIED frames were forged"
nothing_arrived "in the neighbour's name"
lab_ok "of $TRIED forged frames none arrived at the third container, the host or the VM"
DROPPED=$(lab_bw status -o json | /usr/bin/python3 -c '
import json, sys
print(sum(json.loads(sys.stdin.readline())["ports"]["dropped"].values()))')
((DROPPED >= TRIED)) || lab_fail "only $DROPPED of $TRIED were dropped by name"
lab_contains "status" "$(lab_bw status)" "forged-arp"

# ---- and the neighbour goes on ----

lab_must_wait 20 "the neighbour's requests" lab_gone "$REQUESTS"
lab_contains "the neighbour's connection during it" "$(tail -1 "$LAB_DIR/log/requests")" " failed 0"
forget
lab_exec victim /usr/bin/python3 /lab/forge.py honest 100 "$(lab_address third)" "$(six third)" 198.19.1.10
lab_equal "honest datagrams at the third" 200 "$(arrived third HONEST)"
lab_equal "honest datagrams at the VM" 100 "$(arrived vm HONEST)"

# ---- a machine of the inventory ----

MORE=$(forge_machine 20 | awk '/^total/ {print $2}')
nothing_arrived "in the machine's name"
lab_ok "of $MORE frames forged in the name of a machine of the inventory none arrived"
TRIED=$((TRIED + MORE))
forget
lab_exec machine /usr/bin/python3 "$LAB_SOURCE/forge.py" honest 100 "$(lab_address third)" "$(six third)" 198.19.1.10
lab_equal "the machine's honest datagrams at the third" 200 "$(arrived third HONEST)"
lab_equal "the machine's honest datagrams at the VM" 100 "$(arrived vm HONEST)"
ip -n "$LAB_NS" link set vnet0 nomaster
lab_must_wait 5 "the machine's port gone" all_bound 3
forge_machine 5 >/dev/null
nothing_arrived "in the name of a machine that is off"
lab_ok "nor while its port is not there"
ip -n "$LAB_NS" link set vnet0 master "$BRIDGE"
lab_must_wait 5 "the machine's port back" all_bound 4

# ---- restarted, replaced, taken over ----

docker restart -t 0 victim third >/dev/null
lab_must_wait 10 "the restarted containers bound again" all_bound 4
lab_wait_port third 80
lab_equal "after a restart" 200 "$(lab_get victim http://third/)"
lab_in docker nft flush ruleset bridge
lab_must_wait 5 "our table back after a flush" all_bound_and_there
lab_run late t victim t_default -- curl -s -m 4 -o /dev/null -w '%{http_code}\n' http://third/
lab_must_wait 10 "the first request of a new container" is_answered late
lab_ok "the first request of a new container was answered"

lab_bw_down
lab_equal "tables of ours after the end" 0 "$(tables)"

# ---- what only observes drops nothing ----

sed -i 's/^mode: enforce/mode: observe/' "$LAB_POLICY"
lab_bw_up
lab_equal "tables of ours when nothing is enforced" 0 "$(tables)"
lab_equal "state of the ports" off "$(lab_bw_field ports.state)"
lab_bw_down

printf 'scorecard S23 tried=%s failed=0\n' "$TRIED"
