"""Names, from a resolver at the other end of the cable."""

import time

from harness import expect, expect_in
from marks import short
from place import PEER, PEER6, Place


def with_resolver(box, text=f"nameserver {PEER}\n"):
    place = Place(box)
    config = box.work / "resolv.conf"
    config.write_text(text + "options timeout:2 attempts:2\n")

    def change(config_json):
        config_json["mounts"].append({"destination": "/etc/resolv.conf", "type": "bind", "source": str(config),
                                      "options": ["bind", "ro"]})
    place.contain(change=change)
    long = "".join(f"--txt-record=long.test,{'x' * 200}{i:03}\n" for i in range(12)).split()
    place.serve(place.peer_command(
        "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", "--bind-interfaces",
        "--interface=eth0", "--host-record=both.test,10.77.0.1,fd77::1", "--host-record=four.test,10.1.2.3",
        "--cname=other.test,both.test", "--mx-host=test,mail.test,10", "--local=/test/", "--address=/refused.example/", *long))
    box.until(lambda: place.outside("dig", "+short", "@" + PEER, "four.test").out == "10.1.2.3\n", "a resolver at the peer")
    return place


LOOK_UP = """
import socket, sys
for name, family in (("both.test", 0), ("both.test", socket.AF_INET), ("both.test", socket.AF_INET6), ("four.test", 0),
                     ("other.test", socket.AF_INET), ("none.test", 0), ("four.test", socket.AF_INET6)):
    try:
        print(name, sorted({a[4][0] for a in socket.getaddrinfo(name, 80, family, socket.SOCK_STREAM)}))
    except socket.gaierror as e:
        print(name, e.args[1])
"""
FOUND = """both.test ['10.77.0.1', 'fd77::1']
both.test ['10.77.0.1']
both.test ['fd77::1']
four.test ['10.1.2.3']
other.test ['10.77.0.1']
none.test Name or service not known
four.test No address associated with hostname
"""


@short
def test_getaddrinfo(box):
    place = with_resolver(box)
    expect(place.inside("python3", "-c", LOOK_UP).ok(), FOUND)
    expect_in("10.77.0.1", place.inside("getent", "hosts", "four.test", "other.test").out + PEER)
    expect_in("HTTP", place.inside("python3", "-c", "import http.client as c; print('HTTP')").ok())


@short
def test_resolver_over_ipv6(box):
    place = with_resolver(box, f"nameserver {PEER6}\n")
    expect(place.inside("python3", "-c", LOOK_UP).ok(), FOUND)


def test_dig(box):
    place = with_resolver(box)
    for how in ([], ["+tcp"], ["@" + PEER6], ["+tcp", "@" + PEER6]):
        expect(place.inside("dig", "+short", "both.test", "AAAA", *how).ok(), "fd77::1\n", how)
        # Too much for a datagram: asked again by TCP.
        said = place.inside("dig", "+short", "+bufsize=512", "long.test", "TXT", *how).ok()
        expect(sorted(line.strip('"')[-3:] for line in said.splitlines()), [f"{i:03}" for i in range(12)], how)
    expect_in("status: NXDOMAIN", place.inside("dig", "none.test").ok())
    expect(place.inside("dig", "+short", "test", "MX").ok(), "10 mail.test.\n")
    # A port where nobody is says so at once; a host that is not there lets one wait.
    said = place.inside("dig", "+tries=1", "+time=20", "-p", "9", "@" + PEER, "four.test")
    expect_in("connection refused", said.out)
    expect(said.status, 9)
    begun = time.monotonic()
    said = place.inside("dig", "+tries=1", "+time=3", "@10.77.0.77", "four.test")
    expect(said.status, 9)
    expect(time.monotonic() - begun < 60 * box.slow, True, "an end")


def test_second_nameserver(box):
    """The first one is not there, or has nobody at the port."""
    place = with_resolver(box, f"nameserver 10.77.0.77\nnameserver {PEER}\n")
    expect_in("10.1.2.3", place.inside("getent", "ahostsv4", "four.test").ok())
