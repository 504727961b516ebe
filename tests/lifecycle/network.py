"""The network: frames between a container and a namespace at the other end of a cable."""

import platform
import socket
import subprocess

from cable import Link, in_namespace, ping_inside, run, shape, transfer
from command import ours
from harness import expect, expect_in


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
