"""Interfaces of the host in the hands of a sandbox: whose they are, and what becomes of them."""

import json
import os
import select
import socket
import subprocess

from cable import CLIENT, SERVER, Link, in_namespace, ping_inside, run, shape
from command import ours
from harness import expect, expect_in
from hooks import hook
from pod import of_pod


@ours
def test_the_namespace_is_given_back(box):
    """Its own protocols hear nothing while the sandbox has it, and all is as it was afterwards; then it can be had again."""
    link = Link(box)
    filters = ("tc", "-n", link.inner, "filter", "show", "dev", "eth0", "ingress")
    before = shape(lambda *words: run("ip", "netns", "exec", link.inner, *words))
    queues = run("tc", "-n", link.inner, "qdisc", "show", "dev", "eth0")
    for _ in range(2):
        name = link.start()
        expect_in("bpf", run(*filters))
        expect_in("2 packets received", link.ping("10.77.0.2").ok())
        # The host's end of the namespace has the addresses still, and no answer reaches it.
        expect(shape(lambda *words: run("ip", "netns", "exec", link.inner, *words)), before)
        expect(link.ping("10.77.0.1", namespace=link.inner).status, 1)
        box.ask("kill", name, "KILL").ok()
        box.until(lambda: box.status(name) == "stopped", "the end of the container")
        box.ask("delete", name).ok()
        expect(run(*filters), "")
        expect(run("tc", "-n", link.inner, "qdisc", "show", "dev", "eth0"), queues)
        expect_in("2 packets received", link.ping("10.77.0.1", namespace=link.inner).ok())


@ours
def test_a_namespace_that_another_sandbox_has(box):
    link = Link(box)
    first = link.start()
    config = box.config("ip -br link; busybox ping -c 1 -W 5 127.0.0.1")
    link.change(config)
    second = box.finish(box.run_command(config))
    expect_in("another sandbox's", second.err)
    expect("eth0" in second.ok(), False, "the second one has eth0")
    expect_in("1 packets received", second.out)
    # That it has ended changes nothing for the first one.
    expect_in("2 packets received", link.ping("10.77.0.2").ok())
    expect_in("2 packets received", ping_inside(box, first, "10.77.0.1").ok())


