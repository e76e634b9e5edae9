# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The places of these tests, made with the lab's own tools but without Docker. Source it after lab/lab.sh.
#
#	client 198.18.7.2 --- bad link (bw-link) ---.
#	                                            br0 198.18.7.1 [gate] up0 --- 198.19.7.0/24 --- router --- 198.19.8.0/24 --- far .10
#	server 198.18.7.3 --- veth -----------------'
#
# IPv6: fd00:7::, fd00:8::, fd00:9:: with the same last numbers. bridgewardend runs in the gate and manages br0. With
# world_link none the client has a veth of its own, too.

WORLD_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
WORLD_MAC_CLIENT=02:00:00:00:07:02
WORLD_LINKS=()
export PYTHONDONTWRITEBYTECODE=1 # the sources stay as they are

world_need() {
	local tool
	[[ $(id -u) == 0 ]] || lab_skip "needs root (network namespaces)"
	for tool in ip nsenter setsid sysctl iptables ss /usr/bin/python3; do
		command -v "$tool" >/dev/null || lab_skip "needs '$tool'; 'tools/setup test' installs it"
	done
	[[ -c /dev/net/tun ]] || lab_skip "needs /dev/net/tun"
	lab_have_bw
	[[ -x $LAB_BUILD/tests/transparency/bw-link ]] || lab_skip "no bw-link in $LAB_BUILD; set BW_BUILD_DIR"
}

# What lab_up does, less the Docker engine. The gate takes the place of its namespace.
world_up() {
	lab_sweep
	LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/$LAB_TAG-XXXXXX")
	# shellcheck disable=SC2034 # lab.sh uses both
	LAB_POLICY=$LAB_DIR/policy.yaml
	# shellcheck disable=SC2034
	LAB_EVE=$LAB_DIR/bw/eve.json
	LAB_SOCK=$LAB_DIR/no-docker.sock
	export DOCKER_HOST=unix://$LAB_SOCK
	mkdir -p "$LAB_DIR"/{log,bw}
	chmod 755 "$LAB_DIR"
	lab_identify $$ >"$LAB_DIR/owner"
	trap lab_down EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	lab_watchdog
	lab_namespace "$LAB_NS"
	world_place client
	world_place server
	world_bridge
	world_inventory
}

world_place() {
	lab_namespace "$LAB_TAG-$1"
	LAB_HOSTS[$1]=$LAB_TAG-$1
	# What one connection learned of the path must not decide how fast the next one is.
	world_sysctl "$1" net.ipv4.tcp_no_metrics_save=1 net.ipv4.tcp_fastopen=515 net.ipv6.conf.all.router_solicitations=0 \
		net.ipv6.conf.default.accept_dad=0
}

# world_sysctl PLACE NAME=VALUE...
world_sysctl() {
	local place=$1
	shift
	lab_in "$place" sysctl -qw "$@"
}

world_bridge() {
	world_add_bridge 0 7
	world_sysctl docker net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.bridge.bridge-nf-call-iptables=0 \
		net.bridge.bridge-nf-call-ip6tables=0
	world_endpoint server 0 7 3
	world_sysctl server net.ipv4.tcp_max_syn_backlog=1024
}

