# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The lab: a real Docker engine, real servers and real clients in network namespaces that this file makes and
# removes again. Source it; then lab_up, lab_host, lab_run, lab_exec, lab_bw_up ... and lab_down at the end.
#
#	bw-PID-docker   dockerd, its bridges and containers (198.18.0.0/16), bridgewardend
#	bw-PID-NAME     a VM or an internet host behind a veth pair (198.19.N.0/24, the docker side is .1)
#
# What must stay true:
#  - Nothing outside these namespaces is touched: no rule, sysctl, bridge or address of the machine itself.
#  - Only addresses of 198.18.0.0/15 are used.
#  - Every wait ends. A lab ends itself after LAB_LIMIT seconds.
#  - What was made is removed: on exit, on a signal, and by the next lab when this one was killed outright.
#    Processes are found by namespace and by the lab's own cgroup, never by name.

LAB_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_ROOT=$(cd "$LAB_SOURCE/../.." && pwd)
LAB_TAG=bw-$$
LAB_DIR=
LAB_NS=$LAB_TAG-docker
LAB_LIMIT=${LAB_LIMIT:-290}
LAB_BUILD=${BW_BUILD_DIR:-$LAB_ROOT/build/release}
LAB_CGROUP=bw-lab-$$
LAB_SKIPPED=77
declare -A LAB_HOSTS=()

# ---- saying and asserting ------------------------------------------------------------------------------------

lab_say() { printf '%s\n' "$*" >&2; }

lab_fail() {
	lab_say "FAIL: $*"
	lab_evidence
	exit 1
}

lab_skip() {
	lab_say "skipped: $*"
	exit "$LAB_SKIPPED"
}