@ours
def test_a_namespace_that_is_being_given_back(box):
    """Whoever takes it waits for that: it is nobody's."""
    link = Link(box)

    def give():
        giver, claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        giver.bind(b"\0runsc-network-back")
        giver.listen()
        claim.bind(b"\0runsc-network")
        return giver, claim
    giver, claim = in_namespace(link.inner, give)
    name, _ = box.create(["sleep", "1000"], link.change)
    started = box.start(box.manage("start", name), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    expect(len(select.select([giver], [], [], 60 * box.slow)[0]), 1, "it waits")
    expect(started.poll(), None)
    claim.close()
    giver.close()
    expect((started.wait(60 * box.slow), started.stderr.read()), (0, b""))
    expect_in("2 packets received", ping_inside(box, name, "10.77.0.1").ok())


@ours
def test_what_is_there_for_a_time_ends_inside_too(box):
    link = Link(box)
    for words in (("addr", "add", "10.77.5.2/24", "dev", "eth0", "valid_lft", "3000", "preferred_lft", "2000"),
                  ("addr", "add", "fd77:5::2/64", "dev", "eth0", "valid_lft", "3000", "preferred_lft", "2000", "nodad"),
                  ("addr", "add", "10.77.6.2/24", "dev", "eth0", "valid_lft", "9", "preferred_lft", "5"),
                  ("-6", "route", "add", "fd99::/64", "via", "fd77::1", "expires", "4000")):
        run("ip", "-n", link.inner, *words)
    name = link.start()
    shown = {a["local"]: (a["valid_life_time"], a["preferred_life_time"])
             for a in json.loads(box.ask("exec", name, "ip", "-j", "addr", "show", "dev", "eth0").ok())[0]["addr_info"]}
    for address in ("10.77.5.2", "fd77:5::2"):
        valid, preferred = shown[address]
        expect((2900 < valid <= 3000, 1900 < preferred <= 2000), (True, True), shown)
    expect(shown["10.77.0.2"], (0xFFFFFFFF, 0xFFFFFFFF))
    route = json.loads(box.ask("exec", name, "ip", "-6", "-j", "route", "show", "fd99::/64").ok())[0]
    expect(3900 < int(route["expires"]) <= 4000, True, route)
    box.until(lambda: "10.77.6.2" not in box.ask("exec", name, "ip", "addr").ok(), "the end of an address")


@ours
def test_what_a_container_sees_and_sets_of_its_interface(box):
    link = Link(box)
    run("ip", "-n", link.inner, "neigh", "add", "10.77.0.9", "lladdr", "02:00:00:00:00:09", "dev", "eth0", "nud", "permanent")
    name = link.start()

    def ip(*words):
        return box.ask("exec", name, "ip", *words).ok()
    expect_in("2 packets received", ping_inside(box, name, "10.77.0.1").ok())
    expect_in("2 packets received", ping_inside(box, name, "fd77::1").ok())
    mac = json.loads(run("ip", "-n", link.peer, "-j", "link", "show", "eth0"))[0]["address"]
    for family, address in (("-4", "10.77.0.1"), ("-6", "fd77::1")):
        entry = [n for n in json.loads(ip(family, "-j", "neigh")) if n["dst"] == address][0]
        expect((entry["lladdr"], entry["dev"], entry["state"][0] in ("REACHABLE", "STALE", "DELAY", "PROBE")),
               (mac, "eth0", True), entry)
    expect_in("02:00:00:00:00:09 PERMANENT", ip("neigh", "show", "10.77.0.9"))
    for words, seen in ((("replace", "10.77.0.8", "lladdr", "02:00:00:00:00:08", "dev", "eth0", "nud", "permanent"), "02:00:00:00:00:08 PERMANENT"),
                        (("replace", "10.77.0.8", "lladdr", "02:00:00:00:00:18", "dev", "eth0", "nud", "reachable"), "02:00:00:00:00:18 REACHABLE"),
                        (("del", "10.77.0.8", "dev", "eth0"), "")):
        ip("neigh", *words)
        expect_in(seen, ip("neigh", "show", "10.77.0.8") or "none")
    expect("02:00" in ip("neigh", "show", "10.77.0.8", "nud", "all").replace("FAILED", ""), False)
    sent = json.loads(ip("-j", "-s", "link", "show", "eth0"))[0]
    expect((sent["link_type"], sent["mtu"], "LOWER_UP" in sent["flags"], sent["stats64"]["rx"]["packets"] >= 4,
            sent["stats64"]["tx"]["packets"] >= 4), ("ether", 1500, True, True, True), sent)
    got = json.loads(ip("-j", "route", "get", "192.0.2.1"))[0]
    expect((got["gateway"], got["dev"], got["prefsrc"]), ("10.77.0.1", "eth0", "10.77.0.2"))
    ip("route", "add", "198.51.100.0/24", "via", "10.77.0.1", "metric", "7")
    expect_in("198.51.100.0/24 via 10.77.0.1 dev eth0 metric 7", ip("route"))
    # With a primary address go the secondary ones.
    for host in (1, 2):
        ip("addr", "add", f"10.79.0.{host}/24", "dev", "eth0")
    expect_in("scope global secondary eth0", ip("addr", "show", "dev", "eth0", "secondary"))
    ip("addr", "del", "10.79.0.1/24", "dev", "eth0")
    expect("10.79" in ip("addr"), False)


@ours
def test_what_a_hook_puts_into_the_namespace(box):
    """As Docker does: the namespace is new, a hook gives it its interface."""
    link = Link(box)
    find = "pid=$(sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p')\n"
    fill = (f"ip link add name late netns {link.peer} type veth peer name eth7 netns $pid\n"
            f"ip -n {link.peer} addr add 10.79.0.1/24 dev late\nip -n {link.peer} link set late up\n"
            "nsenter -t $pid -n ip addr add 10.79.0.2/24 dev eth7\nnsenter -t $pid -n ip link set eth7 up\n")
    script = f"PATH=/usr/sbin:/usr/bin:/sbin:/bin\ncat > {box.work}/document; exec < {box.work}/document\n" + find + fill

    def change(config):
        for namespace in config["linux"]["namespaces"]:
            namespace.pop("path", None)
        config["hooks"] = {"prestart": [hook(box, "prestart", script)]}
    name = link.start(change=change)
    expect_in("2 packets received", ping_inside(box, name, "10.79.0.1").ok())
    expect_in("2 packets received", link.ping("10.79.0.2").ok())


def late_cable(link, inner):
    """eth7 of a namespace, by name or by the pid of a process in it, as engines make it."""
    run("ip", "link", "add", "name", "late", "netns", link.peer, "type", "veth", "peer", "name", "eth7", "netns", inner)
    for words in (("addr", "add", "10.79.0.1/24", "dev", "late"), ("link", "set", "late", "up")):
        run("ip", "-n", link.peer, *words)
    enter = ("nsenter", f"--net=/proc/{inner}/ns/net") if inner.isdigit() else ("ip", "netns", "exec", inner)
    for words in (("addr", "add", "10.79.0.2/24", "dev", "eth7"), ("link", "set", "eth7", "up"),
                  ("route", "add", "default", "via", "10.79.0.1")):
        run(*enter, "ip", *words)


@ours
def test_what_comes_between_create_and_start(box):
    """As Docker does from 28.0 on: the namespace is the created container's, and is filled before it is started."""
    link = Link(box)

    def change(config):
        link.change(config)
        for namespace in config["linux"]["namespaces"]:
            namespace.pop("path", None)
        # It is there before the first process of the container, also one that a hook starts.
        config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "busybox ping -c 1 -W 5 10.79.0.1"],
                                               "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]}
    name, folder = box.create(["busybox", "ping", "-c", "2", "-W", "5", "10.79.0.1"], change)
    expect(box.ask("exec", name, "sh", "-c", "ip -br link | cut -d' ' -f1").ok(), "lo\n")
    late_cable(link, (folder / "pid").read_text())
    expect(box.ask("start", name).ok(), "")
    box.until(lambda: box.status(name) == "stopped", "the end of the container")
    expect_in("2 packets received", (folder / "out").read_text())


