"""redis, with redis-benchmark at the other end."""

from harness import expect, expect_in
from place import Place

TESTS = "ping_mbulk,set,get,lpush,rpop,zadd,lrange_100,mset"


def test_benchmark(box):
    place = Place(box)
    place.contain()
    requests = 400 if box.mode == "ring0" else 2000
    for server, client, *addresses in place.sides():
        place.serve(server("redis-server", "--port", "6379", "--bind", "*", "-::*", "--protected-mode", "no", "--save", "", "--dir", "/tmp"))
        for address in addresses:
            place.wait_for_port(client, address, 6379)
            ask = ("redis-cli", "-h", address)
            expect(place.ask(client(*ask, "flushall")), "OK\n")
            for more in ([], ["-P", "16"], ["-d", "20000", "-P", "4"]):
                said = place.ask(client("redis-benchmark", "-h", address, "-n", str(requests), "-c", "50", "-r", "1000", "--csv",
                                        "-t", "set,get" if "-d" in more else TESTS, *more), 300)
                expect("rror" in said, False, said)
                expect_in('"SET"', said)
            # As many as were put in are there.
            expect(place.ask(client(*ask, "del", "n")) in ("0\n", "1\n"), True)
            count = "for i in $(seq 1000); do echo incr n; done | redis-cli -h %s | tail -n 1" % address
            expect(place.ask(client("bash", "-c", count)), "1000\n")
            expect(place.ask(client(*ask, "info", "clients")).splitlines()[1], "connected_clients:1")


def test_large_values_and_subscribers(box):
    place = Place(box)
    place.contain()
    script = """
import socket, sys, hashlib
host = sys.argv[1]
def command(f, *words):
    f.write(b"*%d\\r\\n" % len(words) + b"".join(b"$%d\\r\\n%s\\r\\n" % (len(w), w) for w in words)); f.flush()
def reply(f):
    line = f.readline()
    if line[:1] == b"$":
        n = int(line[1:]); data = f.read(n + 2)[:-2]; return data
    if line[:1] == b"*":
        return [reply(f) for _ in range(int(line[1:]))]
    return line.strip()
def connect():
    return socket.create_connection((host, 6379), 100).makefile("rwb")
one = connect()
big = bytes(i * 31 % 256 for i in range(3_000_000))
command(one, b"set", b"big", big); print(reply(one))
command(one, b"get", b"big"); print(reply(one) == big)
listeners = [connect() for _ in range(30)]
for f in listeners:
    command(f, b"subscribe", b"news"); reply(f)
for n in range(50):
    command(one, b"publish", b"news", b"%d" % n); assert reply(one) == b":30"
print(all([reply(f)[2] for _ in range(50)] == [b"%d" % n for n in range(50)] for f in listeners))
"""
    for server, client, *addresses in place.sides():
        place.serve(server("redis-server", "--port", "6379", "--bind", "*", "-::*", "--protected-mode", "no", "--save", "", "--dir", "/tmp"))
        for address in addresses:
            place.wait_for_port(client, address, 6379)
            expect(place.ask(client("python3", "-c", script, address), 200), "b'+OK'\nTrue\nTrue\n", address)