# What a reader of a failed run needs, from the end of each log.
lab_evidence() {
	local log
	[[ -n $LAB_DIR ]] || return 0
	docker ps -a --filter status=exited --format '{{.Names}}' 2>/dev/null | while read -r log; do
		docker logs "$log" >"$LAB_DIR/log/container-$log" 2>&1 || true
	done
	for log in "$LAB_DIR"/bw/log "$LAB_DIR"/bw/eve.json "$LAB_DIR"/log/*; do
		[[ -s $log ]] || continue
		lab_say "---- ${log#"$LAB_DIR"/} (last lines)"
		tail -n "${LAB_EVIDENCE_LINES:-12}" "$log" | cut -c1-400 >&2
	done
}

lab_ok() { lab_say "ok: $*"; }

# lab_equal WHAT WANTED GOT
lab_equal() {
	local shown=${2:0:80}
	[[ $2 == "$3" ]] || lab_fail "$1 differs (wanted first):"$'\n'"$(diff <(printf '%s\n' "$2") <(printf '%s\n' "$3"))"
	lab_ok "$1 = ${shown%%$'\n'*}"
}

# lab_contains WHAT TEXT NEEDLE
lab_contains() {
	[[ $2 == *"$3"* ]] || lab_fail "$1: '$3' not found in: ${2:0:600}"
	lab_ok "$1 has '$3'"
}

# lab_lacks WHAT TEXT NEEDLE
lab_lacks() {
	[[ $2 != *"$3"* ]] || lab_fail "$1: '$3' found in: ${2:0:600}"
	lab_ok "$1 has no '$3'"
}

# lab_get CONTAINER URL [CURL OPTION...]: the HTTP status, or "reset", "timeout" or curl's number
lab_get() {
	local name=$1 url=$2 code status=0
	shift 2
	code=$(lab_exec "$name" curl -s -m 4 -o /dev/null -w '%{http_code}' "$@" "$url") || status=$?
	case $status in
	0) printf '%s\n' "$code" ;;
	7 | 52 | 56) printf 'reset\n' ;;
	28) printf 'timeout\n' ;;
	*) printf 'curl %s\n' "$status" ;;
	esac
}

# lab_refused WHAT ANSWER: a refusal is an answer of the protocol or a reset, and never leaves the client waiting
lab_refused() {
	[[ $2 == 403 || $2 == reset ]] || lab_fail "$1: wanted a refusal, got '$2'"
	lab_ok "$1: refused ($2)"
}

# lab_wait SECONDS COMMAND...: until the command succeeds; its failure is the caller's to report.
lab_wait() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || return 1
		sleep 0.1
	done
}

# lab_must_wait SECONDS WHAT COMMAND...
lab_must_wait() {
	local seconds=$1 what=$2
	shift 2
	lab_wait "$seconds" "$@" || lab_fail "$what: not within $seconds s ($*)"
}

# lab_need TOOL...: a missing tool or missing root is a skipped test, said aloud.
lab_need() { lab_need_plain unshare dockerd docker "$@"; }

# lab_need_plain TOOL...: the same for tests that need no Docker
lab_need_plain() {
	local tool
	[[ $(id -u) == 0 ]] || lab_skip "needs root (network namespaces, dockerd)"
	for tool in ip nsenter setsid sysctl iptables curl /usr/bin/python3 "$@"; do
		command -v "$tool" >/dev/null || lab_skip "needs '$tool'; 'tools/setup test' installs it"
	done
}

# ---- up ------------------------------------------------------------------------------------------------------

lab_up() {
	lab_begin
	mkdir -p "$LAB_DIR"/{docker,exec,image}
	lab_dockerd
	lab_image
}

# lab_begin: a folder and a namespace, and that both go away again
lab_begin() {
	lab_sweep
	LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/$LAB_TAG-XXXXXX")
	LAB_POLICY=$LAB_DIR/policy.yaml
	LAB_EVE=$LAB_DIR/bw/eve.json
	LAB_SOCK=$LAB_DIR/docker.sock
	export DOCKER_HOST=unix://$LAB_SOCK DOCKER_CONFIG=$LAB_DIR
	unset DOCKER_CONTEXT
	mkdir -p "$LAB_DIR"/{log,bw}
	chmod 755 "$LAB_DIR"
	lab_identify $$ >"$LAB_DIR/owner"
	trap lab_down EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	lab_watchdog
	lab_namespace "$LAB_NS"
}

# lab_identify PID: a pid and its start time, which together name one process for ever
lab_identify() {
	printf '%s %s\n' "$1" "$(lab_start_time "$1")"
}

# Field 22 of stat; the name in field 2 may have blanks, so count from its closing parenthesis.
lab_start_time() {
	sed -n 's/.*) //p' "/proc/$1/stat" 2>/dev/null | awk '{print $20}'
}

# Ends the test before its runner would kill it outright, so that the trap can clean up.
lab_watchdog() {
	mkfifo "$LAB_DIR/never"
	(
		trap - EXIT INT TERM HUP
		exec >/dev/null 2>&1
		read -rt "$LAB_LIMIT" <>"$LAB_DIR/never" || kill -TERM $$
	) &
	LAB_WATCHDOG=$!
}

# lab_namespace NAMESPACE
lab_namespace() {
	ip netns add "$1"
	ip -n "$1" link set lo up
}

# An engine that sees the lab's network only. Mounts are its own, so that they end with it, however it ends. The
# vfs driver needs no mounts for layers, and the image is a handful of empty directories. Everything that is started
# has a session of its own (setsid): Ctrl-C ends the script, and the script ends the rest in order.
lab_dockerd() {
	printf '{}\n' >"$LAB_DIR/daemon.json"
	setsid nsenter --net="/run/netns/$LAB_NS" unshare --mount --propagation private \
		dockerd --config-file "$LAB_DIR/daemon.json" \
		--data-root "$LAB_DIR/docker" --exec-root "$LAB_DIR/exec" --pidfile "$LAB_DIR/docker.pid" \
		-H "unix://$LAB_SOCK" --bip 198.18.0.1/24 --default-address-pool base=198.18.64.0/18,size=24 \
		--dns "${LAB_DNS:-198.19.2.53}" --userland-proxy=false --storage-driver vfs \
		--exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$LAB_CGROUP" \
		</dev/null >"$LAB_DIR/log/dockerd" 2>&1 &
	LAB_DOCKERD=$!
	disown "$LAB_DOCKERD"
	lab_must_wait 30 "the Docker engine" lab_docker_answers
	lab_docker_version
}

lab_docker_answers() {
	curl -sf --max-time 2 --unix-socket "$LAB_SOCK" http://docker/version -o "$LAB_DIR/version.json"
}

# A client newer than the engine does not always negotiate: speak the engine's own version.
lab_docker_version() {
	DOCKER_API_VERSION=$(/usr/bin/python3 -c \
		'import json,sys; print(json.load(open(sys.argv[1]))["ApiVersion"])' "$LAB_DIR/version.json")
	export DOCKER_API_VERSION
	docker version >/dev/null || lab_fail "no docker client works with API version $DOCKER_API_VERSION"
}

# A root without files: every program comes from the machine's /usr, read-only.
lab_image() {
	local root=$LAB_DIR/image link
	mkdir -p "$root"/{usr,etc,proc,sys,dev,run,tmp,var/lib,var/log,var/tmp,root,lab}
	chmod 1777 "$root/tmp" "$root/var/tmp"
	for link in bin sbin lib lib64; do
		ln -sfn "usr/$link" "$root/$link"
	done
	LAB_IMAGE=lab:1
	tar -C "$root" -c . | timeout 60 docker import - "$LAB_IMAGE" >/dev/null
}

# lab_host NAME ADDRESS [IPV6]: a machine behind a router leg of the docker namespace; its gateway is .1 of its /24
# (::1 of its /64).
lab_host() {
	local name=$1 ns=$LAB_TAG-$1 link=v-${1:0:12}
	lab_namespace "$ns"
	LAB_HOSTS[$name]=$ns
	ip -n "$LAB_NS" link add "$link" type veth peer name eth0 netns "$ns"
	lab_leg "$ns" "$link" "$2/24" "${2%.*}.1"
	[[ -z ${3:-} ]] || lab_leg "$ns" "$link" "$3/64" "${3%::*}::1"
}

# lab_leg NAMESPACE LINK ADDRESS/LENGTH GATEWAY
lab_leg() {
	local nodad=
	[[ $3 != *:* ]] || nodad=nodad
	# shellcheck disable=SC2086 # a word or none
	ip -n "$LAB_NS" addr add "$4/${3#*/}" dev "$2" $nodad
	ip -n "$LAB_NS" link set "$2" up
	# shellcheck disable=SC2086
	ip -n "$1" addr add "$3" dev eth0 $nodad
	ip -n "$1" link set eth0 up
	ip -n "$1" route add default via "$4"
}

