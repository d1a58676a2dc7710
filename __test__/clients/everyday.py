"""Everyday work with redis-py against a server: prints what it was answered, a line each.

    python everyday.py PORT PROTOCOL

Two servers that are the same to a client answer alike: nothing here depends on the time, or on who
comes first.
"""

import sys
import threading

import redis
from redis.exceptions import LockError, RedisError, WatchError

PORT, PROTOCOL = int(sys.argv[1]), int(sys.argv[2])


def connect(**options):
    return redis.Redis(port=PORT, protocol=PROTOCOL, decode_responses=True, **options)


def shown(answer):
    """An answer as text, the same for equal ones: sets have no order, nor do maps."""
    if isinstance(answer, dict):
        return "{" + ", ".join(sorted(f"{shown(k)}: {shown(v)}" for k, v in answer.items())) + "}"
    if isinstance(answer, (set, frozenset)):
        return "set(" + ", ".join(sorted(map(shown, answer))) + ")"
    if isinstance(answer, (list, tuple)):
        return "[" + ", ".join(map(shown, answer)) + "]"
    return f"{type(answer).__name__}: {answer}" if isinstance(answer, Exception) else repr(answer)


def say(what, answer):
    print(f"{what} -> {shown(answer)}", flush=True)


def ask(client, name, *words, **options):
    """Asks twice: the second answer may come from a memory, and is the same for a read."""
    try:
        answer = getattr(client, name)(*words, **options)
    except RedisError as error:
        answer = error
    say(f"{name} {words} {options or ''}", answer)
    return answer


def read(client, name, *words, **options):
    """Asks again and again: the answer is the same, wherever it comes from."""
    first = ask(client, name, *words, **options)
    for _ in range(3):
        again = getattr(client, name)(*words, **options)
        assert shown(again) == shown(first), (name, words, first, again)


def strings(r):
    ask(r, "set", "a", "1")
    read(r, "get", "a")
    ask(r, "set", "a", "2", get=True)
    read(r, "get", "a")
    ask(r, "incrby", "a", 5)
    ask(r, "incrbyfloat", "a", 0.5)
    read(r, "get", "a")
    ask(r, "append", "a", "xyz")
    read(r, "strlen", "a")
    read(r, "getrange", "a", 1, 3)
    ask(r, "setrange", "a", 1, "--")
    ask(r, "mset", {"m1": "1", "m2": "2"})
    read(r, "mget", "m1", "m2", "m3")
    ask(r, "msetnx", {"m3": "3", "m4": "4"})
    ask(r, "getdel", "m4")
    ask(r, "setex", "e", 1000, "v")
    ask(r, "getex", "e", persist=True)
    ask(r, "ttl", "e")
    ask(r, "setbit", "bits", 7, 1)
    read(r, "getbit", "bits", 7)
    read(r, "bitcount", "bits")
    read(r, "bitpos", "bits", 1)
    ask(r, "bitop", "NOT", "flipped", "bits")
    read(r, "get", "m1")
    ask(r, "lpush", "a", "wrong")
    read(r, "exists", "a", "m1", "none")
    read(r, "type", "a")
    ask(r, "rename", "m1", "m5")
    read(r, "get", "m1")
    ask(r, "copy", "m5", "m6")
    ask(r, "delete", "m5", "m6")
    ask(r, "unlink", "m2")
    ask(r, "pfadd", "pf", "a", "b", "c")
    read(r, "pfcount", "pf")
    raw = redis.Redis(port=PORT, protocol=PROTOCOL)
    raw.set(b"\x00\xff\r\n", bytes(range(256)))
    read(raw, "get", b"\x00\xff\r\n")


