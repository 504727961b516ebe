"""ping, traceroute, ss, ip and tracepath's question: how large may a packet be on its way."""

import re

from cable import run, transfer
from harness import expect, expect_in
from marks import short
from place import INSIDE, INSIDE6, PEER, PEER6, Place

FAR, FAR6 = "10.99.0.2", "fd99::2"


def behind_the_peer(place, mtu=1500):
    """A third namespace, to which the peer routes."""
    far = place.namespace("f")
    run("ip", "link", "add", "name", "far", "mtu", str(mtu), "netns", place.peer, "type", "veth",
        "peer", "name", "near", "mtu", str(mtu), "netns", far)
    for namespace, device, host in ((place.peer, "far", 1), (far, "near", 2)):
        run("ip", "-n", namespace, "addr", "add", f"10.99.0.{host}/24", "dev", device)
        run("ip", "-n", namespace, "addr", "add", f"fd99::{host}/64", "dev", device, "nodad")
        run("ip", "-n", namespace, "link", "set", device, "up")
    run("ip", "-n", far, "link", "set", "lo", "up")
    run("ip", "-n", far, "route", "add", "default", "via", "10.99.0.1")
    run("ip", "-n", far, "route", "add", "default", "via", "fd99::1")
    run("ip", "netns", "exec", place.peer, "sh", "-c",
        "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
    return far


@short
def test_ping(box):
    place = Place(box)
    place.contain()
    for here, _, _, _ in place.sides():
        there, there6 = (INSIDE, INSIDE6) if here == place.peer_command else (PEER, PEER6)
        for target in (there, there6):
            for size in ("0", "56", "1472", "4000", "65000"):
                said = place.ask(here("ping", "-n", "-c", "3", "-i", "0.01", "-W", "10", "-s", size, target))
                expect_in("3 received, 0% packet loss", said, f"{target} {size}")
    said = place.inside("ping", "-n", "-c", "1", "-W", "5", "-M", "do", "-s", "1473", PEER)
    expect_in("message too long", said.out + said.err)
    expect(said.status, 1)
    # Nobody there.
    said = place.inside("ping", "-n", "-c", "1", "-W", "10", "10.77.0.9")
    expect_in("Destination Host Unreachable", said.out)
    expect(said.status, 1)


def test_traceroute(box):
    place = Place(box)
    behind_the_peer(place)
    place.contain()
    place.box.until(lambda: place.inside("ping", "-c", "1", "-W", "1", FAR6).status == 0, "the way to the far end")
    for way in ([], ["-I"], ["-T", "-p", "9"], ["-U"]):
        for target, hop in ((FAR, PEER), (FAR6, PEER6)):
            said = place.ask(place.box.manage("exec", place.name, "traceroute", "-n", "-q", "1", "-w", "5", "-m", "5", *way, target))
            hops = re.findall(r"^ *\d+  (\S+) ", said, re.MULTILINE)
            expect(hops, [hop, target], f"{way} to {target}: {said}")
    # The other way round: the container answers for itself.
    for target in (INSIDE, INSIDE6):
        said = place.ask(place.peer_command("traceroute", "-n", "-q", "1", "-w", "5", target))
        expect(re.findall(r"^ *\d+  (\S+) ", said, re.MULTILINE), [target])
    said = place.inside("ping", "-n", "-c", "1", "-t", "1", "-W", "5", FAR)
    expect_in(f"From {PEER}", said.out)
    expect_in("Time to live exceeded", said.out)


def test_a_narrow_way(box):
    """A link behind the peer takes less than the container's: routers say so, and TCP sends less."""
    place = Place(box)
    far = behind_the_peer(place, mtu=1300)
    place.contain()
    for target, size in ((FAR, 1300 - 28), (FAR6, 1300 - 48)):
        box.until(lambda: place.inside("ping", "-c", "1", "-W", "1", target).status == 0, f"the way to {target}")
        place.inside("ping", "-n", "-c", "2", "-i", "0.2", "-W", "5", "-M", "do", "-s", str(size + 1), target)
        said = place.inside("ping", "-n", "-c", "1", "-W", "5", "-M", "do", "-s", str(size), target).ok()
        expect_in("1 received", said)
        said = place.inside("ping", "-n", "-c", "1", "-W", "5", "-M", "do", "-s", str(size + 1), target)
        expect(said.status, 1, "one too large")
    receive = ("import hashlib, socket, sys\n"
               "s = socket.create_server(('::', 7000), family=socket.AF_INET6, dualstack_ipv6=True)\n"
               "print('ready', flush=True)\n"
               "for _ in range(2):\n"
               "  c, _ = s.accept(); h = hashlib.sha256(); c.settimeout(100)\n"
               "  while data := c.recv(65536): h.update(data)\n"
               "  c.sendall(h.hexdigest().encode()); c.close()\n")
    send = ("import hashlib, socket, sys\n"
            "data = bytes(i * i % 251 for i in range(300000))\n"
            "for target in sys.argv[1:]:\n"
            "  c = socket.create_connection((target, 7000)); c.sendall(data); c.shutdown(1); c.settimeout(100)\n"
            "  print(c.makefile().read() == hashlib.sha256(data).hexdigest())\n")
    server = box.start(["ip", "netns", "exec", far, "python3", "-c", receive], stdout=-1)
    expect(server.stdout.readline(), b"ready\n")
    run("ip", "netns", "exec", place.peer, "ip", "route", "flush", "cache")
    expect(place.inside("python3", "-c", send, FAR, FAR6, limit=200).ok(), "True\nTrue\n")
    server.wait()


@short
def test_ss(box):
    place = Place(box)
    place.contain()
    script = """
import socket, subprocess
four = socket.create_server(("10.77.0.2", 7001))
six = socket.create_server(("fd77::2", 7002), family=socket.AF_INET6)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("", 7003))
mine = socket.create_connection(("10.77.0.2", 7001))
theirs, _ = four.accept()
mine.send(b"unread")
def ss(*words):
    out = subprocess.run(["ss", "-H", "-n", *words], stdout=subprocess.PIPE, text=True, check=True).stdout
    return sorted(tuple(line.split()[:5]) for line in out.splitlines())
print(ss("-t", "-l"))
print(ss("-u", "-a"))
port = mine.getsockname()[1]
established = ss("-t", "state", "established")
print([tuple(w.replace(str(port), "PORT") for w in row) for row in established])
print(len(ss("-t", "dport", "=", ":7001")), len(ss("-t", "src", "10.77.0.2")), len(ss("-t", "-4")), len(ss("-t", "-6")))
out = subprocess.run(["ss", "-H", "-t", "-i", "-e", "-m", "-p", "-o"], stdout=subprocess.PIPE, text=True, check=True).stdout
for word in ("wscale:", "rto:", "mss:", "cwnd:", "python3", "skmem:", "ino:"):
    print(word, word in out)
"""
    said = place.inside("python3", "-c", script).ok().splitlines()
    expect(said[0], "[('LISTEN', '0', '128', '10.77.0.2:7001', '0.0.0.0:*'), ('LISTEN', '0', '128', '[fd77::2]:7002', '[::]:*')]")
    expect(said[1], "[('UNCONN', '0', '0', '0.0.0.0:7003', '0.0.0.0:*')]")
    expect(said[2], "[('0', '0', '10.77.0.2:PORT', '10.77.0.2:7001'), ('6', '0', '10.77.0.2:7001', '10.77.0.2:PORT')]")
    expect(said[3], "1 2 2 0")
    expect(said[4:], [word + " True" for word in ("wscale:", "rto:", "mss:", "cwnd:", "python3", "skmem:", "ino:")])


@short
def test_ip(box):
    """Changes that a container with CAP_NET_ADMIN makes, and what the network does then."""
    place = Place(box)
    place.contain()
    place.inside("ping", "-c", "1", "-W", "5", PEER).ok()
    expect_in(f"{PEER} dev eth0 lladdr", place.inside("ip", "neigh").ok())
    place.inside("ip", "addr", "add", "10.77.0.5/24", "dev", "eth0").ok()
    expect_in("1 received", place.outside("ping", "-c", "1", "-W", "10", "10.77.0.5").ok())
    expect_in("10.77.0.5", place.inside("ping", "-c", "1", "-W", "5", "-I", "10.77.0.5", PEER).ok())
    place.inside("ip", "addr", "del", "10.77.0.5/24", "dev", "eth0").ok()
    expect(place.outside("ping", "-c", "1", "-W", "2", "10.77.0.5").status, 1)
    said = place.inside("ip", "route", "get", "10.99.0.2").ok()
    expect_in("10.99.0.2 via 10.77.0.1 dev eth0 src 10.77.0.2", said)
    place.inside("ip", "route", "del", "default").ok()
    said = place.inside("ping", "-c", "1", "-W", "2", "10.99.0.2")
    expect_in("Network is unreachable", said.out + said.err)
    place.inside("ip", "route", "add", "10.99.0.0/16", "via", PEER).ok()
    expect_in("10.99.0.2 via 10.77.0.1", place.inside("ip", "route", "get", "10.99.0.2").ok())
    place.inside("ip", "route", "add", "unreachable", "10.98.0.0/16").ok()
    said = place.inside("ping", "-c", "1", "-W", "2", "10.98.0.1")
    expect_in("No route to host", said.out + said.err)
    place.inside("ip", "link", "set", "eth0", "down").ok()
    expect(place.outside("ping", "-c", "1", "-W", "2", INSIDE).status, 1)
    place.inside("ip", "link", "set", "eth0", "up").ok()
    box.until(lambda: place.outside("ping", "-c", "1", "-W", "2", INSIDE).status == 0, "the link is up again")
    said = place.inside("ip", "-s", "-j", "link", "show", "eth0").ok()
    expect_in('"packets"', said)
