"""Hooks: when and where each kind runs, what it is told, and what its failure means."""

import json
import os
import pathlib

from command import ours
from detached import pid_of, reap, subreaper
from harness import expect, expect_in


def hook(box, name, script):
    path = box.work / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return {"path": str(path), "args": [name, "an argument"], "env": ["WHICH=" + name, "PATH=/usr/bin:/bin"]}


def test_hooks(box):
    log = box.work / "log"
    script = f'cat > {box.work}/state.$WHICH; echo $WHICH "$1" >> {log}'
    kinds = ("prestart", "createRuntime", "poststart", "poststop")

    def change(config):
        config["hooks"] = {kind: [hook(box, kind, script)] for kind in kinds}
    name, _ = box.create(["sleep", "1000"], change)
    # runc runs poststart with create; the specification wants it after start.
    expect(log.read_text().split("\n")[:2], ["prestart an argument", "createRuntime an argument"])
    state = json.loads((box.work / "state.createRuntime").read_text())
    expect(state["id"], name)
    pathlib.Path(f"/proc/{state['pid']}").stat()
    box.ask("start", name).ok()
    box.ask("delete", "--force", name).ok()
    expect(log.read_text().split("\n")[2:-1], ["poststart an argument", "poststop an argument"])


@ours
def test_create_hooks_run_between_namespaces_and_mounts(box):
    """What they mount in the namespace of the pid that they are given is what the container gets."""
    below = box.work / "below"
    below.mkdir()
    volume = box.work / "volume"
    volume.mkdir()
    (below / "file").write_text("from a hook")
    mount = f"nsenter -t $pid -m mount --bind {below} {volume}"
    read = "pid=$(sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p')"

    def change(config):
        config["hooks"] = {
            "prestart": [hook(box, "mounts", f"cat > {box.work}/document; exec < {box.work}/document; {read}; {mount}")],
            "createContainer": [hook(box, "inside", f"ls {volume} > {box.work}/seen; readlink /proc/self/ns/mnt >> {box.work}/seen")]}
        config["mounts"].append({"destination": "/vol", "type": "bind", "source": str(volume), "options": ["rbind"]})
    name, folder = box.create("cat /vol/file", change)
    state = json.loads((box.work / "document").read_text())
    expect((state["status"], state["pid"]), ("creating", pid_of(folder)))
    seen = (box.work / "seen").read_text().split()
    expect(seen[0], "file")
    expect(seen[1] != os.readlink("/proc/self/ns/mnt"), True, "the hook's mount namespace is not ours")
    expect(list(volume.iterdir()), [], "the mount is in the sandbox's namespace alone")
    box.ask("start", name).ok()
    box.until(lambda: (folder / "out").read_text() == "from a hook", "the output")


def inside_hook(script, **more):
    return {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin", "WHICH=inside"], **more}


@ours
def test_start_container_hooks(box):
    def change(config):
        config["hooks"] = {"startContainer": [inside_hook("cat > /tmp/state; echo $WHICH $(id -u) > /tmp/hook"),
                                              inside_hook("echo second >> /tmp/hook")]}
    name, folder = box.create("cat /tmp/hook /tmp/state", change, user={"uid": 1000, "gid": 1000})
    expect((folder / "out").read_text(), "")
    box.ask("start", name).ok()
    box.until(lambda: "}" in (folder / "out").read_text(), "the output")
    out = (folder / "out").read_text()
    expect(out.splitlines()[:2], ["inside 1000", "second"])
    state = json.loads(out[out.index("{"):])
    expect((state["id"], state["status"], state["pid"]), (name, "created", pid_of(folder)))


@ours
def test_failing_start_container_hook(box):
    subreaper()
    for bad, reason in ((inside_hook("echo because >&2; exit 3"), "because"),
                        (inside_hook("exec sleep 1000", timeout=1), "no end after 1 s"),
                        ({"path": "/no/such/hook"}, "no such file")):
        name, folder = box.create("echo ran", lambda config: config.update(hooks={"startContainer": [bad]}))
        started = box.ask("start", name)
        expect(started.status != 0, True)
        expect_in(reason, started.err)
        expect_in("startContainer hook #0", started.err)
        reap(box, pid_of(folder))
        expect(box.status(name), "stopped")
        expect((folder / "out").read_text(), "")
        box.ask("delete", name).ok()


@ours
def test_a_failed_create_runs_poststop(box):
    log = box.work / "log"

    def change(config):
        config["hooks"] = {"createContainer": [hook(box, "bad", "exit 3")],
                           "poststop": [hook(box, "first", f"echo first >> {log}; exit 1"),
                                        hook(box, "second", f"echo second >> {log}")]}
    config = box.config(["sleep", "1000"])
    change(config)
    made = box.ask("create", "--bundle", str(box.bundle(config)), "lc-hook")
    expect(made.status != 0, True)
    expect_in("createContainer hook #0", made.err)
    expect(log.read_text().split(), ["first", "second"])
    expect(box.ask("list", "-q").ok(), "")


def test_failing_hook(box):
    def change(config):
        config["hooks"] = {"createRuntime": [hook(box, "bad", "echo because >&2; exit 3")]}
    config = box.config(["sleep", "1000"])
    change(config)
    made = box.ask("create", "--bundle", str(box.bundle(config)), "lc-hook")
    expect(made.status != 0, True)
    expect_in("because", made.err)
    expect(box.ask("list", "-q").ok(), "")


def test_hook_timeout(box):
    def change(config):
        slow = hook(box, "slow", "exec sleep 1000")
        slow["timeout"] = 1
        config["hooks"] = {"prestart": [slow]}
    config = box.config(["true"])
    change(config)
    made = box.ask("create", "--bundle", str(box.bundle(config)), "lc-hook")
    expect(made.status != 0, True)
    expect(box.ask("list", "-q").ok(), "")


@ours
def test_hooks_in_the_foreground(box):
    log = box.work / "log"

    def change(config):
        config["hooks"] = {kind: [hook(box, kind, f"echo $WHICH >> {log}")]
                           for kind in ("prestart", "poststart", "poststop")}
    expect(box.run("echo out", change=change).ok(), "out\n")
    expect(log.read_text().split(), ["prestart", "poststart", "poststop"])


@ours
def test_failing_poststart_hook_ends_the_container(box):
    """As the specification has it since 1.2.1, and runc before that."""
    subreaper()
    log = box.work / "log"

    def change(config):
        config["hooks"] = {"poststart": [hook(box, "bad", "exit 3")], "poststop": [hook(box, "last", f"echo poststop > {log}")]}
    name, folder = box.create(["sleep", "1000"], change)
    started = box.ask("start", name)
    expect(started.status, 1)
    expect_in("poststart hook", started.err)
    reap(box, pid_of(folder))
    expect(box.status(name), "stopped")
    box.ask("delete", name).ok()
    expect(log.read_text(), "poststop\n")
