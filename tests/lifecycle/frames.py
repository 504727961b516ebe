"""Frames that somebody else makes: other VLANs, other stations, garbage, floods."""

import json
import random
import socket
import struct
import subprocess

from cable import Link, in_namespace, ping_inside, run, transfer
from command import ours
from harness import expect, expect_in
from pod import of_pod


HEAR = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.77.0.2", 7))
print("ready", flush=True)
while True:
    print(s.recv(100).decode(), flush=True)
"""


def datagram(text):
    """To port 7 of the container, from its IP header on."""
    udp = struct.pack("!4H", 7, 7, 8 + len(text), 0) + text
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, bytes((10, 77, 0, 1)), bytes((10, 77, 0, 2)))
    total = sum(struct.unpack("!10H", head))
    total = (total >> 16) + (total & 65535)
    return head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 65535) + head[12:] + udp


def frames_from_peer(link, make):
    """What make(the container's station, the peer's) gives, sent as it is."""
    def work():
        mac = bytes.fromhex(json.loads(run("ip", "-n", link.inner, "-j", "link", "show", "eth0"))[0]["address"].replace(":", ""))
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            for frame in make(mac, raw.getsockname()[4]):
                raw.send(frame)
        return True
    in_namespace(link.peer, work)


@ours
def test_frames_of_other_vlans_stay_out(box):
    link = Link(box)
    name = link.start()
    inside = box.start(box.manage("exec", name, "python3", "-c", HEAR), stdout=subprocess.PIPE)
    expect(inside.stdout.readline(), b"ready\n")
    frames_from_peer(link, lambda to, by: [to + by + struct.pack("!HHH", 0x8100, vlan, 0x0800) + datagram(text)
                                           for vlan, text in ((7, b"other"), (0xE007, b"other's prior"), (0x2000, b"priority"))]
                     + [to + by + b"\x08\0" + datagram(b"plain")])
    expect([inside.stdout.readline() for _ in range(2)], [b"priority\n", b"plain\n"])
    inside.kill()
    inside.wait()


# Frames of one kind, as packet(7) sees them; then with the interface promiscuous.
WATCH = """
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5))
s.bind(("eth0", 0x88B5))
print("ready", flush=True)
text = b""
while text != b"end":
    text = s.recv(100)[14:].rstrip(b"\\0")
    print(text.decode(), flush=True)
s.setsockopt(263, 1, struct.pack("iHH8s", socket.if_nametoindex("eth0"), 1, 0, b""))
print("all", flush=True)
print(sorted(s.recv(100)[14:].rstrip(b"\\0").decode() for _ in range(2)), flush=True)
"""


@ours
def test_frames_for_others_are_for_those_who_want_all(box):
    link = Link(box)
    name = link.start()
    inside = box.start(box.manage("exec", name, "python3", "-c", WATCH), stdout=subprocess.PIPE)
    expect(inside.stdout.readline(), b"ready\n")

    def send(*texts):
        frames_from_peer(link, lambda to, by: [(b"\2other" if text == b"other" else to) + by + b"\x88\xb5" + text.ljust(50, b"\0")
                                               for text in texts])
    send(b"other", b"own")
    expect(inside.stdout.readline(), b"own\n")
    send(b"end")
    expect([inside.stdout.readline() for _ in range(2)], [b"end\n", b"all\n"])
    send(b"other", b"own")
    expect(inside.stdout.readline(), b"['other', 'own']\n")
    inside.wait()


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
