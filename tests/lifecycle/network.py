"""The network: frames between a container and a namespace at the other end of a cable."""

import json
import platform
import random
import socket
import struct
import subprocess

from cable import Link, in_namespace, ping_inside, run, shape, transfer
from command import ours
from harness import expect, expect_in
from pod import of_pod


@ours
def test_addresses_and_pings(box):
    link = Link(box)
    before = shape(lambda *words: run("ip", "netns", "exec", link.inner, *words))
    name = link.start()
    inside = shape(lambda *words: box.ask("exec", name, *words).ok())
    expect(inside[0], before[0], "addresses")
    expect(sorted(inside[1], key=str), sorted(before[1], key=str), "routes")
    for target in ("10.77.0.1", "fd77::1"):
        expect_in("2 packets received", ping_inside(box, name, target).ok())
    for target in ("10.77.0.2", "fd77::2"):
        expect_in("2 packets received", link.ping(target).ok())
    # What is not there does not answer, and nobody speaks for it.
    expect(link.ping("10.77.0.3").status, 1)


@ours
def test_tcp_moves_large_amounts_both_ways(box):
    link = Link(box)
    transfer(box, link, link.start(), (2 if box.mode == "ring0" else 100) << 20)


@ours
def test_small_mtu(box):
    link = Link(box, mtu=1280)
    name = link.start()
    expect_in("mtu 1280", box.ask("exec", name, "ip", "link", "show", "eth0").ok())
    transfer(box, link, name, (1 if box.mode == "ring0" else 20) << 20)


@ours
def test_http_server_inside(box):
    link = Link(box)
    name = link.start(["python3", "-m", "http.server", "8080", "--directory", "/usr/share"])
    fetch = ("import urllib.request, time\n"
             "for _ in range(300):\n"
             "  try: print(urllib.request.urlopen('http://10.77.0.2:8080/', timeout=10).status); break\n"
             "  except urllib.error.URLError as e:\n"
             "    if not isinstance(e.reason, ConnectionRefusedError): raise\n"
             "    time.sleep(0.1)\n")
    expect(link.at_peer("python3", "-c", fetch).ok(), "200\n")
    expect(box.status(name), "running")


ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 7))
print("ready", flush=True)
for _ in range(int(sys.argv[2])):
    data, who = s.recvfrom(70000)
    s.sendto(data, who)
"""
ASK = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
for n in map(int, sys.argv[2:]):
    data = bytes(i * 7 % 251 for i in range(n))
    s.sendto(data, (sys.argv[1], 7))
    got, who = s.recvfrom(70000)
    print(n, got == data)
"""
SIZES = ("0", "1", "1472", "1473", "9000", "60000")


@ours
def test_udp_both_ways(box):
    link = Link(box)
    name = link.start()
    right = "".join(f"{n} True\n" for n in SIZES)
    for target in ("10.77.0.2", "fd77::2"):
        inside = box.start(box.manage("exec", name, "python3", "-c", ECHO, target, str(len(SIZES))), stdout=subprocess.PIPE)
        expect(inside.stdout.readline(), b"ready\n")
        expect(link.at_peer("python3", "-c", ASK, target, *SIZES).ok(), right, target)
        inside.wait()
    for target in ("10.77.0.1", "fd77::1"):
        outside = box.start(["ip", "netns", "exec", link.peer, "python3", "-c", ECHO, target, str(len(SIZES))],
                            stdout=subprocess.PIPE)
        expect(outside.stdout.readline(), b"ready\n")
        expect(box.ask("exec", name, "python3", "-c", ASK, target, *SIZES).ok(), right, target)
        outside.wait()


