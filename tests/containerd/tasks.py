"""Containers through their life: run, exec, kill, pause, metrics, delete, events, groups."""

import json
import os
import pathlib
import re
import select
import time

from harness import Failed, expect, expect_in, wait_for

SLEEPER = ("/bin/sleep", "1000")


def test_run(containerd):
    expect(containerd.run("/bin/sh", "-c", "echo out; echo err >&2").ok(), "out\n")


def test_exit_status(containerd):
    expect(containerd.run("/bin/sh", "-c", "exit 42").status, 42)


def test_many_short_ones(containerd):
    for number in range(10):
        expect(containerd.run("/bin/echo", str(number)).ok(), f"{number}\n")
    wait_for(lambda: not containerd.shims(), "the shims are gone")


def test_list_and_kill(containerd):
    name = containerd.detached(*SLEEPER)
    pid, state = containerd.tasks()[name]
    expect(state, "RUNNING")
    expect(pathlib.Path(f"/proc/{pid}/cmdline").exists(), True)
    containerd.ctr("task", "kill", "-s", "TERM", name).ok()
    containerd.ctr("task", "kill", "-s", "KILL", name).ok()
    wait_for(lambda: containerd.tasks()[name][1] == "STOPPED", "it has stopped")
    ended = containerd.ctr("task", "kill", "-s", "KILL", name)
    if ended.status == 0:
        raise Failed("a kill of what has ended succeeded")
    containerd.ctr("task", "delete", name).ok()
    containerd.ctr("container", "delete", name).ok()
    wait_for(lambda: not containerd.shims(), "the shim is gone")


def test_exec(containerd):
    name = containerd.detached(*SLEEPER)
    expect(containerd.ctr("task", "exec", "--exec-id", "one", name, "/bin/echo", "hello").ok(), "hello\n")
    expect(containerd.ctr("task", "exec", "--exec-id", "one", name, "/bin/sh", "-c", "exit 5").status, 5)
    ended = containerd.ctr("task", "exec", "--exec-id", "two", name, "/bin/nothing-here")
    expect_in("nothing-here", ended.err)
    containerd.remove(name)


def test_exec_in_the_background(containerd):
    name = containerd.detached(*SLEEPER)
    containerd.ctr("task", "exec", "-d", "--exec-id", "bg", name, *SLEEPER).ok()
    lines = containerd.ctr("task", "ps", name).ok().splitlines()
    expect(len([line for line in lines if re.match(r"\d+", line)]), 2, "processes")
    expect_in("bg", "\n".join(lines))
    containerd.ctr("task", "kill", "-s", "KILL", "--exec-id", "bg", name).ok()
    wait_for(lambda: "bg" not in containerd.ctr("task", "ps", name).ok(), "the exec has ended")
    expect(containerd.ctr("task", "delete", "--exec-id", "bg", name).status, 137)
    expect(containerd.tasks()[name][1], "RUNNING")
    containerd.remove(name)


def test_pause(containerd):
    name = containerd.detached("/bin/sh", "-c", "while :; do :; done")
    containerd.ctr("task", "pause", name).ok()
    expect(containerd.tasks()[name][1], "PAUSED")
    containerd.ctr("task", "resume", name).ok()
    expect(containerd.tasks()[name][1], "RUNNING")
    containerd.remove(name)


def test_metrics(containerd):
    name = containerd.detached(*SLEEPER)
    text = containerd.ctr("task", "metrics", "--format", "json", name).ok()
    metrics = json.loads(text)
    memory = metrics.get("memory", {})
    used = memory.get("usage", {})
    used = used.get("usage", 0) if isinstance(used, dict) else used
    expect(int(used) > 0, True, f"memory in {text}")
    expect(int(metrics["pids"]["current"]) > 0, True, f"pids in {text}")
    containerd.remove(name)


