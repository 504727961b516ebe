"""Network namespaces that a test makes, joined by veth(4): what the tests of the network have in common."""

import ctypes
import itertools
import json
import os
import subprocess
import threading

from harness import Failed, expect


_serial = itertools.count()


class Link:
    """Two network namespaces and a cable between them."""

    def __init__(self, box, mtu=1500):
        self.box = box
        stem = f"lc{os.getpid()}x{next(_serial)}"
        self.inner, self.peer = stem + "i", stem + "p"
        for name in (self.inner, self.peer):
            run("ip", "netns", "add", name)
            box.at_the_end(lambda name=name: subprocess.run(["ip", "netns", "del", name], check=False,
                                                            stderr=subprocess.DEVNULL))
            run("ip", "-n", name, "link", "set", "lo", "up")
        self.cable("eth0", "10.77.0", "fd77:", mtu)
        run("ip", "-n", self.inner, "route", "add", "default", "via", "10.77.0.1")
        run("ip", "-n", self.inner, "route", "add", "default", "via", "fd77::1")
        box.network = "sandbox"

    def cable(self, name, v4, v6, mtu=1500):
        self.lay(name, mtu)
        for namespace, host in ((self.inner, 2), (self.peer, 1)):
            run("ip", "-n", namespace, "addr", "add", f"{v4}.{host}/24", "broadcast", "+", "dev", name)
            run("ip", "-n", namespace, "addr", "add", f"{v6}:{host}/64", "dev", name, "nodad")
        for namespace in (self.inner, self.peer):
            run("ip", "-n", namespace, "link", "set", name, "up")

    def lay(self, name, mtu):
        """Interfaces of that name in both namespaces, joined."""
        run("ip", "link", "add", "name", name, "mtu", str(mtu), "netns", self.inner, "type", "veth",
            "peer", "name", name, "mtu", str(mtu), "netns", self.peer)

    def change(self, config):
        for namespace in config["linux"]["namespaces"]:
            if namespace["type"] == "network":
                namespace["path"] = f"/run/netns/{self.inner}"
        for kind in config["process"]["capabilities"].values():
            kind += ["CAP_NET_RAW", "CAP_NET_ADMIN"]

    def start(self, args=("sleep", "1000"), change=None, **process):
        """A running container at the end of the cable: its id."""
        def both(config):
            self.change(config)
            if change:
                change(config)
        name, self.folder = self.box.create(list(args) if not isinstance(args, str) else args, both, **process)
        self.box.ask("start", name).ok()
        return name

    def at_peer(self, *words, namespace=None, **how):
        """A command in the peer's namespace, of the container's root file system."""
        command = ["ip", "netns", "exec", namespace or self.peer, "chroot", self.box.rootfs, *words]
        return self.box.finish(command, **how)

    def ping(self, target, namespace=None):
        return self.at_peer("busybox", "ping", "-c", "2", "-W", "5", target, namespace=namespace)


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(words)}: {done.stderr}")
    return done.stdout


def ping_inside(box, name, target):
    return box.ask("exec", name, "busybox", "ping", "-c", "2", "-W", "5", target)


def in_namespace(name, function):
    """function() on a thread in the network namespace; its result."""
    result = []

    def work():
        with open(f"/run/netns/{name}", "rb") as namespace:
            enter(namespace.fileno())
        result.append(function())
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if not result:
        raise Failed(f"nothing came of work in {name}")
    return result[0]


def enter(fd):
    if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def shape(ask):
    """What ip(8) says of addresses and routes, as far as it is the same inside and outside."""
    links = {}
    for link in json.loads(ask("ip", "-j", "addr")):
        if link["ifname"] == "lo":
            continue
        links[link["ifname"]] = (link["address"], link["mtu"], "UP" in link["flags"], sorted(
            (a["local"], a["prefixlen"], a["scope"], a.get("broadcast")) for a in link["addr_info"]))
    routes = set()
    for family in ("-4", "-6"):
        for route in json.loads(ask("ip", family, "-j", "route") or "[]"):
            if route["dev"] == "lo":
                continue
            routes.add((route["dst"], route.get("gateway"), route["dev"], route.get("metric"), route.get("prefsrc")))
    return links, routes


SERVER = """
import hashlib, socket, sys
s = socket.create_server((sys.argv[1], int(sys.argv[2])), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print("listening", flush=True)
c, _ = s.accept()
h = hashlib.sha256()
while data := c.recv(1 << 18):
    h.update(data)
c.sendall(h.hexdigest().encode())
c.close()
print("over", flush=True)
"""
CLIENT = """
import hashlib, random, socket, sys
c = socket.create_connection((sys.argv[1], int(sys.argv[2])), 30)
r = random.Random(int(sys.argv[3]))
h = hashlib.sha256()
left = int(sys.argv[4])
block = r.randbytes(1 << 20)
while left:
    n = min(left, r.randrange(1, len(block)))
    c.sendall(block[:n]); h.update(block[:n]); left -= n
c.shutdown(socket.SHUT_WR)
c.settimeout(100)
got = b""
while data := c.recv(1000):
    got += data
print("same" if got.decode() == h.hexdigest() else "other")
"""


def transfer(box, link, name, size):
    """`size` bytes each way, over both families, compared."""
    for number, (server, client) in enumerate((("10.77.0.2", "10.77.0.1"), ("fd77::2", "fd77::1"))):
        port = str(5000 + number)
        inside = box.start(box.manage("exec", name, "python3", "-c", SERVER, server, port), stdout=subprocess.PIPE)
        expect(inside.stdout.readline(), b"listening\n")
        out = link.at_peer("python3", "-c", CLIENT, server, port, "1", str(size), limit=200)
        expect(out.ok(), "same\n", f"to {server}")
        expect(inside.stdout.readline(), b"over\n")
        inside.wait()
        outside = box.start(["ip", "netns", "exec", link.peer, "python3", "-c", SERVER, client, port],
                            stdout=subprocess.PIPE)
        expect(outside.stdout.readline(), b"listening\n")
        out = box.ask("exec", name, "python3", "-c", CLIENT, client, port, "2", str(size), limit=200)
        expect(out.ok(), "same\n", f"to {client}")
        outside.wait()