# lab_network NAME [OPTION...]
lab_network() {
	local name=$1
	shift
	timeout 30 docker network create "$@" "$name" >/dev/null
}

# lab_bridge NETWORK: the name of its Linux bridge
lab_bridge() {
	local id
	id=$(docker network inspect -f '{{.Id}}' "$1")
	printf 'br-%s\n' "${id:0:12}"
}

# lab_run NAME PROJECT SERVICE NETWORK [DOCKER OPTION...] -- COMMAND...: a container with compose's labels and name.
lab_run() {
	local name=$1 project=$2 service=$3 network=$4 options=()
	shift 4
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	[[ $network == bridge ]] || options+=(--network-alias "$service")
	timeout 60 docker run -d --name "$name" --hostname "$name" --network "$network" \
		--label "com.docker.compose.project=$project" --label "com.docker.compose.service=$service" \
		-v /usr:/usr:ro -v /etc:/etc:ro -v "$LAB_SOURCE:/lab:ro" "${options[@]}" "$LAB_IMAGE" "$@" >>"$LAB_DIR/log/containers" ||
		lab_fail "docker run $name"
}

# lab_nginx NAME PROJECT SERVICE NETWORK DIR [DOCKER OPTION...]: serves DIR on port 80; PUT below /up/
lab_nginx() {
	local args=("${@:1:4}") dir=$5 kind temp=
	for kind in client_body proxy fastcgi uwsgi scgi; do
		temp+="${kind}_temp_path /tmp/$kind; "
	done
	cat >"$LAB_DIR/nginx.conf" <<-CONF
		daemon off;
		worker_processes 1;
		pid /tmp/nginx.pid;
		user root;
		error_log stderr;
		events { worker_connections 512; }
		http {
			access_log off;
			$temp
			keepalive_requests 100000000;
			client_max_body_size 1g;
			server { listen 80 backlog=511; listen [::]:80 backlog=511; root /www; location /up/ { dav_methods PUT; } }
		}
	CONF
	lab_run "${args[@]}" -v "$dir:/www" -v "$LAB_DIR/nginx.conf:/nginx.conf:ro" "${@:6}" -- \
		nginx -e stderr -c /nginx.conf
	lab_wait_port "$1" 80
}

