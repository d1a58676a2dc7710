"""Everyday work with redis-py's RedisCluster: prints what it was answered, a line each.

    python cluster.py PORT PROTOCOL

A cluster and a node in front of one answer alike.
"""

import sys

from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisError

PORT, PROTOCOL = int(sys.argv[1]), int(sys.argv[2])
KEYS = [f"k{n}" for n in range(40)]


def say(what, answer):
    if isinstance(answer, (set, frozenset)):
        answer = sorted(answer)
    if isinstance(answer, dict):
        answer = sorted(answer.items())
    print(f"{what} -> {answer!r}", flush=True)


def main():
    r = RedisCluster(
        startup_nodes=[ClusterNode("127.0.0.1", PORT)], protocol=PROTOCOL, decode_responses=True
    )
    for n, key in enumerate(KEYS):
        say(f"set {key}", r.set(key, n))
    for _ in range(2):
        for key in KEYS:
            say(f"get {key}", r.get(key))
    say("mget", r.mget("{a}1", "{a}2"))
    say("mset", r.mset({"{a}1": 1, "{a}2": 2}))
    say("mget", r.mget("{a}1", "{a}2"))
    say("mget_nonatomic", r.mget_nonatomic(*KEYS))
    say("mset_nonatomic", all(r.mset_nonatomic({key: "x" for key in KEYS})))
    say("delete", r.delete(*KEYS[:10]))
    say("exists", r.exists(*KEYS))
    say("hset", r.hset("h", mapping={"f": "1", "g": "2"}))
    say("hgetall", r.hgetall("h"))
    say("zadd", r.zadd("z", {"a": 1, "b": 2}))
    say("zrange", [tuple(pair) for pair in r.zrange("z", 0, -1, withscores=True)])
    say("incr", [r.incr("n") for _ in range(3)])
    say("script", r.eval("return {KEYS[1], ARGV[1]}", 1, "k1", "v"))
    say("loaded", r.register_script("return redis.call('get', KEYS[1])")(keys=["k20"]))
    with r.pipeline() as pipe:
        for key in KEYS[:5]:
            pipe.set(key, "p").get(key)
        say("pipeline", pipe.execute())
    say("keys", sorted(r.keys("k*", target_nodes=RedisCluster.PRIMARIES)))
    say("scan", sorted(set(r.scan_iter("k*"))))
    say("dbsize", r.dbsize(target_nodes=RedisCluster.PRIMARIES))
    say("keyslot", r.cluster_keyslot("foo"))
    for what in (lambda: r.rename("k20", "k21"), lambda: r.lpush("k20", 1)):
        try:
            say("refused", what())
        except (RedisError, Exception) as error:
            say("refused", type(error).__name__)
    lock = r.lock("lock", timeout=10)
    say("lock", (lock.acquire(), lock.owned(), lock.release()))
    say("flushall", bool(r.flushall(target_nodes=RedisCluster.PRIMARIES)))
    say("empty", [r.get(key) for key in KEYS[:3]])


main()