@ours
def test_a_named_namespace_is_looked_at_when_started(box):
    link = Link(box)
    run("ip", "-n", link.inner, "link", "del", "eth0")
    for change in (None, of_pod("unused", "sandbox")):
        def both(config, change=change):
            link.change(config)
            if change:
                change(config)
        name, _ = box.create(["sleep", "1000"], both)
        late_cable(link, link.inner)
        box.ask("start", name).ok()
        expect_in("2 packets received", ping_inside(box, name, "10.79.0.1").ok())
        box.ask("delete", "--force", name).ok()
        expect(run("tc", "-n", link.inner, "filter", "show", "dev", "eth7", "ingress"), "")
        run("ip", "-n", link.inner, "link", "del", "eth7")


@ours
def test_a_start_that_was_killed_can_be_made_again(box):
    """The network is the container's by then, and is not asked for twice."""
    link = Link(box)
    name, _ = box.create(["sleep", "1000"], lambda config: (link.change(config), config.update(
        hooks={"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "test -e /tmp/again || exec sleep 1000"]}]})))
    first = box.start(box.manage("start", name), stdin=subprocess.DEVNULL)
    inside = ("exec", name, "sh", "-c", "ip -br link | grep -c eth0")
    box.until(lambda: box.ask(*inside).out == "1\n" and "sleep" in box.ask("ps", name).ok(), "the hook")
    first.kill()
    first.wait()
    box.ask("exec", name, "touch", "/tmp/again").ok()
    expect(box.ask("start", name).ok(), "")
    expect_in("2 packets received", ping_inside(box, name, "10.77.0.1").ok())
    expect_in("2 packets received", link.ping("10.77.0.2").ok())


@ours
def test_namespaces_of_the_host_keep_their_interfaces(box):
    box.network = "sandbox"

    def none(config):
        config["linux"]["namespaces"] = [ns for ns in config["linux"]["namespaces"] if ns["type"] != "network"]

    def own(config):
        for ns in config["linux"]["namespaces"]:
            if ns["type"] == "network":
                ns["path"] = "/proc/self/ns/net"
    before = run("ip", "-d", "addr")
    for change, why in ((none, "names no network namespace"), (own, "is the host's own")):
        done = box.run("ip -br link | cut -d' ' -f1", change=change)
        expect(done.ok(), "lo\n")
        expect_in(why, done.err)
        expect_in("loopback interface only", done.err)
    expect(run("ip", "-d", "addr"), before)


@ours
def test_kinds_of_network(box):
    link = Link(box)
    box.network = "none"
    done = box.run("ip -br link | cut -d' ' -f1", change=link.change)
    expect((done.ok(), done.err), ("lo\n", ""))
    expect_in("2 packets received", link.ping("10.77.0.2").ok())  # by the namespace's own protocols
    box.network = "host"
    done = box.run("true")
    expect(done.status, 1)
    expect_in('"host" is not supported', done.err)


@ours
def test_ipv6_is_as_the_host_has_it(box):
    link = Link(box)
    for settings in ({"disable_ipv6": "1", "accept_ra": "1"}, {"disable_ipv6": "0", "accept_ra": "0"}):
        for name, value in settings.items():
            run("ip", "netns", "exec", link.inner, "sysctl", "-q", "-w", f"net.ipv6.conf.eth0.{name}={value}")
        container = link.start()
        for name, value in settings.items():
            expect(box.ask("exec", container, "cat", f"/proc/sys/net/ipv6/conf/eth0/{name}").ok(), value + "\n", name)
        shown = box.ask("exec", container, "ip", "-6", "addr", "show", "dev", "eth0").ok()
        expect("inet6" in shown, settings["disable_ipv6"] == "0", shown)
        box.ask("delete", "--force", container).ok()


@ours
def test_containers_of_a_pod_share_it(box):
    link = Link(box)
    pod = link.start(change=of_pod("unused", "sandbox"))

    def member(config):
        link.change(config)
        of_pod(pod, "container")(config)
    name, _ = box.create(["python3", "-c", SERVER, "10.77.0.2", "6000"], member)
    box.ask("start", name).ok()
    ask = CLIENT.replace("c = socket", "import time\nwhile True:\n  try: c = socket", 1).replace(
        ", 30)\n", ", 30); break\n  except ConnectionRefusedError: time.sleep(0.1)\n", 1)
    expect(link.at_peer("python3", "-c", ask, "10.77.0.2", "6000", "3", "100000").ok(), "same\n")
    box.until(lambda: box.status(name) == "stopped", "the end of the container")
    box.ask("delete", name).ok()
    # The pod has it still.
    expect_in("2 packets received", link.ping("10.77.0.2").ok())
    expect_in("2 packets received", ping_inside(box, pod, "10.77.0.1").ok())


@ours
def test_files_of_names_come_as_mounts(box):
    link = Link(box)
    files = {"/etc/resolv.conf": "nameserver 10.77.0.1\n", "/etc/hosts": "10.77.0.1 peer\n", "/etc/hostname": "boxed\n"}

    def change(config):
        link.change(config)
        config["hostname"] = "boxed"
        for path, text in files.items():
            source = box.work / os.path.basename(path)
            source.write_text(text)
            config["mounts"].append({"destination": path, "type": "bind", "source": str(source), "options": ["rbind"]})
    done = box.run("cat /etc/resolv.conf /etc/hosts /etc/hostname; hostname; busybox ping -c 1 -W 5 10.77.0.1; getent hosts peer",
                   change=change)
    expect_in("".join(files.values()) + "boxed\n", done.ok())
    expect_in("1 packets received", done.out)
    expect_in("10.77.0.1", done.out.splitlines()[-1])