# lab_address CONTAINER [NETWORK]
lab_address() {
	local filter='{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}'
	[[ -z ${2:-} ]] || filter="{{(index .NetworkSettings.Networks \"$2\").IPAddress}}"
	docker inspect -f "$filter" "$1" | awk '{print $1}'
}

# lab_netns NAME: the path of the network namespace of a host, of a container or of "docker"
lab_netns() {
	if [[ $1 == docker ]]; then
		printf '/run/netns/%s\n' "$LAB_NS"
	elif [[ -n ${LAB_HOSTS[$1]:-} ]]; then
		printf '/run/netns/%s\n' "${LAB_HOSTS[$1]}"
	else
		printf '/proc/%s/ns/net\n' "$(docker inspect -f '{{.State.Pid}}' "$1")"
	fi
}

# lab_in NAME COMMAND...: the machine's own program, in that network namespace.
lab_in() {
	local ns
	ns=$(lab_netns "$1")
	shift
	nsenter --net="$ns" -- "$@"
}

# lab_exec NAME COMMAND...: inside the container; for a host, in its namespace.
lab_exec() {
	local name=$1
	shift
	if [[ $name == docker || -n ${LAB_HOSTS[$name]:-} ]]; then
		lab_in "$name" "$@"
	else
		timeout "${LAB_EXEC_LIMIT:-60}" docker exec "$name" "$@"
	fi
}

# lab_spawn NAME LOG COMMAND...: in the background; LAB_SPAWNED is its pid (wait for it with lab_gone).
lab_spawn() {
	local ns log=$2
	ns=$(lab_netns "$1")
	shift 2
	setsid nsenter --net="$ns" -- "$@" </dev/null >"$LAB_DIR/log/$log" 2>&1 &
	LAB_SPAWNED=$!
	disown "$LAB_SPAWNED"
	lab_identify "$LAB_SPAWNED" >>"$LAB_DIR/spawned"
}

# lab_wait_port NAME PORT [SECONDS]: until something listens; looks at the socket table, sends nothing.
lab_wait_port() {
	lab_wait "${3:-30}" lab_listens "$1" "$2" || lab_fail "$1: nothing listens on port $2"
}

lab_listens() {
	local ns
	ns=$(lab_netns "$1") || return 1
	[[ -n $(nsenter --net="$ns" ss -Hltn "sport = :$2") ]]
}

# lab_tap NAME LOG FILTER...: counts packets where they arrive. Returns when it is listening.
lab_tap() {
	local name=$1 log=$2
	shift 2
	lab_spawn "$name" "$log" tcpdump -i any -n -l --immediate-mode -Z root "$@"
	lab_must_wait 10 "tcpdump in $name" grep -q '^listening on' "$LAB_DIR/log/$log"
}

# lab_tapped LOG: how many packets so far
lab_tapped() {
	sleep 0.3
	grep -cE ' IP6? ' "$LAB_DIR/log/$1" || true
}

# Segments to PORT with at least one byte of payload.
lab_payload_to() {
	printf 'tcp dst port %s and (ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2)) != 0' "$1"
}

# ---- bridgewarden in the lab ---------------------------------------------------------------------------------

lab_have_bw() {
	[[ -x $LAB_BUILD/bridgewardend && -x $LAB_BUILD/bridgewarden ]] ||
		lab_skip "no bridgewardend in $LAB_BUILD; set BW_BUILD_DIR"
}

# lab_bw_start CONFIG [OPTION...]: starts and does not wait. LAB_BW is the pid of the control process.
lab_bw_start() {
	local config=$1
	shift
	setsid nsenter --net="/run/netns/$LAB_NS" "$LAB_BUILD/bridgewardend" --config "$config" \
		--runtime-dir "$LAB_DIR/bw/run" --docker-host "unix://$LAB_SOCK" --eve "$LAB_EVE" "$@" \
		</dev/null >>"$LAB_DIR/bw/log" 2>&1 &
	LAB_BW=$!
	disown "$LAB_BW"
}

