#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Real clients of Redis through the daemon: no false alarm, and records that say what was done. redis-cli in its modes,
# redis-benchmark, Python's library, a replica. Then the client asks for what the policy does not allow, so that it is the policy
# that was at work. A deny rule would refuse the replica: who knows what is in a stream that nobody reads?
#
#	client 198.18.7.2 -- br0 [bridgewardend] -- server 198.18.7.3 (redis-server)
set -euo pipefail
# shellcheck source=world.sh
. "$(dirname "$0")/world.sh"

SERVER=198.18.7.3
CLI=(redis-cli -h "$SERVER")

server_up() {
	mkdir -p "$LAB_DIR/$1"
	lab_spawn "$1" "redis-$1" redis-server --bind 0.0.0.0 --protected-mode no --save '' --dir "$LAB_DIR/$1" --port 6379
	lab_wait_port "$1" 6379
}

client() { lab_in client timeout 60 "$@"; }
cli() { client "${CLI[@]}" "$@"; }
no_alarm() {
	! lab_records event_type=violation || lab_fail "$1: a false alarm"
	lab_ok "$1: no alarm"
}

world_need_tools redis-server redis-cli redis-benchmark
world_begin
world_wire client 0 7 2
world_endpoint client 0 7 2
{
	world_policy_head ""
	cat <<-'YAML'
		- name: redis
		  from: container:client
		  to: container:server
		  app: redis
		  log: all
		  tls: any
		  allow:
		  - commands: ["@read", "@connection", "@pubsub", "@transaction", "@scripting", "@admin", "@string", "@list", "@set", "@hash",
		      "@sortedset", "@stream", "@fast", info, "acl|whoami"]
	YAML
} | lab_policy
server_up server
lab_bw_up
lab_mark

lab_equal "redis-cli" PONG "$(cli ping)"
lab_contains "redis-cli, RESP3" "$(cli -3 hgetall nothing; cli -3 hello 3)" proto
lab_equal "redis-cli -n" OK "$(cli -n 3 set k v)"
lab_recorded "the database" redis.command=set 'redis.keys=["k"]'
# shellcheck disable=SC2016 # lengths, not variables
lab_contains "redis-cli --pipe" "$(for i in $(seq 2000); do printf '*3\r\n$3\r\nSET\r\n$5\r\np%04d\r\n$1\r\nv\r\n' "$i"; done | cli --pipe)" "errors: 0, replies: 2000"
cli --rdb "$LAB_DIR/dump" >/dev/null
lab_equal "redis-cli --rdb" REDIS "$(head -c 5 "$LAB_DIR/dump")"
lab_contains "redis-cli --stat" "$(lab_in client timeout 3 stdbuf -oL "${CLI[@]}" --stat -i 1 || true)" clients
lab_contains "redis-cli --scan" "$(cli --scan --pattern 'p000*')" p0001
lab_contains "redis-cli --bigkeys" "$(cli --bigkeys)" "biggest"
no_alarm redis-cli

lab_spawn client subscriber "${CLI[@]}" subscribe news
lab_spawn client subscriber3 "${CLI[@]}" -3 psubscribe 'n*'
lab_spawn client monitor "${CLI[@]}" monitor
lab_must_wait 5 "a subscriber" grep -q subscribe "$LAB_DIR/log/subscriber"
lab_must_wait 5 "a subscriber of RESP3" grep -q subscribe "$LAB_DIR/log/subscriber3"
for i in $(seq 50); do cli publish news "item-$i" >/dev/null; done
lab_must_wait 5 "the messages" grep -q item-50 "$LAB_DIR/log/subscriber"
lab_must_wait 5 "the messages, RESP3" grep -q item-50 "$LAB_DIR/log/subscriber3"
lab_must_wait 5 "what MONITOR tells" grep -q item-50 "$LAB_DIR/log/monitor"
no_alarm "subscribers and MONITOR"

BENCH=$(client redis-benchmark -h "$SERVER" -P 16 -n 5000 -c 10 -q)
lab_contains redis-benchmark "$BENCH" "PING_INLINE"
lab_contains redis-benchmark "$BENCH" "MSET"
no_alarm redis-benchmark

if /usr/bin/python3 -c 'import redis' 2>/dev/null; then
	cli acl setuser bob on '>pw' '+@all' '~*' '&*' >/dev/null
	lab_equal "Python's library" "all well" "$(client /usr/bin/python3 "$LAB_SOURCE/redis_clients.py" "$SERVER" 2>&1 | tail -n 1)"
	lab_recorded "the login and its database" redis.command=set 'redis.keys=["py:five"]' 'redis.user=["bob"]' 'redis.db=["5"]'
	no_alarm "Python's library"
else
	lab_say "skipped: Python's library (python3-redis)"
fi

# A replica on the client's side: its link carries PSYNC, then what nobody reads.
server_up client
client redis-cli replicaof "$SERVER" 6379 >/dev/null
in_sync() { [[ $(lab_in client redis-cli get k-replica) == v ]]; }
cli set k-replica v >/dev/null
lab_must_wait 20 "a replica in sync" in_sync
lab_recorded "replication" redis.command=psync
no_alarm "a replica"

# ---- it was judged ----

lab_contains "what is denied" "$(cli flushall 2>&1 || true)" NOPERM
lab_recorded "the denial" event_type=violation redis.command=flushall
lab_mark
lab_contains "a line that is denied" "$(client /usr/bin/python3 -c 'import socket,sys
s = socket.create_connection((sys.argv[1], 6379), 5)
s.sendall(b"PING\r\nFLUSHALL\r\n")
got = b""
while more := s.recv(4096):
    got += more
print(got)' "$SERVER" 2>&1 || true)" "PONG"
lab_recorded "its denial" event_type=violation redis.command=flushall
lab_mark
client curl -s -m 5 "http://$SERVER:6379/" >/dev/null && lab_fail "HTTP was answered"
lab_recorded "HTTP to Redis" event_type=violation
lab_equal "what is left" v "$(cli get k-replica)"