# A datagram that the host's kernel would cut for a device, and over veth hands on whole.
SEGMENTS = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_UDP, 103, 1000)
s.sendto(bytes(i // 1000 for i in range(10500)), (sys.argv[1], 7))
"""
COLLECT = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 7))
print("ready", flush=True)
print([(len(d), set(d) == {i}) for i, d in ((i, s.recv(70000)) for i in range(11))] == [(1000, True)] * 10 + [(500, True)])
"""


@ours
def test_udp_segments_arrive_one_by_one(box):
    link = Link(box)
    name = link.start()
    inside = box.start(box.manage("exec", name, "python3", "-c", COLLECT, "10.77.0.2"), stdout=subprocess.PIPE)
    expect(inside.stdout.readline(), b"ready\n")
    link.at_peer("python3", "-c", SEGMENTS, "10.77.0.2").ok()
    if tuple(int(n) for n in platform.release().split(".")[:2]) >= (6, 2):
        expect(inside.stdout.readline(), b"True\n")
        inside.wait()
    else:  # such a host loses them: nothing else is lost with them
        expect_in("2 packets received", link.ping("10.77.0.2").ok())
        inside.kill()
        inside.wait()


@ours
def test_two_interfaces(box):
    link = Link(box)
    link.cable("net1", "10.78.0", "fd78:")
    name = link.start()
    for target in ("10.77.0.1", "10.78.0.1", "fd78::1"):
        expect_in("2 packets received", ping_inside(box, name, target).ok())
    for target in ("10.77.0.2", "10.78.0.2", "fd77::2"):
        expect_in("2 packets received", link.ping(target).ok())


@ours
def test_a_link_that_goes_does_no_harm(box):
    link = Link(box)
    name = link.start()
    expect_in("2 packets received", link.ping("10.77.0.2").ok())
    run("ip", "-n", link.peer, "link", "set", "eth0", "down")
    expect(ping_inside(box, name, "10.77.0.1").status, 1)
    run("ip", "-n", link.peer, "link", "set", "eth0", "up")
    box.until(lambda: link.ping("10.77.0.2").status == 0, "the link is back")
    # The namespace's own end, as somebody on the host might.
    run("ip", "-n", link.inner, "link", "set", "eth0", "down")
    expect(ping_inside(box, name, "10.77.0.1").status, 1)
    run("ip", "-n", link.inner, "link", "set", "eth0", "up")
    box.until(lambda: link.ping("10.77.0.2").status == 0, "the link is back again")
    run("ip", "-n", link.peer, "link", "del", "eth0")
    expect(ping_inside(box, name, "10.77.0.1").status, 1)
    expect(box.ask("exec", name, "echo", "alive").ok(), "alive\n")
    box.ask("delete", "--force", name).ok()


def flood(link, count):
    """Frames of random bytes, and frames that start well and end badly, from the peer."""
    def work():
        chance = random.Random(7)
        inside = json.loads(run("ip", "-n", link.inner, "-j", "link", "show", "eth0"))[0]["address"]
        mac = bytes.fromhex(inside.replace(":", ""))
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            own = raw.getsockname()[4]
            for _ in range(count):
                ether = chance.choice((0x0800, 0x86DD, 0x0806, 0x8100, 0x88CC, chance.randrange(65536)))
                size = chance.choice((0, 1, 20, 40, 46, 100, chance.randrange(1487)))
                body = bytearray(chance.randbytes(size))
                if ether == 0x0800 and size >= 20:
                    body[0] = 0x45
                    body[2:4] = struct.pack("!H", chance.choice((size, chance.randrange(65536))))
                    body[9] = chance.choice((1, 6, 17, 2, 255))
                    body[16:20] = bytes((10, 77, 0, 2))
                    if chance.random() < 0.8:
                        body[10:12] = b"\0\0"
                        total = sum(struct.unpack("!10H", body[:20]))
                        total = (total >> 16) + (total & 65535)
                        body[10:12] = struct.pack("!H", ~(total + (total >> 16)) & 65535)
                if ether == 0x86DD and size >= 40:
                    body[0] = 0x60
                    body[4:6] = struct.pack("!H", chance.choice((size - 40, chance.randrange(65536))))
                    body[6] = chance.choice((0, 6, 17, 43, 44, 58, 60))
                    body[24:40] = bytes.fromhex("fd770000000000000000000000000002")
                to = chance.choice((mac, mac, b"\xff" * 6, b"\x33\x33\0\0\0\1", chance.randbytes(6)))
                try:
                    raw.send(to + own + struct.pack("!H", ether) + body)
                except OSError:
                    pass  # the host's kernel takes none so short
        return True
    in_namespace(link.peer, work)


@ours
def test_garbage_and_floods_break_nothing(box):
    link = Link(box)
    name = link.start()
    flood(link, 3000 if box.mode == "ring0" else 100_000)
    expect_in("2 packets received", link.ping("10.77.0.2").ok())
    expect_in("2 packets received", ping_inside(box, name, "fd77::1").ok())
    transfer(box, link, name, 1 << 20)


MANY = """
import socket, sys
socks = []
for port in range(10000, 10000 + int(sys.argv[1])):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("10.77.0.2", port))
    socks.append(s)
listener = socket.create_server(("10.77.0.2", 9000), backlog=1000)
print("ready", flush=True)
sys.stdin.readline()
read = 0
for s in socks:
    s.setblocking(False)
    try:
        while True:
            read += len(s.recv(2000))
    except BlockingIOError:
        pass
print("read", read > 0, flush=True)
sys.stdin.readline()
"""


@ours
def test_a_flood_is_paid_for_by_who_it_is_for(box):
    """Thousands of sockets with full buffers: no more than the container's limit lets them, and nobody is killed for it."""
    link = Link(box)
    count, rounds, limit = (500, 30, 48 << 20) if box.mode == "ring0" else (2000, 60, 64 << 20)
    pod = link.start(change=of_pod("unused", "sandbox"))

    def change(config):
        link.change(config)
        of_pod(pod, "container")(config)
        config["linux"]["resources"] = {"memory": {"limit": limit}}
        config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 5000, "hard": 5000}]
    name, _ = box.create(["sleep", "1000"], change)
    box.ask("start", name).ok()
    inside = box.start(box.manage("exec", name, "python3", "-c", MANY, str(count)), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    expect(inside.stdout.readline(), b"ready\n")

    def used(which):
        return json.loads(box.ask("events", "--stats", which).ok())["data"]["memory"]
    before = used(name)["usage"]["usage"]

    def connect():
        return [socket.create_connection(("10.77.0.2", 9000), 30) for _ in range(200)]

    def work():
        data = b"x" * 1400
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(rounds):
                for port in range(10000, 10000 + count):
                    s.sendto(data, ("10.77.0.2", port))
        for connection in kept:
            connection.setblocking(False)
            connection.send(b"y" * 100_000)
        return True
    kept = in_namespace(link.peer, connect)
    connected = used(name)["usage"]["usage"]
    expect(connected - before > len(kept) * 1000, True, "connections that nobody has accepted")
    in_namespace(link.peer, work)
    full = used(name)
    expect((full["usage"]["usage"] - before > limit // 8, full["usage"]["usage"] < limit, full.get("oom", 0)), (True, True, 0),
           (before, full))
    # Others do not notice.
    expect_in("2 packets received", ping_inside(box, pod, "10.77.0.1").ok())
    expect_in("2 packets received", link.ping("10.77.0.2").ok())
    inside.stdin.write(b"\n")
    inside.stdin.flush()
    expect(inside.stdout.readline(), b"read True\n")
    expect(box.status(name), "running")
    for connection in kept:
        connection.close()
    inside.kill()
    inside.wait()
    box.until(lambda: used(name)["usage"]["usage"] < before, "what was received is given back")


@ours
def test_what_a_container_sends_last_arrives(box):
    link = Link(box)

    def work():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("10.77.0.1", 9))
        s.settimeout(60 * box.slow)
        config = box.config(["python3", "-c", "import socket; s = socket.socket(type=socket.SOCK_DGRAM)\n"
                             "for i in range(5): s.sendto(b'%d' % i, ('10.77.0.1', 9))"])
        link.change(config)
        process = box.start(box.run_command(config), stdin=subprocess.DEVNULL)
        got = [s.recv(10) for _ in range(5)]
        process.wait()
        return got
    expect(in_namespace(link.peer, work), [b"0", b"1", b"2", b"3", b"4"])