# lab_policy: standard input becomes the policy that lab_bw_up uses when none is named
lab_policy() {
	cat >"$LAB_POLICY"
}

# lab_bw_up [CONFIG [OPTION...]]: starts and waits until it is ready
lab_bw_up() {
	[[ $# -gt 0 ]] || set -- "$LAB_POLICY"
	lab_bw_start "$@"
	lab_must_wait "${LAB_BW_LIMIT:-15}" "bridgewardend" lab_bw_ready_or_dead
	lab_bw_ready || lab_fail "bridgewardend ended: $(tail -n 3 "$LAB_DIR/bw/log")"
}

lab_bw_ready() { [[ $(lab_bw_field ready) == True ]]; }
lab_bw_ready_or_dead() { lab_bw_ready || ! kill -0 "$LAB_BW"; }

# lab_bw COMMAND...: the command line program against the lab's daemon
lab_bw() {
	nsenter --net="/run/netns/$LAB_NS" timeout 20 "$LAB_BUILD/bridgewarden" --runtime-dir "$LAB_DIR/bw/run" "$@"
}

# lab_bw_field NAME: one value of the status, as Python prints it
lab_bw_field() {
	lab_bw status -o json 2>/dev/null | /usr/bin/python3 -c '
import json, sys
value = json.loads(sys.stdin.readline() or "{}")
for key in sys.argv[1].split("."):
    value = value.get(key, "") if isinstance(value, dict) else ""
print(value)' "$1"
}

lab_bw_down() {
	[[ -n ${LAB_BW:-} ]] || return 0
	kill -TERM "$LAB_BW" 2>/dev/null || true
	lab_wait 10 lab_gone "$LAB_BW" || kill -KILL "$LAB_BW" 2>/dev/null || true
	LAB_BW=
}

# True also for a process that ended and was not yet waited for.
lab_gone() {
	local state
	state=$(awk '/^State:/ {print $2}' "/proc/$1/status" 2>/dev/null) || return 0
	[[ -z $state || $state == Z ]]
}

# Rules and chains of ours in the lab's namespace, both families.
lab_bw_rules() {
	lab_in docker iptables-save -t mangle | grep BRIDGEWARDEN || true
	lab_in docker ip6tables-save -t mangle | grep BRIDGEWARDEN || true
}

# lab_mark: remembers where the records stand; lab_records prints those since.
lab_mark() {
	LAB_MARK=0
	[[ ! -e $LAB_EVE ]] || LAB_MARK=$(stat -c %s "$LAB_EVE")
}

# lab_records [KEY=VALUE...]: records since the mark whose keys (dotted) have these values
lab_records() {
	/usr/bin/python3 "$LAB_SOURCE/records.py" "$LAB_EVE" "${LAB_MARK:-0}" "$@"
}

# lab_recorded WHAT KEY=VALUE...: waits for such a record
lab_recorded() {
	local what=$1
	shift
	lab_wait 6 lab_records "$@" || lab_fail "$what: no record with $*"
	lab_ok "$what: recorded ($*)"
}

# ---- down ----------------------------------------------------------------------------------------------------

lab_down() {
	local status=$? ns
	trap - EXIT
	trap '' INT TERM HUP
	set +e
	[[ -n $LAB_DIR ]] || return "$status"
	lab_bw_down
	[[ -z ${LAB_WATCHDOG:-} ]] || kill -TERM "$LAB_WATCHDOG" 2>/dev/null
	lab_end_spawned "$LAB_DIR"
	[[ -z ${LAB_DOCKERD:-} ]] || lab_dockerd_down
	for ns in "${LAB_HOSTS[@]}" "$LAB_NS"; do
		lab_end_namespace "$ns"
	done
	lab_end_cgroup "$LAB_CGROUP"
	lab_remove_dir "$LAB_DIR"
	LAB_DIR=
	exit "$status"
}

lab_dockerd_down() {
	local ids
	ids=$(timeout 10 docker ps -aq 2>/dev/null)
	# shellcheck disable=SC2086 # a list of ids
	[[ -z $ids ]] || timeout 30 docker rm -f -v $ids >/dev/null 2>&1
	kill -TERM "$LAB_DOCKERD" 2>/dev/null
	lab_wait 10 lab_gone "$LAB_DOCKERD"
}

# lab_end_namespace NAMESPACE: its processes, by pid, then itself
lab_end_namespace() {
	local pids
	[[ -e /run/netns/$1 ]] || return 0
	pids=$(ip netns pids "$1")
	# shellcheck disable=SC2086 # a list of pids
	[[ -z $pids ]] || kill -KILL $pids 2>/dev/null
	lab_wait 5 lab_namespace_empty "$1"
	ip netns del "$1"
}

lab_namespace_empty() { [[ -z $(ip netns pids "$1") ]]; }

# lab_end_cgroup NAME: whatever a container left running, then the (then empty) directories of every hierarchy
lab_end_cgroup() {
	local dirs dir pids
	dirs=$(lab_cgroup_dirs "$1")
	[[ -n $dirs ]] || return 0
	pids=$(while read -r dir; do cat "$dir/cgroup.procs"; done <<<"$dirs" 2>/dev/null | sort -u)
	# shellcheck disable=SC2086 # a list of pids
	[[ -z $pids ]] || kill -KILL $pids 2>/dev/null
	lab_wait 5 lab_remove_cgroups "$1"
}

lab_remove_cgroups() {
	local dir
	while read -r dir; do
		[[ -z $dir ]] || rmdir "$dir" || return 1
	done <<<"$(lab_cgroup_dirs "$1")"
}

# Deepest first, in every cgroup hierarchy (version 1 has several).
lab_cgroup_dirs() {
	find /sys/fs/cgroup -mindepth 1 -maxdepth 6 -depth -type d -path "*/$1*" 2>/dev/null
}

# lab_end_spawned DIR: programs started in a container's network are in no namespace of ours by name
lab_end_spawned() {
	local pid start
	[[ -f $1/spawned ]] || return 0
	while read -r pid start; do
		[[ -z $start || $(lab_start_time "$pid") != "$start" ]] || kill -KILL "$pid" 2>/dev/null
	done <"$1/spawned"
}

# lab_remove_dir DIR: never with a mount below it
lab_remove_dir() {
	local mounts
	mounts=$(awk -v dir="$1/" 'index($2, dir) == 1 {print $2}' /proc/mounts | sort -r)
	# shellcheck disable=SC2086 # a list of paths without blanks
	[[ -z $mounts ]] || umount -l $mounts
	[[ -n ${LAB_KEEP_DIR:-} ]] || rm -rf --one-file-system "$1"
}

# lab_keep: what is up stays up when the script ends; nothing but lab_sweep_kept removes it
lab_keep() {
	printf 'kept\n' >"$LAB_DIR/owner"
	kill -TERM "$LAB_WATCHDOG" 2>/dev/null || true
	trap - EXIT INT TERM HUP
}

lab_sweep_kept() {
	local dir pid
	for dir in "${TMPDIR:-/tmp}"/bw-*-??????; do
		[[ -f $dir/owner && $(<"$dir/owner") == kept ]] || continue
		pid=${dir##*/bw-}
		lab_sweep_one "$dir" "${pid%%-*}"
	done
}

# Labs whose owner no longer lives: killed outright, or their machine's test runner gave up.
lab_sweep() {
	local dir pid
	for dir in "${TMPDIR:-/tmp}"/bw-*-??????; do
		[[ -f $dir/owner ]] || continue
		lab_owner_lives "$dir/owner" && continue
		pid=$(awk '{print $1}' "$dir/owner")
		lab_say "sweeping away what a killed lab left: $dir"
		lab_sweep_one "$dir" "$pid"
	done
}

# lab_sweep_one DIR PID
lab_sweep_one() {
	local ns
	lab_end_spawned "$1" || true
	for ns in /run/netns/bw-"$2"-*; do
		[[ ! -e $ns ]] || lab_end_namespace "${ns##*/}" || true
	done
	lab_end_cgroup "bw-lab-$2" || true
	lab_remove_dir "$1"
}

# A pid alone could be someone else's by now: its start time must be the same.
lab_owner_lives() {
	local pid start
	read -r pid start <"$1"
	[[ $pid != kept ]] || return 0
	[[ -n $start && $(lab_start_time "$pid") == "$start" ]]
}