# world_add_bridge NUMBER SUBNET: br0 or another one, with the server behind it
world_add_bridge() {
	ip -n "$LAB_NS" -batch - <<-IP
		link add br$1 address 02:00:00:00:0$2:01 type bridge
		link add server$1 type veth peer name eth$1 address 02:00:00:00:0$2:03 netns $LAB_TAG-server
		link set server$1 master br$1 up
		link set br$1 up
		addr add 198.18.$2.1/24 dev br$1
		addr add fd00:$2::1/64 dev br$1 nodad
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

# world_link none | OPTION=VALUE...: how the client is connected to br0
world_link() {
	if [[ $1 == none ]]; then
		ip -n "$LAB_NS" link add client0 type veth peer name eth0 address "$WORLD_MAC_CLIENT" netns "$LAB_TAG-client"
		ip -n "$LAB_NS" link set client0 master br0 up
	else
		world_bad_link 0 "$WORLD_MAC_CLIENT" "$@"
	fi
	world_endpoint client 0 7 2
}

# world_bad_link NUMBER MAC OPTION...: between the client's ethNUMBER and brNUMBER
world_bad_link() {
	local number=$1 mac=$2
	shift 2
	lab_spawn docker "link$number" "$LAB_BUILD/tests/transparency/bw-link" "$@" \
		"/run/netns/$LAB_TAG-client,eth$number,$mac" "/run/netns/$LAB_NS,client$number"
	WORLD_LINKS[number]=$LAB_SPAWNED
	lab_must_wait 5 "the link" grep -q ready "$LAB_DIR/log/link$number"
	ip -n "$LAB_NS" link set "client$number" master "br$number"
}

# world_unlink NUMBER: ends it; its own counts
world_unlink() {
	kill -TERM "${WORLD_LINKS[$1]}"
	lab_must_wait 5 "the end of the link" lab_gone "${WORLD_LINKS[$1]}"
	tail -n 1 "$LAB_DIR/log/link$1"
}

# world_route MTU: makes router and far; the way behind the router is this narrow
world_route() {
	world_place router
	world_place far
	ip -n "$LAB_NS" -batch - <<-IP
		link add up0 type veth peer name eth0 netns $LAB_TAG-router
		link set up0 up
		addr add 198.19.7.1/24 dev up0
		addr add fd00:8::1/64 dev up0 nodad
		route add 198.19.8.0/24 via 198.19.7.2
	IP
	ip -n "$LAB_TAG-router" -batch - <<-IP
		link set eth0 up
		link add down0 mtu $1 type veth peer name eth0 netns $LAB_TAG-far
		link set down0 up
		addr add 198.19.7.2/24 dev eth0
		addr add fd00:8::2/64 dev eth0 nodad
		addr add 198.19.8.1/24 dev down0
		addr add fd00:9::1/64 dev down0 nodad
		route add 198.18.7.0/24 via 198.19.7.1
		route add fd00:7::/64 via fd00:8::1
	IP
	ip -n "$LAB_TAG-far" -batch - <<-IP
		link set eth0 up
		addr add 198.19.8.10/24 dev eth0
		addr add fd00:9::10/64 dev eth0 nodad
		route add default via 198.19.8.1
		route add default via fd00:9::1
	IP
	ip -n "$LAB_NS" route add fd00:9::/64 via fd00:8::2
	world_sysctl router net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

world_inventory() {
	cat >"$LAB_DIR/inventory.yaml" <<-YAML
		endpoints:
		- {ips: [198.18.7.2, "fd00:7::2"], container: client, mac: "$WORLD_MAC_CLIENT"}
		- {ips: [198.18.7.3, "fd00:7::3"], container: server, mac: "02:00:00:00:07:03"}
		networks:
		- {name: lab, bridge: br0, subnets: [198.18.7.0/24, "fd00:7::/64"], gateways: [198.18.7.1, "fd00:7::1"]}
	YAML
}

# What every test here allows. The port says how closely it is watched: 8000 on, both sides are read; 8100 on, requests
# only, replies are left to the kernel; 8200 on, nothing but addresses count.
world_policy() {
	lab_policy <<-'YAML'
		version: 1
		mode: enforce
		manage: {interfaces: [br0]}
		docker: {enabled: false}
		inventory: inventory.yaml
		engine: {workers: 2}
		rules:
		- {name: watched, from: any, to: any, app: http, port: "8000-8099", log: all,
		   allow: [{methods: [GET, PUT], paths: ["/**"], status: "2??"}]}
		- {name: requests, from: any, to: any, app: http, port: "8100-8199", allow: [{methods: [GET, PUT], paths: ["/**"]}]}
		- {name: raw, from: any, to: any, app: tcp, port: "8200-8299", allow: true}
		- {name: cache, from: any, to: any, app: redis, port: 6379, allow: [{commands: [get, set, ping], keys: ["k:*"]}]}
		- {name: db, from: any, to: any, app: mysql, port: 3306, allow: [{verbs: [read, insert], users: [app]}]}
	YAML
}

# world_offloads PLACE LINK on|off: segmentation, receive merging, checksums
world_offloads() {
	lab_in "$1" /usr/bin/python3 "$WORLD_SOURCE/offloads.py" "$2" "$3"
}

# world_counter NAME: of all workers together
world_counter() {
	lab_bw_field "counters.$1"
}

world_violations() {
	lab_records event_type=violation || true
}
