"""Where the tests of this folder happen: a container at one end of a cable, a Debian of the host's at the other, and what
the cable does to frames on their way."""

import ctypes
import fcntl
import pathlib
import socket
import struct
import subprocess

from cable import Link, in_namespace, run
from harness import expect

HERE = pathlib.Path(__file__).resolve().parent
INSIDE, INSIDE6 = "10.77.0.2", "fd77::2"
PEER, PEER6 = "10.77.0.1", "fd77::1"

SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO = 0x17, 0x1F, 0x24


class Place(Link):
    """A Link whose peer has the whole root file system, with memory above it. `mangle`: options of mangler.py."""

    def __init__(self, box, mangle=None):
        self.mangle = mangle
        super().__init__(box)
        self.peer_root = self.memory_above("peer")
        for part in ("dev", "proc"):
            run("mount", "--rbind", "/" + part, f"{self.peer_root}/{part}")
        # runc has no memory of its own above a root file system.
        self.root = self.memory_above("container") if box.mode == "runc" else box.rootfs
        self.name = None

    def memory_above(self, name):
        upper, work, merged = (self.box.work / f"{name}.{part}" for part in ("upper", "work", "root"))
        for path in (upper, work, merged):
            path.mkdir()
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={self.box.rootfs},upperdir={upper},workdir={work}", str(merged))
        self.box.at_the_end(lambda: run("umount", "--recursive", "--lazy", str(merged)))
        return str(merged)

    def lay(self, name, mtu):
        if not self.mangle:
            super().lay(name, mtu)
            return
        # A namespace in the middle, in which a program hands frames on from one end to the other.
        middle = self.namespace("m")
        for end, namespace in (("in", self.inner), ("out", self.peer)):
            run("ip", "link", "add", "name", name, "mtu", str(mtu), "netns", namespace, "type", "veth",
                "peer", "name", end, "mtu", str(mtu), "netns", middle)
            in_namespace(namespace, lambda: whole_frames_only(name))
            run("ip", "-n", middle, "link", "set", end, "addrgenmode", "none", "up")
        mangler = self.box.start(["ip", "netns", "exec", middle, "python3", str(HERE / "mangler.py"), "in", "out", *self.mangle],
                                 stdout=subprocess.PIPE)
        expect(mangler.stdout.readline(), b"ready\n")

    def namespace(self, letter):
        name = self.peer[:-1] + letter
        run("ip", "netns", "add", name)
        self.box.at_the_end(lambda: subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL))
        return name

    def contain(self, args=("sleep", "10000"), change=None):
        """Starts the container; what inside() speaks of."""
        def with_root(config):
            config["root"] = {"path": self.root, "readonly": False}
            config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": 4096, "soft": 4096}]
            if change:
                change(config)
        self.name = self.start(args, with_root)

    def peer_command(self, *words):
        return ["ip", "netns", "exec", self.peer, "chroot", self.peer_root, *words]

    def outside(self, *words, **how):
        """A command at the peer, to its end."""
        return self.box.finish(self.peer_command(*words), **how)

    def inside(self, *words, **how):
        return self.box.ask("exec", self.name, *words, **how)

    def sides(self):
        """(command of the server, command of the client, address, address of IPv6), first with the server inside."""
        def here(*words):
            return self.box.manage("exec", self.name, *words)
        yield here, self.peer_command, INSIDE, INSIDE6
        yield self.peer_command, here, PEER, PEER6

    def serve(self, command):
        """A server that runs until the test is over."""
        log = open(self.box.work / "server.log", "ab")  # its own, not a pipe's end that nobody reads
        return self.box.start(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def ask(self, command, limit=120, stdin=b""):
        done = self.box.finish(command, stdin, limit)
        if done.status != 0:
            done.err += "\nserver: " + (self.box.work / "server.log").read_text(errors="replace")[-3000:] \
                if (self.box.work / "server.log").exists() else ""
        return done.ok()

    def wait_for_port(self, client, address, port):
        """Until somebody takes connections there."""
        probe = f"import socket; socket.create_connection(('{address}', {port}), 20)"
        self.box.until(lambda: self.box.finish(client("python3", "-c", probe)).status == 0, f"a server at {address} {port}")

    def put(self, command, path, data):
        """A file on one side."""
        self.box.finish(command("sh", "-c", f"mkdir -p $(dirname {path}); cat > {path}"), data).ok()


def whole_frames_only(name):
    """No frame that a device would still have to cut or to sum up: others look at them on their way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for what in (ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO):
            value = ctypes.create_string_buffer(struct.pack("II", what, 0))
            fcntl.ioctl(any_socket, SIOCETHTOOL, struct.pack("16sP16x", name.encode(), ctypes.addressof(value)))
    return True
