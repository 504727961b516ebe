"""Interfaces of the host in the hands of a sandbox: whose they are, and what becomes of them."""

import os
import subprocess

from cable import CLIENT, SERVER, Link, ping_inside, run, shape
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
