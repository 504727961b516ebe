"""kill -9 of a command, of the sandbox process and of those that stand for containers, at each of their steps: what is
left can be deleted, and then nothing is left."""

import json
import os
import pathlib
import select

import steps
from command import ours
from detached import subreaper
from harness import Failed, expect

CGROUP = f"/runsc-lifecycle-kills-{os.getpid()}"
MOST = 400


def hook(box, name, script="exit 0"):
    path = box.work / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return [{"path": str(path)}]


def change_all(box, more=None):
    """What a container can have on the host: a cgroup, hooks."""
    def change(config):
        config["linux"]["cgroupsPath"] = CGROUP
        config["linux"]["resources"] = {"pids": {"limit": 1000}}
        config["hooks"] = {kind: hook(box, kind) for kind in ("createRuntime", "poststart", "poststop")}
        if more:
            more(config)
    return change


def bundle(box, args=("sleep", "1000"), change=None):
    config = box.config(list(args))
    change_all(box, change)(config)
    return box.bundle(config)


def children(keep=()):
    own = pathlib.Path("/proc/self/task").glob("*/children")
    return [int(pid) for listed in own for pid in listed.read_text().split() if int(pid) not in keep]


def reap(box, keep=()):
    """Waits for the end of every process that came to us, but those in `keep`."""
    for pid in children(keep):
        fd = os.pidfd_open(pid)
        try:
            if not select.select([fd], [], [], 20 * box.slow)[0]:
                command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                raise Failed(f"process {pid} goes on without its command: {command}")
        finally:
            os.close(fd)
        os.waitpid(pid, 0)
    if children(keep):
        reap(box, keep)


def mounts():
    return pathlib.Path("/proc/self/mountinfo").read_text()


def cgroups():
    top = pathlib.Path("/sys/fs/cgroup")
    places = [top, *(path for path in top.glob("*") if path.is_dir())]
    return [str(place) + CGROUP for place in places if os.path.exists(str(place) + CGROUP)]