def test_delete_refuses_what_runs(containerd):
    name = containerd.detached(*SLEEPER)
    ended = containerd.ctr("task", "delete", name)
    expect(ended.status != 0, True, "refused")
    expect(containerd.tasks()[name][1], "RUNNING")
    containerd.remove(name)


def test_checkpoint_is_refused(containerd):
    name = containerd.detached(*SLEEPER)
    ended = containerd.ctr("task", "checkpoint", name)
    expect_in("cannot checkpoint", ended.err)
    expect(containerd.tasks()[name][1], "RUNNING")
    containerd.remove(name)


def listening(containerd):
    """A `ctr events` that is subscribed: it has told of an event that was made for it."""
    listener = containerd.background("events")
    probe = containerd.name()

    def told():
        containerd.ctr("namespace", "create", f"{probe}-{time.monotonic_ns()}").ok()
        # One that came too early is not told of: then another is made.
        return select.select([listener.stdout], [], [], 0.2)[0] and os.read(listener.stdout.fileno(), 65536)
    wait_for(told, "the listener")
    return listener


def test_events(containerd):
    listener = listening(containerd)
    name = containerd.detached(*SLEEPER)
    containerd.ctr("task", "exec", "--exec-id", "e1", name, "/bin/true").ok()
    containerd.ctr("task", "pause", name).ok()
    containerd.ctr("task", "resume", name).ok()
    containerd.remove(name)
    wanted = ["create", "start", "exec-added", "exec-started", "exit", "paused", "resumed", "exit", "delete"]
    seen = ""

    def topics():
        nonlocal seen
        if select.select([listener.stdout], [], [], 0.2)[0]:
            seen += os.read(listener.stdout.fileno(), 65536).decode(errors="replace")
        found = [match[1] for match in re.finditer(r"/tasks/([\w-]+) (\{.*\})", seen) if name in match[2]]
        # containerd itself tells of a delete too, that of the exec among them.
        return [topic for at, topic in enumerate(found) if topic != "delete" or "delete" not in found[:at]]

    wait_for(lambda: topics()[-1:] == ["delete"], "the delete event")
    found = [topic for topic in topics_of(seen, name) if topic != "delete"]
    expect(found, wanted[:-1])


def topics_of(text, name):
    return [match[1] for match in re.finditer(r"/tasks/([\w-]+) (\{.*\})", text) if name in match[2]]


def test_memory_limit(containerd):
    name = containerd.detached(*SLEEPER, options=["--memory-limit", str(64 << 20)])
    memory = json.loads(containerd.ctr("task", "metrics", "--format", "json", name).ok())["memory"]
    # Version 1 of cgroups, version 2.
    limit = memory["usage"]["limit"] if isinstance(memory["usage"], dict) else memory["usage_limit"]
    expect(int(limit), 64 << 20)
    containerd.remove(name)


def test_out_of_memory(containerd):
    listener = listening(containerd)
    hungry = "x=a; while :; do x=$x$x; done"
    ended = containerd.run("/bin/sh", "-c", hungry, options=["--memory-limit", str(16 << 20)])
    expect(ended.status, 137)
    seen = ""

    def told():
        nonlocal seen
        if select.select([listener.stdout], [], [], 0.2)[0]:
            seen += os.read(listener.stdout.fileno(), 65536).decode(errors="replace")
        return "/tasks/oom" in seen

    wait_for(told, "an oom event")


def test_one_shim_for_a_pod(containerd):
    pod = containerd.name()
    options = ["--annotation", f"io.kubernetes.cri.sandbox-id={pod}"]
    first = containerd.detached(*SLEEPER, options=options)
    second = containerd.detached(*SLEEPER, options=options)
    other = containerd.detached(*SLEEPER)
    expect(len(containerd.shims()), 2, "shims")
    containerd.remove(first)
    expect(containerd.tasks()[second][1], "RUNNING")
    containerd.remove(second)
    wait_for(lambda: len(containerd.shims()) == 1, "the pod's shim is gone")
    containerd.remove(other)
