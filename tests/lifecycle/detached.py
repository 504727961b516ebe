"""Containers that live without the command that made them: create, start, state, list, kill, delete."""

import ctypes
import json
import os
import pathlib
import signal
import time

from command import ours
from harness import expect, expect_in

PR_SET_CHILD_SUBREAPER = 36


def pid_of(folder):
    return int((folder / "pid").read_text())


def reap(box, pid):
    """The exit status of an orphan, which came to us."""
    seen = []

    def ended():
        seen[:] = [os.waitpid(pid, os.WNOHANG)]
        return seen[0][0] == pid
    box.until(ended, f"end of process {pid}")
    return os.waitstatus_to_exitcode(seen[0][1])


def subreaper():
    expect(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0)


def test_whole_life(box):
    subreaper()
    name, folder = box.create("echo running; exit 7")
    expect(box.status(name), "created")
    expect((folder / "out").read_text(), "")
    state = json.loads(box.ask("state", name).ok())
    expect((state["id"], state["pid"], state["bundle"]), (name, pid_of(folder), str(folder)))
    box.ask("start", name).ok()
    expect(reap(box, pid_of(folder)), 7)
    expect((folder / "out").read_text(), "running\n")
    expect(box.status(name), "stopped")
    box.ask("delete", name).ok()
    gone = box.ask("state", name)
    expect(gone.status, 1)
    expect_in("does not exist", gone.err)


def test_started_once(box):
    name, _ = box.create(["sleep", "1000"])
    box.ask("start", name).ok()
    again = box.ask("start", name)
    expect(again.status, 1)
    expect_in("cannot start", again.err)
    expect(box.status(name), "running")


def test_id_is_taken(box):
    name, folder = box.create(["sleep", "1000"])
    second = box.ask("create", "--bundle", str(folder), name)
    expect(second.status != 0, True)
    expect_in("exist", second.err)
    expect(box.status(name), "created")


def test_signals(box):
    subreaper()
    name, folder = box.create("trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 1000 & wait; done",
                              verb="run", flags=("--detach",))
    box.until(lambda: "ready" in (folder / "out").read_text(), "the trap is set")
    box.ask("kill", name).ok()
    expect(reap(box, pid_of(folder)), 5)
    expect_in("got", (folder / "out").read_text())
    late = box.ask("kill", name, "KILL")
    expect(late.status, 1)
    expect_in("not running", late.err)


def test_killed(box):
    subreaper()
    name, folder = box.create(["sleep", "1000"], verb="run", flags=("-d",))
    box.ask("kill", name, "SIGKILL").ok()
    expect(reap(box, pid_of(folder)) in (137, -signal.SIGKILL), True, "status of a killed container")


def test_killed_before_it_was_started(box):
    subreaper()
    name, folder = box.create(["sleep", "1000"])
    box.ask("kill", name, "9").ok()
    reap(box, pid_of(folder))
    expect(box.status(name), "stopped")
    expect(box.ask("start", name).status, 1)


def test_delete_refuses_what_runs(box):
    name, _ = box.create(["sleep", "1000"], verb="run", flags=("--detach",))
    refused = box.ask("delete", name)
    expect(refused.status, 1)
    expect_in("not stopped", refused.err)
    expect(box.status(name), "running")
    box.ask("delete", "--force", name).ok()
    expect(box.ask("state", name).status, 1)
    box.ask("delete", "--force", name).ok()