def with_name(name):
    """Command lines of processes that have the name among their arguments."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if name.encode() in words:
                found.append(b" ".join(words).decode())
    return found


def state_directories(box):
    root = box.work / "state"
    return sorted(path.name for path in root.iterdir() if path.name != ".lock") if root.exists() else []


class Case:
    """One container of a test, its output, and what was there before it."""

    def __init__(self, box, name):
        subreaper()
        self.box, self.name, self.mounts = box, name, mounts()
        self.log = open(box.work / "kills.log", "wb")
        box.delete_at_the_end(name)

    def command(self, *words):
        return self.box.manage(*words)

    def ok(self, *words):
        return self.box.ask(*words).ok()

    def recorded(self):
        """What state.json says, if there is one."""
        try:
            return json.loads((self.box.work / "state" / self.name / "state.json").read_text())
        except FileNotFoundError:
            return None

    def nothing_left(self, step):
        self.ok("delete", "--force", self.name)
        reap(self.box)
        what = f"after step {step}"
        expect(state_directories(self.box), [], f"state directories {what}")
        expect(with_name(self.name), [], f"processes {what}")
        expect(cgroups(), [], f"cgroups {what}")
        expect(mounts(), self.mounts, f"mounts {what}")


def each_step(box, run, stride=1):
    """run(number) for each step, or one in `stride`, as long as it says that there was one: how many there were."""
    for number in range(0, MOST, stride * (5 if box.mode == "ring0" else 1)):
        if not run(number):
            return number
    raise Failed("a command without end")


def killed_create(box, change=None, verb=("create",), name="lc-killed"):
    folder = bundle(box, change=change)

    def run(number):
        case = Case(box, name)
        command = case.command(*verb, "--bundle", str(folder), "--pid-file", str(folder / "pid"), name)
        killed, _ = steps.kill_command(command, number, case.log.fileno())
        state = case.recorded()
        if killed and (state is None or state["status"] == "creating"):
            reap(box)  # by itself
        elif not killed:
            expect(box.status(name), "created" if verb == ("create",) else "running")
        case.nothing_left(number)
        return killed
    # Not a single step would mean that the test sees nothing.
    expect(each_step(box, run) > 20, True, "steps")


@ours
def test_create(box):
    killed_create(box)


@ours
def test_detached_run(box):
    killed_create(box, verb=("run", "--detach"))


@ours
def test_sandbox_process_while_it_is_created(box):
    folder = bundle(box)

    def run(number):
        case = Case(box, "lc-killed")
        pid, killed, _ = steps.kill_child(case.command("create", "--bundle", str(folder), case.name), number,
                                          case.log.fileno())
        _, status = os.waitpid(pid, 0)
        expect(os.waitstatus_to_exitcode(status) != 0, killed, "failure of create")
        if killed:
            reap(box)
            expect(case.recorded(), None)
            expect(cgroups(), [])
        case.nothing_left(number)
        return killed
    expect(each_step(box, run, 3) > 10, True, "steps")


@ours
def test_foreground_run(box):
    folder = bundle(box, ["true"])

    def run(number):
        case = Case(box, "lc-killed")
        words = ("run", "--bundle", str(folder), case.name)
        killed, _ = steps.kill_command(case.command(*words), number, case.log.fileno())
        reap(box)
        if number % 2:  # the name is free again, without a word
            case.ok(*words)
        case.nothing_left(number)
        return killed
    expect(each_step(box, run) > 20, True, "steps")


@ours
def test_start(box):
    def run(number):
        case = Case(box, "lc-killed")
        folder = bundle(box)
        make(case, folder)
        killed, _ = steps.kill_command(case.command("start", case.name), number, case.log.fileno())
        status = box.status(case.name)
        expect(status in ("created", "running"), True, status)
        if status == "created":
            again = box.ask("start", case.name)
            # What the killed one had asked of the sandbox may come true meanwhile.
            if "already running" not in again.err:
                again.ok()
        expect(box.status(case.name), "running")
        case.nothing_left(number)
        return killed
    expect(each_step(box, run) > 5, True, "steps")


def make(case, folder, verb=("create",)):
    """Streams of its own, so that nobody waits for theirs."""
    command = case.command(*verb, "--bundle", str(folder), "--pid-file", str(folder / "pid"), case.name)
    with open(os.devnull, "rb") as nothing:
        made = case.box.start(command, stdin=nothing, stdout=case.log, stderr=case.log)
        expect(made.wait(60 * case.box.slow), 0, f"{verb}: {(case.box.work / 'kills.log').read_text()[-2000:]}")


@ours
def test_delete(box):
    for signalled in (False, True):
        def run(number):
            case = Case(box, "lc-killed")
            folder = bundle(box)
            make(case, folder, ("run", "--detach"))
            if signalled:
                case.ok("kill", case.name, "KILL")
                reap(box)
            words = ("delete", case.name) if signalled else ("delete", "--force", case.name)
            killed, _ = steps.kill_command(case.command(*words), number, case.log.fileno())
            case.nothing_left(number)
            return killed
        expect(each_step(box, run) > 5, True, "steps")


@ours
def test_pause(box):
    case = Case(box, "lc-killed")
    folder = bundle(box)
    make(case, folder, ("run", "--detach"))

    def run(number):
        killed, _ = steps.kill_command(case.command("pause", case.name), number, case.log.fileno())
        # What is said is what holds.
        if box.status(case.name) != "paused":
            expect(box.status(case.name), "running")
            case.ok("pause", case.name)
        expect(box.status(case.name), "paused")
        case.ok("resume", case.name)
        expect(case.ok("exec", case.name, "echo", "runs"), "runs\n")
        return killed
    expect(each_step(box, run) > 2, True, "steps")
    case.nothing_left("pause")
