# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A world without Docker, made with the lab's own tools: a bridge with a client and a server on it, in a namespace that
# routes (the gate, whose name is "docker" in lab.sh). Every place has an address of each family. The worlds of
# tests/survival and tests/transparency source it and add what lies beyond.
#
#	client 198.18.7.2 --+-- br0 198.18.7.1 [bridgewardend] ---- beyond
#	server 198.18.7.3 --'
#
# IPv6: fd00:7::2, fd00:7::3, fd00:7::1. MACs end in the same numbers. lab.sh's promises hold here, too.

# shellcheck source=lab.sh
declare -F lab_begin >/dev/null || . "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
export PYTHONDONTWRITEBYTECODE=1 # the sources stay as they are

# What every place is told by sysctl; who sources this adds to it.
WORLD_SYSCTLS=(net.ipv6.conf.all.router_solicitations=0 net.ipv6.conf.default.accept_dad=0)

# world_need_tools TOOL...
world_need_tools() {
	lab_need_plain ip6tables ss "$@"
	lab_have_bw
}

# world_begin: the gate with br0, the server on it, and a client that is not connected yet
world_begin() {
	lab_begin
	world_sysctl docker net.ipv6.conf.default.accept_dad=0 net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
	world_place client
	world_place server
	world_add_bridge 0 7
	world_endpoint server 0 7 3
	world_inventory
}

world_place() {
	lab_namespace "$LAB_TAG-$1"
	LAB_HOSTS[$1]=$LAB_TAG-$1
	world_sysctl "$1" "${WORLD_SYSCTLS[@]}"
}

# world_sysctl PLACE NAME=VALUE...
world_sysctl() {
	local place=$1
	shift
	lab_in "$place" sysctl -qw "$@"
}

# world_add_bridge NUMBER SUBNET: br0 or another one, with the server behind it
world_add_bridge() {
	ip -n "$LAB_NS" -batch - <<-IP
		link add br$1 address 02:00:00:00:0$2:01 type bridge
		link set br$1 up
		addr add 198.18.$2.1/24 dev br$1
		addr add fd00:$2::1/64 dev br$1 nodad
	IP
	world_wire server "$1" "$2" 3
}

# world_wire PLACE BRIDGE SUBNET NUMBER: its ethBRIDGE, on a port of the bridge
world_wire() {
	ip -n "$LAB_NS" -batch - <<-IP
		link add $1$2 type veth peer name eth$2 address 02:00:00:00:0$3:0$4 netns $LAB_TAG-$1
		link set $1$2 master br$2 up
	IP
}

# world_endpoint PLACE BRIDGE SUBNET NUMBER; the way to everywhere else is by br0
world_endpoint() {
	ip -n "${LAB_HOSTS[$1]}" -batch - <<-IP
		link set eth$2 up
		addr add 198.18.$3.$4/24 dev eth$2
		addr add fd00:$3::$4/64 dev eth$2 nodad
	IP
	[[ $2 == 0 ]] || return 0
	ip -n "${LAB_HOSTS[$1]}" route add default via "198.18.$3.1"
	ip -n "${LAB_HOSTS[$1]}" route add default via "fd00:$3::1"
}

world_inventory() {
	cat >"$LAB_DIR/inventory.yaml" <<-'YAML'
		endpoints:
		- {ips: [198.18.7.2, "fd00:7::2"], container: client, mac: "02:00:00:00:07:02"}
		- {ips: [198.18.7.3, "fd00:7::3"], container: server, mac: "02:00:00:00:07:03"}
		networks:
		- {name: world, bridge: br0, subnets: [198.18.7.0/24, "fd00:7::/64"], gateways: [198.18.7.1, "fd00:7::1"]}
	YAML
}

# world_policy_head [ENGINE [DEFAULTS [MODE]]]: how every policy of a world begins; its rules follow
world_policy_head() {
	cat <<-YAML
		version: 1
		mode: ${3:-enforce}
		manage: {interfaces: [br0]}
		docker: {enabled: false}
		inventory: inventory.yaml
		engine: {workers: 2${1:+, $1}}
		defaults: {${2:-}}
		rules:
	YAML
}
