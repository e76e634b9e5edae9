#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# kill -9 of either process under load, and an engine that is stopped. The engine: another takes its place, connections go on, nothing passes that
# is denied. The control process: the engine goes on; a new control process takes over. Both: the scope's on_failure
# says what becomes of traffic while nobody judges.
set -euo pipefail
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"

policy() {
	lab_policy <<-YAML
		version: 1
		mode: enforce
		manage: [project:t]
		defaults: {on_failure: $1}
		rules:
		- name: web
		  from: t/client
		  to: t/web
		  app: http
		  allow: [{methods: [GET], paths: ["/allowed/**"]}]
	YAML
}

servers() {
	mkdir -p "$LAB_DIR/client" "$LAB_DIR"/www/{allowed,denied}
	printf 'yes\n' >"$LAB_DIR/www/allowed/index.html"
	printf 'secret\n' >"$LAB_DIR/www/denied/index.html"
	head -c $((64 << 20)) /dev/urandom >"$LAB_DIR/www/allowed/big"
	lab_nginx web t web t_default "$LAB_DIR/www"
	lab_run client t client t_default -v "$LAB_DIR/client:/out" -- sleep 600
}

get() { lab_get client "http://web$1"; }

# load SECONDS: kept and new connections, a slow big download, and a client that asks for what is denied
load() {
	docker exec client /usr/bin/python3 /lab/traffic.py http http://web/allowed/ "$1" >"$LAB_DIR/log/traffic" 2>&1 &
	LOAD=($!)
	docker exec client curl -sS -m "$(($1 + 30))" --limit-rate 6M -o /out/big http://web/allowed/big \
		>"$LAB_DIR/log/big" 2>&1 &
	LOAD+=($!)
	docker exec client bash -c "end=\$((SECONDS + $1)); while ((SECONDS < end)); do
		curl -s -m 2 http://web/denied/; sleep 0.05; done" >"$LAB_DIR/log/denied" 2>&1 &
	LOAD+=($!)
}

# check_load WHAT: after load, waits for its end (each part is bounded in time)
check_load() {
	local want
	wait "${LOAD[@]}" || true
	lab_say "   $1: $(tail -n 1 "$LAB_DIR/log/traffic")"
	lab_contains "$1: requests" "$(<"$LAB_DIR/log/traffic")" '"allowed_failed": 0'
	want=$(sha256sum <"$LAB_DIR/www/allowed/big")
	lab_equal "$1: the download" "$want" "$(sha256sum <"$LAB_DIR/client/big")"
	lab_lacks "$1: denied answers" "$(<"$LAB_DIR/log/denied")" "secret"
}

another_engine() {
	local pid
	pid=$(lab_bw_field engine_pid)
	[[ $pid =~ ^[1-9][0-9]*$ && $pid != "$1" ]]
}

engine_killed_under_load() {
	local pid round
	load 10
	for round in 1 2 3 4 5; do
		sleep 1.5
		pid=$(lab_bw_field engine_pid)
		[[ $pid =~ ^[1-9][0-9]*$ ]] || lab_fail "round $round: no engine_pid in the status"
		kill -KILL "$pid"
		lab_must_wait 3 "another engine" another_engine "$pid"
	done
	check_load "engine killed five times"
	lab_refused "denied after it" "$(get /denied/)"
}

# Stopped, not dead: it holds its queues and answers nothing. The watchdog ends it within a second.
engine_stopped_under_load() {
	local pid round
	lab_mark
	load 8
	for round in 1 2; do
		sleep 2
		pid=$(lab_bw_field engine_pid)
		[[ $pid =~ ^[1-9][0-9]*$ ]] || lab_fail "round $round: no engine_pid in the status"
		kill -STOP "$pid"
		lab_must_wait 3 "another engine" another_engine "$pid"
	done
	check_load "engine stopped twice"
	lab_recorded "the hang" event_type=engine engine.event=hung
	lab_refused "denied after it" "$(get /denied/)"
}

control_killed_under_load() {
	local control
	load 10
	sleep 2
	control=$(lab_bw_field control_pid)
	kill -KILL "$control"
	lab_must_wait 3 "the end of the control process" lab_gone "$LAB_BW"
	sleep 2
	lab_bw_up
	check_load "control process killed and started again"
	lab_refused "denied after it" "$(get /denied/)"
	lab_equal "allowed after it" 200 "$(get /allowed/)"
}

# Its engine is stopped when the control process dies: the next one ends it and begins anew.
control_killed_engine_stopped() {
	local control engine
	control=$(lab_bw_field control_pid)
	engine=$(lab_bw_field engine_pid)
	kill -STOP "$engine"
	kill -KILL "$control"
	lab_must_wait 3 "the end of the control process" lab_gone "$LAB_BW"
	lab_bw_up
	lab_must_wait 3 "the end of the engine" lab_gone "$engine"
	lab_refused "denied after a silent engine" "$(get /denied/)"
	lab_equal "allowed after a silent engine" 200 "$(get /allowed/)"
}

# Both killed at once. The first allowed rest of time for queue sockets to close is part of the wait.
both_killed() {
	local control engine
	control=$(lab_bw_field control_pid)
	engine=$(lab_bw_field engine_pid)
	kill -KILL "$control" "$engine"
	lab_must_wait 3 "the end of both" lab_gone "$LAB_BW"
	lab_must_wait 3 "the end of the engine" lab_gone "$engine"
}

failure_closed() {
	both_killed
	lab_equal "closed: allowed page while nobody judges" timeout "$(get /allowed/)"
	lab_equal "closed: denied page while nobody judges" timeout "$(get /denied/)"
	lab_bw_up
	lab_equal "closed: allowed page again" 200 "$(get /allowed/)"
}

failure_open() {
	lab_bw_down
	policy open
	lab_bw_up
	lab_refused "open: denied page" "$(get /denied/)"
	both_killed
	lab_equal "open: denied page while nobody judges" 200 "$(get /denied/)"
	lab_bw_up
	lab_refused "open: denied page again" "$(get /denied/)"
}

lab_need nginx
lab_have_bw
lab_up
lab_network t_default --label com.docker.compose.project=t
servers
policy closed
lab_bw_up
lab_equal "allowed" 200 "$(get /allowed/)"
lab_refused "denied" "$(get /denied/)"
engine_killed_under_load
engine_stopped_under_load
control_killed_under_load
control_killed_engine_stopped
failure_closed
failure_open
lab_bw_down
lab_equal "rules left after the end" "" "$(lab_bw_rules)"