def collections(r):
    ask(r, "hset", "h", mapping={"f": "1", "g": "2"})
    read(r, "hgetall", "h")
    read(r, "hget", "h", "f")
    read(r, "hmget", "h", ["f", "none"])
    read(r, "hlen", "h")
    read(r, "hexists", "h", "g")
    read(r, "hstrlen", "h", "g")
    ask(r, "hincrbyfloat", "h", "f", 1.5)
    read(r, "hget", "h", "f")
    ask(r, "hdel", "h", "f")
    read(r, "hkeys", "h")
    read(r, "hvals", "h")
    ask(r, "rpush", "l", *"abcdef")
    read(r, "lrange", "l", 0, -1)
    read(r, "lindex", "l", 2)
    read(r, "lpos", "l", "c")
    ask(r, "lmove", "l", "l2", "LEFT", "RIGHT")
    ask(r, "lmpop", 2, "none", "l", direction="RIGHT", count=2)
    ask(r, "linsert", "l", "before", "c", "new")
    read(r, "lrange", "l", 0, -1)
    read(r, "llen", "l2")
    ask(r, "sadd", "s", "a", "b", "c")
    ask(r, "sadd", "s2", "b", "d")
    read(r, "smembers", "s")
    read(r, "sismember", "s", "a")
    read(r, "smismember", "s", ["a", "z"])
    read(r, "sinter", "s", "s2")
    read(r, "sunion", "s", "s2")
    read(r, "sdiff", "s", "s2")
    read(r, "sintercard", 2, ["s", "s2"])
    ask(r, "sinterstore", "s3", "s", "s2")
    read(r, "scard", "s3")
    ask(r, "zadd", "z", {"a": 1, "b": 2.5, "c": 3})
    read(r, "zrange", "z", 0, -1, withscores=True)
    read(r, "zrange", "z", 0, -1, desc=True)
    read(r, "zrangebyscore", "z", 2, "+inf", withscores=True)
    read(r, "zrevrange", "z", 0, 1, withscores=True)
    read(r, "zscore", "z", "b")
    read(r, "zmscore", "z", ["a", "none"])
    read(r, "zrank", "z", "c")
    read(r, "zcount", "z", 1, 2)
    read(r, "zcard", "z")
    ask(r, "zincrby", "z", 4, "a")
    ask(r, "zadd", "z", {"a": 9}, gt=True, ch=True)
    read(r, "zscore", "z", "a")
    ask(r, "zpopmin", "z")
    ask(r, "zunionstore", "z2", {"z": 2, "s": 1})
    read(r, "zrange", "z2", 0, -1, withscores=True)
    read(r, "zdiff", ["z2", "z"], withscores=True)
    ask(r, "geoadd", "geo", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"))
    read(r, "geopos", "geo", "Palermo", "none")
    read(r, "geodist", "geo", "Palermo", "Catania", unit="km")
    read(r, "geohash", "geo", "Palermo")
    where = {"longitude": 15, "latitude": 37, "radius": 200, "unit": "km", "sort": "ASC"}
    read(r, "geosearch", "geo", withdist=True, withcoord=True, **where)
    ask(r, "sort", "l", alpha=True, desc=True)
    ask(r, "object", "encoding", "h")


def transactions(r):
    with r.pipeline(transaction=False) as pipe:
        for n in range(200):
            pipe.set(f"p{n}", n).get(f"p{n}").incr(f"p{n}").get(f"p{n}")
        say("pipeline", pipe.execute())
    with r.pipeline() as pipe:
        pipe.set("t", 1).incr("t").get("t").hgetall("h").zscore("z", "a").mget("t", "none")
        say("transaction", pipe.execute())
    with r.pipeline() as pipe:
        pipe.set("t", "x").incr("t").get("t")
        say("with an error", pipe.execute(raise_on_error=False))
    other = connect()
    with r.pipeline() as pipe:
        pipe.watch("t")
        say("watched", pipe.get("t"))
        other.set("t", "other")
        pipe.multi()
        pipe.set("t", "mine")
        try:
            say("exec", pipe.execute())
        except WatchError:
            say("exec", "refused")
    say("t", r.get("t"))

    def doubled(pipe):
        value = int(pipe.get("n") or 1)
        pipe.multi()
        pipe.set("n", value * 2)

    for _ in range(3):
        say("transaction()", r.transaction(doubled, "n"))
    say("n", r.get("n"))
    with r.pipeline() as pipe:
        pipe.watch("t")
        pipe.unwatch()
        pipe.get("t")
        say("unwatched", pipe.execute())


def scripts(r):
    say("eval", r.eval("return {KEYS[1], ARGV[1], 3, false}", 1, "k", "v"))
    say("eval writes", r.eval("return redis.call('set', KEYS[1], ARGV[1])", 1, "k", "v"))
    read(r, "get", "k")
    sha = ask(r, "script_load", "return redis.call('incrby', KEYS[1], ARGV[1])")
    say("evalsha", [r.evalsha(sha, 1, "count", 3) for _ in range(3)])
    read(r, "get", "count")
    ask(r, "script_exists", sha, "f" * 40)
    ask(r, "evalsha", "f" * 40, 0)
    add = r.register_script("return redis.call('hincrby', KEYS[1], ARGV[1], ARGV[2])")
    say("registered", [add(keys=["h"], args=["n", 2]) for _ in range(2)])
    r.script_flush()
    say("after a flush", add(keys=["h"], args=["n", 2]))
    with r.pipeline() as pipe:
        add(keys=["h"], args=["n", 1], client=pipe)
        pipe.hget("h", "n")
        say("in a pipeline", pipe.execute())
    ask(r, "eval", "return redis.error_reply('MINE because')", 0)
    ask(r, "eval_ro", "return redis.call('get', KEYS[1])", 1, "k")
    library = "#!lua name=lib\nredis.register_function('twice', function(k, a) return a[1] * 2 end)"
    ask(r, "function_load", library, replace=True)
    ask(r, "fcall", "twice", 0, 21)
    ask(r, "function_delete", "lib")


def streams(r):
    for n in range(1, 5):
        ask(r, "xadd", "x", {"n": n}, id=f"{n}-0")
    read(r, "xlen", "x")
    read(r, "xrange", "x")
    read(r, "xrevrange", "x", count=2)
    ask(r, "xread", {"x": "2-0"})
    ask(r, "xgroup_create", "x", "g", id="0")
    ask(r, "xgroup_create", "x", "g", id="0")
    ask(r, "xreadgroup", "g", "me", {"x": ">"}, count=2)
    ask(r, "xreadgroup", "g", "you", {"x": ">"}, block=1000)
    ask(r, "xack", "x", "g", "1-0")
    ask(r, "xpending", "x", "g")
    ask(r, "xclaim", "x", "g", "you", 0, ["2-0"], justid=True)
    ask(r, "xautoclaim", "x", "g", "me", 0, justid=True)
    ask(r, "xtrim", "x", maxlen=3, approximate=False)
    ask(r, "xdel", "x", "4-0")
    ask(r, "xread", {"x": "$"}, block=10)

    def later():
        connect().xadd("x2", {"late": "1"}, id="1-1")

    helper = threading.Thread(target=later)
    helper.start()
    say("waited for", r.xread({"x2": "0"}, block=60_000))
    helper.join()


def waiting(r):
    helper = threading.Thread(target=lambda: connect().rpush("q", "one", "two"))
    helper.start()
    say("blpop", r.blpop("q", timeout=60))
    say("brpop", r.brpop(["none", "q"], timeout=60))
    helper.join()
    say("nothing comes", r.blpop("q", timeout=0.05))
    r.zadd("bz", {"a": 1})
    say("bzpopmin", r.bzpopmin("bz", timeout=60))
    r.rpush("q", "three")
    say("blmove", r.blmove("q", "done", 60, "LEFT", "RIGHT"))
    read(r, "lrange", "done", 0, -1)


def messages(r):
    with r.pubsub() as ear:
        ear.subscribe("news", "other")
        ear.psubscribe("n*")
        heard = [ear.get_message(timeout=60) for _ in range(3)]
        say("subscribed", heard)
        ask(r, "publish", "news", "calm")
        heard = sorted(shown(ear.get_message(timeout=60)) for _ in range(2))
        say("heard", heard)
        ear.unsubscribe("other")
        say("unsubscribed", ear.get_message(timeout=60))
        ear.ping()
        say("pong", ear.get_message(timeout=60))
    done = threading.Event()
    told = []

    def hear(message):
        told.append(message["data"])
        if len(told) == 100:
            done.set()

    ear = r.pubsub(ignore_subscribe_messages=True)
    ear.subscribe(**{"work": hear})
    thread = ear.run_in_thread(sleep_time=0.01)
    while not r.pubsub_numsub("work")[0][1]:
        pass
    for n in range(100):
        r.publish("work", n)
    assert done.wait(60)
    thread.stop()
    thread.join()
    say("all of them, in their order", told)


def scans(r):
    r.mset({f"scan:{n}": "x" for n in range(500)})
    say("scan_iter", sorted(r.scan_iter("scan:*", count=50)))
    r.hset("sh", mapping={f"f{n}": n for n in range(1000)})
    say("hscan_iter", sorted(r.hscan_iter("sh", count=100)))
    r.sadd("ss", *range(1000))
    say("sscan_iter", sorted(r.sscan_iter("ss", count=100)))
    r.zadd("sz", {f"m{n}": n for n in range(1000)})
    say("zscan_iter", sorted(r.zscan_iter("sz", count=100)))
    say("by type", sorted(r.scan_iter("s[hsz]", _type="hash")))
    say("keys", sorted(r.keys("s?")))


def locks(r):
    lock = r.lock("lock", timeout=60)
    say("acquired", lock.acquire(blocking=False))
    other = connect().lock("lock", timeout=60)
    say("refused", other.acquire(blocking=False))
    say("owned", [lock.owned(), other.owned()])
    say("extended", lock.extend(60))
    lock.release()
    try:
        lock.release()
    except LockError as error:
        say("released twice", type(error).__name__)
    counted = connect()

    def work():
        mine = connect()
        for _ in range(10):
            with mine.lock("lock", timeout=60, sleep=0.002, blocking_timeout=120):
                value = int(mine.get("counted") or 0)
                mine.set("counted", value + 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say("nobody came between", counted.get("counted"))


def connections(r):
    ask(r, "ping")
    ask(r, "echo", "hello")
    ask(r, "client_setname", "me")
    ask(r, "client_getname")
    second = connect(db=2)
    second.set("in", "second")
    read(second, "get", "in")
    read(r, "get", "in")
    ask(r, "swapdb", 0, 2)
    say("swapped", [r.get("in"), second.get("in")])
    ask(r, "swapdb", 0, 2)
    ask(second, "flushdb")
    read(second, "get", "in")
    ask(r, "dbsize")
    ask(r, "execute_command", "NO-SUCH", "word")
    ask(r, "execute_command", "GET")
    pool = redis.ConnectionPool(port=PORT, protocol=PROTOCOL, max_connections=4)
    say("a pool", [redis.Redis(connection_pool=pool).incr("pooled") for _ in range(8)])


def main():
    r = connect()
    r.flushall()
    r.script_flush()
    for part in (
        strings,
        collections,
        transactions,
        scripts,
        streams,
        waiting,
        messages,
        scans,
        locks,
        connections,
    ):
        print(f"# {part.__name__}", flush=True)
        part(r)
    r.flushall()


main()
