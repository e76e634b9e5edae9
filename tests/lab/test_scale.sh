#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A service grows from one container to five, loses one, and its address goes to a stranger, while all of them work:
# the policy names the service only, so nothing changes and no verdict is wrong, from each container's first packet.
set -euo pipefail
# shellcheck source=lab.sh
. "$(dirname "$0")/lab.sh"

SECONDS_OF_TRAFFIC=10

# start_node N ADDRESS [SERVICE]: its traffic is its first process, so its first packet comes at once
start_node() {
	lab_run "node-$1" shop "${3:-node}" shop_default --ip "$2" -- \
		/usr/bin/python3 /lab/traffic.py redis redis "$SECONDS_OF_TRAFFIC"
}

# finished CONTAINER
finished() { [[ $(docker inspect -f '{{.State.Status}}' "$1") == exited ]]; }

# count CONTAINER KEY
count() {
	docker logs "$1" 2>/dev/null | /usr/bin/python3 -c '
import json, sys
print(json.loads(sys.stdin.readlines()[-1])[sys.argv[1]])' "$2"
}

check_node() {
	lab_must_wait 40 "node-$1" finished "node-$1"
	lab_say "   node-$1: $(docker logs "node-$1" 2>&1 | tail -n 1)"
	lab_equal "node-$1: allowed and failed" 0 "$(count "node-$1" allowed_failed)"
	lab_equal "node-$1: denied and passed" 0 "$(count "node-$1" denied_passed)"
	[[ $(count "node-$1" allowed_ok) -gt 100 ]] || lab_fail "node-$1 hardly worked"
	[[ $(count "node-$1" denied_refused) -gt 3 ]] || lab_fail "node-$1 asked for little that is denied"
}

check_stranger() {
	lab_must_wait 40 "the stranger" finished node-stranger
	lab_equal "the stranger at node-1's address: requests answered" 0 "$(count node-stranger allowed_ok)"
	lab_equal "the stranger: FLUSHALL passed" 0 "$(count node-stranger denied_passed)"
	lab_recorded "the stranger" event_type=violation verdict=deny from~stranger
}

lab_need redis-server
lab_have_bw
lab_up
lab_network shop_default --subnet 198.18.80.0/24 --label com.docker.compose.project=shop
lab_policy <<'YAML'
version: 1
mode: enforce
manage: [project:shop]
rules:
- name: node-cache
  from: shop/node
  to: shop/redis
  app: redis
  allow: [{commands: [set, get, ping]}]
YAML
lab_run redis shop redis shop_default --ip 198.18.80.10 -- redis-server --save '' --protected-mode no
lab_wait_port redis 6379
lab_bw_up
lab_mark
start_node 1 198.18.80.21
sleep 2
for n in 2 3 4 5; do
	start_node "$n" "198.18.80.2$n"
done
for n in 1 2 3 4 5; do
	check_node "$n"
done
docker rm -f node-1 >/dev/null
SECONDS_OF_TRAFFIC=3
start_node stranger 198.18.80.21 stranger
check_stranger
lab_contains "the first key" "$(lab_exec redis redis-cli GET key:1)" "value"
