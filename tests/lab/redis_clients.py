#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""redis_clients.py HOST: what applications do with Python's library for Redis; ends with "all well"."""
import sys
import threading

import redis


def values(r):
    with r.pipeline(transaction=True) as p:
        for i in range(200):
            p.set(f"py:{i}", "v" * i)
        p.get("py:7")
        assert p.execute()[-1] == b"v" * 7
    with r.pipeline(transaction=False) as p:
        for i in range(500):
            p.incr("py:counter")
        assert p.execute()[-1] >= 500
    r.set("py:large", b"x" * 3_000_000)
    assert len(r.get("py:large")) == 3_000_000
    assert r.transaction(lambda p: (p.multi(), p.incr("py:watched")), "py:watched") == [1]


def scripts(r):
    add = r.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert add(keys=["py:sum"], args=[5]) == 5
    assert add(keys=["py:sum"], args=[5]) == 10
    assert r.eval("return {1, {2, 'x'}}", 0) == [1, [2, b"x"]]


def kinds(r):
    r.xadd("py:stream", {"f": "v"})
    assert len(r.xread({"py:stream": 0})) == 1
    r.zadd("py:zset", {"a": 1, "b": 2})
    assert r.zrange("py:zset", 0, -1, withscores=True) == [(b"a", 1.0), (b"b", 2.0)]
    threading.Timer(.3, lambda: redis.Redis(r.connection_pool.connection_kwargs["host"]).lpush("py:list", "late")).start()
    assert r.blpop("py:list", timeout=5) == (b"py:list", b"late")
    assert r.sort("py:zset", alpha=True, desc=True) == [b"b", b"a"]
    assert sum(1 for _ in r.scan_iter("py:*", count=50)) > 200


def subscriptions(r):
    """On one connection to and fro, and an answer that looks like a message between."""
    p = r.pubsub()
    for turn in range(3):
        p.subscribe("py:channel", f"py:{turn}")
        p.psubscribe("py:*")
        got = [p.get_message(timeout=5)["type"] for _ in range(3)]
        assert got == ["subscribe", "subscribe", "psubscribe"], got
        r.publish("py:channel", "hello")
        assert {p.get_message(timeout=5)["type"] for _ in range(2)} == {"message", "pmessage"}
        p.ping()
        assert p.get_message(timeout=5)["type"] == "pong"
        p.unsubscribe()
        p.punsubscribe()
        assert [p.get_message(timeout=5)["type"] for _ in range(3)].count("punsubscribe") == 1
    p.close()


def main():
    r = redis.Redis(sys.argv[1], socket_timeout=10)
    for part in (values, scripts, kinds, subscriptions):
        part(r)
    named = redis.Redis(sys.argv[1], db=5, username="bob", password="pw", client_name="named", health_check_interval=1)
    assert named.acl_whoami() == "bob" or named.acl_whoami() == b"bob"
    named.set("py:five", "5")
    print("all well")


main()
