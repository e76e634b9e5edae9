# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The world of tests/lab/world.sh, whose client is behind a bad link, and a way through a router.
#
#	client 198.18.7.2 --- bad link (bw-link) ---.
#	                                            br0 198.18.7.1 [gate] up0 --- 198.19.7.0/24 --- router --- 198.19.8.0/24 --- far .10
#	server 198.18.7.3 --- veth -----------------'
#
# IPv6: fd00:7::, fd00:8::, fd00:9:: with the same last numbers. bridgewardend runs in the gate and manages br0. With
# world_link none the client has a veth of its own, too.

WORLD_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../lab/world.sh
. "$WORLD_SOURCE/../lab/world.sh"

WORLD_MAC_CLIENT=02:00:00:00:07:02
WORLD_LINKS=()
# What one connection learned of the path must not decide how fast the next one is.
WORLD_SYSCTLS+=(net.ipv4.tcp_no_metrics_save=1 net.ipv4.tcp_fastopen=515)

world_need() {
	# shellcheck disable=SC2119 # no others
	world_need_tools
	[[ -c /dev/net/tun ]] || lab_skip "needs /dev/net/tun"
	[[ -x $LAB_BUILD/tests/transparency/bw-link ]] || lab_skip "no bw-link in $LAB_BUILD; set BW_BUILD_DIR"
}

world_up() {
	world_begin
	world_sysctl server net.ipv4.tcp_max_syn_backlog=1024
}

# world_link none | OPTION=VALUE...: how the client is connected to br0
world_link() {
	if [[ $1 == none ]]; then
		world_wire client 0 7 2
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

# What every test here allows. The port says how closely it is watched: 8000 on, both sides are read; 8100 on, requests
# only, replies are left to the kernel; 8200 on, nothing but addresses count.
world_policy() {
	lab_policy < <(
		world_policy_head ""
		cat <<-'YAML'
			- {name: watched, from: any, to: any, app: http, port: "8000-8099", log: all,
			   allow: [{methods: [GET, PUT], paths: ["/**"], status: "2??"}]}
			- {name: requests, from: any, to: any, app: http, port: "8100-8199", allow: [{methods: [GET, PUT], paths: ["/**"]}]}
			- {name: raw, from: any, to: any, app: tcp, port: "8200-8299", allow: true}
			- {name: cache, from: any, to: any, app: redis, port: 6379, allow: [{commands: [get, set, ping], keys: ["k:*"]}]}
			- {name: db, from: any, to: any, app: mysql, port: 3306, allow: [{verbs: [read, insert], users: [app]}]}
		YAML
	)
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
