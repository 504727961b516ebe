"""Sandboxes in great numbers: one after the other and at once; nothing of them is left on the host."""

import os
import pathlib
import subprocess

from command import ours
from detached import pid_of, subreaper
from harness import expect
from kills import CGROUP, bundle, mounts, reap, state_directories


def left_behind(box):
    """What a container may leave anywhere on the host, but for what belongs to others."""
    runtime = os.path.realpath(box.runtime)
    processes = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "exe") == runtime:
                words = (entry / "cmdline").read_bytes()
                processes += [words] if b"lc-many" in words else []
        except OSError:  # gone, or a kernel thread
            continue
    return {"processes": processes, "mounts": mounts(), "cgroups": sorted(map(str, pathlib.Path("/sys/fs/cgroup").glob(f"**{CGROUP}*"))), "states": state_directories(box),
            "files": sorted(os.listdir("/run")), "descriptors": len(os.listdir("/proc/self/fd"))}


def in_cgroup(number):
    return lambda config: config["linux"].update(cgroupsPath=f"{CGROUP}-{number}")


def life(box, folder, name):
    with open(folder / "log", "wb") as log:  # which the container holds: no pipe that would not end
        made = subprocess.run(box.manage("create", "--bundle", str(folder), "--pid-file", str(folder / "pid"), name),
                              stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=60 * box.slow, check=False)
    expect(made.returncode, 0, (folder / "log").read_text())
    box.ask("start", name).ok()
    pid = pid_of(folder)
    fd = os.pidfd_open(pid)
    os.waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOWAIT)
    os.close(fd)
    expect(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 3)
    box.ask("delete", name).ok()


@ours
def test_one_after_the_other(box):
    subreaper()
    folder = bundle(box, ["sh", "-c", "exit 3"])
    life(box, folder, "lc-many")
    before = left_behind(box)
    for _ in range(200 if box.mode == "hosted" else 20):
        life(box, folder, "lc-many")
    expect(left_behind(box), before)


@ours
def test_at_once(box):
    subreaper()
    folders = [bundle(box, ["sleep", "1000"], in_cgroup(number)) for number in range(20)]
    names = [f"lc-many-{number}" for number in range(len(folders))]
    for name in names:
        box.delete_at_the_end(name)
    before = left_behind(box)
    with open(box.work / "log", "wb") as log:
        all_of_them = [box.start(box.manage("run", "--detach", "--bundle", str(folder), "--pid-file", str(folder / "pid"), name),
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log) for name, folder in zip(names, folders)]
        expect([one.wait(300) for one in all_of_them], [0] * len(names), (box.work / "log").read_text())
    expect([box.status(name) for name in names], ["running"] * len(names))
    for name in names:
        expect(box.ask("exec", name, "echo", name).ok(), name + "\n")
    box.ask("delete", "--force", *names).ok()
    reap(box)
    expect(left_behind(box), before)