def test_list(box):
    first, folder = box.create(["sleep", "1000"])
    second, _ = box.create(["sleep", "1000"], verb="run", flags=("--detach",))
    expect(box.ask("list", "-q").ok().split(), sorted([first, second]))
    rows = {row["id"]: row for row in json.loads(box.ask("list", "--format", "json").ok())}
    expect((rows[first]["status"], rows[second]["status"]), ("created", "running"))
    expect(rows[first]["pid"], pid_of(folder))
    table = box.ask("list").ok().splitlines()
    expect(table[0].split(), ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"])


def test_missing_program(box):
    config = box.config(["/no/such/program"])
    folder = box.bundle(config)
    made = box.ask("create", "--bundle", str(folder), "lc-missing")
    if made.status == 0:  # runc looks for what has a slash at the start only
        made = box.ask("start", "lc-missing")
        box.ask("delete", "--force", "lc-missing")
    expect(made.status != 0, True)
    expect_in("no such file or directory", made.err)
    expect(box.ask("list", "-q").ok(), "")


def test_missing_program_in_path(box):
    folder = box.bundle(box.config(["no-such-program"]))
    made = box.ask("create", "--bundle", str(folder), "lc-missing")
    expect(made.status != 0, True)
    expect_in("executable file not found in $PATH", made.err)
    expect(box.ask("list", "-q").ok(), "")


def test_commands_about_nothing(box):
    for words in (("start",), ("state",), ("kill",), ("delete",), ("ps",), ("pause",), ("resume",)):
        ended = box.ask(*words, "lc-nothing")
        expect(ended.status, 1, words[0])
        expect_in("does not exist", ended.err, words[0])


@ours
def test_wait(box):
    name, _ = box.create("sleep 0.2; exit 9", verb="run", flags=("--detach",))
    answer = json.loads(box.ask("wait", name).ok())
    expect((answer["id"], answer["exitStatus"]), (name, 9))


@ours
def test_sandbox_that_died(box):
    subreaper()
    name, folder = box.create(["sleep", "1000"], verb="run", flags=("--detach",))
    os.kill(pid_of(folder), signal.SIGKILL)
    reap(box, pid_of(folder))
    expect(box.status(name), "stopped")
    for words in (("kill", name), ("exec", name, "true"), ("ps", name)):
        expect(box.ask(*words).status != 0, True, words[0])
    box.ask("delete", name).ok()
    expect(list((box.work / "state").glob("lc-*")), [])


def test_pause(box):
    name, folder = box.create("while :; do echo x; sleep 0.01; done", verb="run", flags=("--detach",))
    out = folder / "out"
    box.until(lambda: out.stat().st_size > 10, "output")
    paused = box.ask("pause", name)
    if paused.status != 0 and box.mode == "runc":
        return  # where runc has no freezer
    paused.ok()
    expect(box.status(name), "paused")
    box.until(lambda: is_quiet(out), "silence")
    size = out.stat().st_size
    expect(box.ask("pause", name).status != 0, True)
    box.ask("resume", name).ok()
    box.until(lambda: out.stat().st_size > size, "output after resume")
    expect(box.status(name), "running")
    expect(box.ask("resume", name).status != 0, True)


@ours
def test_killed_while_paused(box):
    subreaper()
    name, folder = box.create(["sleep", "1000"], verb="run", flags=("--detach",))
    box.ask("pause", name).ok()
    box.ask("kill", name, "KILL").ok()
    expect(reap(box, pid_of(folder)), 137)


@ours
def test_signals_before_the_start_change_nothing(box):
    name, folder = box.create("echo ran")
    for number in ("CONT", "USR1", "HUP"):
        box.ask("kill", name, number).ok()
    expect(box.status(name), "created")
    box.ask("start", name).ok()
    box.until(lambda: (folder / "out").read_text() == "ran\n", "its output")


def is_quiet(path):
    before = path.stat().st_size
    time.sleep(0.3)  # thirty times what lies between two lines
    return path.stat().st_size == before


def test_ps(box):
    name, folder = box.create("sleep 1000 & exec sleep 2000", verb="run", flags=("--detach",))
    box.until(lambda: box.ask("ps", name).ok().count("sleep") == 2, "two processes")
    # Those of the host: a sandbox has one for all that the container started itself.
    expect(pid_of(folder) in json.loads(box.ask("ps", "--format", "json", name).ok()), True)


def test_many_at_once(box):
    names = [box.create(["sleep", "1000"], verb="run", flags=("--detach",))[0] for _ in range(3)]
    expect({box.status(name) for name in names}, {"running"})
    for name in names:
        box.ask("kill", name, "KILL").ok()
    for name in names:
        box.until(lambda: box.status(name) == "stopped", "the end")
    for name in names:
        box.ask("delete", name).ok()
