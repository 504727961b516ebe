"""A peer that floods, keeps silent, dribbles or sends rubbish: others are served, nobody is killed, no limit is passed."""

import hashlib
import json
import subprocess

from cable import run
from harness import Failed, expect
from marks import short
from nginx import data, serve
from place import HERE, INSIDE, INSIDE6, Place

MEMORY = 160 << 20
SIZES = (100, 1 << 20)


class Target(Place):
    """nginx in a container with little memory."""

    def __init__(self, box):
        super().__init__(box)

        def change(config):
            config["linux"].setdefault("resources", {})["memory"] = {"limit": MEMORY}
        self.contain(change=change)
        here, client, *_ = next(self.sides())
        serve(self, here, SIZES)
        self.ask(here("sh", "-c", "head -c 30000000 /dev/zero > /srv/big"))
        self.wait_for_port(client, INSIDE, 80)
        self.processes = self.inside("pidof", "nginx").ok()

    def attack(self, what, count):
        mac = json.loads(run("ip", "-n", self.inner, "-j", "link", "show", "eth0"))[0]["address"]
        enemy = self.box.start(["ip", "netns", "exec", self.peer, "python3", str(HERE / "enemy.py"), "eth0", INSIDE, mac, "80",
                                what, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        expect(enemy.stdout.readline(), b"ready\n")
        return enemy

    def serves(self):
        """Honest clients are, and the same processes still run."""
        for host in (INSIDE, f"[{INSIDE6}]"):
            for size in SIZES:
                got = self.ask(self.peer_command("bash", "-c", f"set -o pipefail; curl -gsSf -m 100 http://{host}/{size} | sha256sum"), 120)
                expect(got.split()[0], hashlib.sha256(data(size)).hexdigest(), host)
        expect(self.inside("pidof", "nginx").ok(), self.processes, "nginx's processes")
        if self.box.mode != "runc":
            stats = json.loads(self.box.ask("events", "--stats", self.name).ok())
            used = stats["data"]["memory"]["usage"]["usage"]
            expect(used <= MEMORY, True, f"{used} bytes in use")


def under(box, what, count, slow_count):
    target = Target(box)
    enemy = target.attack(what, slow_count if box.mode == "ring0" else count)
    target.serves()
    expect(enemy.stdout.readline(), b"done\n")
    target.serves()
    if enemy.poll() is not None:
        raise Failed("the enemy has gone")
    enemy.stdin.close()
    enemy.wait()
    target.serves()


@short
def test_syn_flood(box):
    under(box, "flood", 100_000, 3000)


def test_who_never_acknowledges(box):
    under(box, "silent", 300, 50)


def test_who_has_no_room(box):
    under(box, "shut", 300, 50)


def test_streams_full_of_holes(box):
    under(box, "holes", 50, 10)


def test_resets_by_guess(box):
    """With large transfers on, which none of it ends."""
    target = Target(box)
    enemy = target.attack("resets", 2000 if box.mode == "ring0" else 60_000)
    for _ in range(3):
        got = target.ask(target.peer_command("bash", "-c", f"set -o pipefail; curl -gsSf -m 200 http://{INSIDE}/big | wc -c"), 220)
        expect(got.strip(), "30000000")
    target.serves()
    enemy.stdin.close()


def test_fragments_without_a_middle(box):
    under(box, "fragments", 30_000, 2000)


DRIBBLE = """
import select, socket, sys, time
all = [socket.create_connection(("10.77.0.2", 80), 60) for _ in range(int(sys.argv[1]))]
print("ready", flush=True)
text = b"GET /100 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"
for byte in text[:-1]:
    for s in all:
        s.send(bytes((byte,)))
    if select.select([0], [], [], 1)[0]:
        break
print(sum(1 for s in all if not select.select([s], [], [], 0)[0]), flush=True)
for s in all:
    s.close()
"""


def test_a_byte_a_second(box):
    """Hundreds of connections, on each of them a byte now and then."""
    target = Target(box)
    count = 40 if box.mode == "ring0" else 400
    slow = box.start(["ip", "netns", "exec", target.peer, "python3", "-c", DRIBBLE, str(count)], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE)
    expect(slow.stdout.readline(), b"ready\n")
    for _ in range(3):
        target.serves()
    slow.stdin.close()
    expect(slow.stdout.readline(), b"%d\n" % count, "connections that wait")
    slow.wait()
    target.serves()
