"""Containers of a pod: several in one sandbox, each with its own life."""

import os
import pathlib
import signal

from command import ours
from detached import pid_of, reap, subreaper
from harness import expect, expect_in

CRI = "io.kubernetes.cri."
CRIO = "io.kubernetes.cri-o."


def of_pod(sandbox, kind, keys=None, shared=("ipc", "uts"), volume=None):
    """A change of config.json that makes the container one of the pod, as an engine would."""
    type_key, id_key = keys or (CRI + "container-type", CRI + "sandbox-id")

    def change(config):
        config["annotations"] = {type_key: kind, id_key: sandbox}
        for ns in config["linux"]["namespaces"]:
            if kind == "container" and ns["type"] in shared:
                ns["path"] = f"/proc/self/ns/{ns['type']}"
        if volume:
            config["mounts"].append({"destination": "/vol", "type": "bind", "source": str(volume),
                                     "options": ["rbind", "rw"]})
    return change


def start_pod(box, args=("sleep", "1000"), **how):
    """Its first container, running: its id."""
    subreaper()
    name, folder = box.create(list(args), change=of_pod("unused", "sandbox", **how))
    box.ask("start", name).ok()
    return name, folder


def add(box, pod, args, run=True, **how):
    name, folder = box.create(args, change=of_pod(pod, "container", **how))
    if run:
        box.ask("start", name).ok()
    return name, folder


def output(folder):
    return (folder / "out").read_text()


def sandboxes_of(folder):
    """Comm of the process behind a pid file."""
    return pathlib.Path(f"/proc/{pid_of(folder)}/comm").read_text().strip()


@ours
def test_two_share_a_sandbox(box):
    pod, pod_folder = start_pod(box)
    name, folder = add(box, pod, "echo here; exit 7", run=False)
    expect(box.status(name), "created")
    expect(output(folder), "")
    expect((sandboxes_of(pod_folder), sandboxes_of(folder)), ("runsc-sandbox", "runsc-container"))
    box.ask("start", name).ok()
    expect(reap(box, pid_of(folder)), 7)
    expect(output(folder), "here\n")
    expect((box.status(name), box.status(pod)), ("stopped", "running"))
    box.ask("delete", name).ok()
    expect(box.status(pod), "running")


@ours
def test_pid_namespaces(box):
    pod, _ = start_pod(box)
    own, _ = add(box, pod, ["sleep", "1001"])
    shared, _ = add(box, pod, ["sleep", "1002"], shared=("ipc", "uts", "pid"))
    commands = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
    inside = box.ask("exec", own, "sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '; " + commands).out
    expect_in("sleep 1001 ", inside)
    expect("1000" in inside or "1002" in inside, False)
    around = box.ask("exec", shared, "sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '; " + commands).out
    expect(around.startswith("sleep 1000 "), True)
    expect_in("sleep 1001", around)
    expect_in("sleep 1002", around)


@ours
def test_names_and_ipc_are_shared(box):
    pod, _ = start_pod(box)
    first, _ = add(box, pod, ["sleep", "1000"])
    second, _ = add(box, pod, ["sleep", "1000"])
    alone, _ = add(box, pod, ["sleep", "1000"], shared=())
    box.ask("exec", first, "ipcmk", "-Q").ok()
    count = "tail -n +2 /proc/sysvipc/msg | wc -l"
    expect(box.ask("exec", second, "sh", "-c", count).out.strip(), "1")
    expect(box.ask("exec", alone, "sh", "-c", count).out.strip(), "0")
    names = {box.ask("exec", name, "cat", "/proc/sys/kernel/hostname").out for name in (pod, first, second)}
    expect(len(names), 1)


@ours
def test_mounts_are_their_own(box):
    volume = box.work / "volume"
    volume.mkdir()
    pod, _ = start_pod(box)
    first, _ = add(box, pod, ["sleep", "1000"], volume=volume)
    second, _ = add(box, pod, ["sleep", "1000"], volume=volume)
    box.ask("exec", first, "sh", "-c", "echo shared > /vol/file; echo own > /own").ok()
    expect(box.ask("exec", second, "cat", "/vol/file").out, "shared\n")
    expect(box.ask("exec", second, "cat", "/own").status, 1)
    expect(box.ask("exec", pod, "ls", "/vol").status != 0, True)
    expect((volume / "file").read_text(), "shared\n")


@ours
def test_signals_reach_one(box):
    pod, _ = start_pod(box)
    first, first_folder = add(box, pod, "trap 'exit 5' TERM; echo ready; while :; do sleep 1000 & wait; done")
    second, second_folder = add(box, pod, ["sleep", "1000"])
    box.until(lambda: "ready" in output(first_folder), "the trap is set")
    box.ask("kill", first, "TERM").ok()
    expect(reap(box, pid_of(first_folder)), 5)
    expect((box.status(second), box.status(pod)), ("running", "running"))
    box.ask("kill", "--all", second, "KILL").ok()
    expect(reap(box, pid_of(second_folder)), 128 + signal.SIGKILL)
    expect(box.status(pod), "running")


@ours
def test_all_of_a_container_die(box):
    """Whether it has a PID namespace of its own or not."""
    pod, _ = start_pod(box)
    for number, shared in ((7001, ("ipc", "uts")), (7002, ("ipc", "uts", "pid"))):
        name, folder = add(box, pod, f"setsid sleep {number} & echo ready; wait", shared=shared)
        box.until(lambda folder=folder: "ready" in output(folder), "it runs")
        seen = f"cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '[s]leep {number}'"
        expect(box.ask("exec", name, "sh", "-c", seen).out != "0\n", True)
        box.ask("kill", name, "KILL").ok()
        expect(reap(box, pid_of(folder)), 128 + signal.SIGKILL)
        left = box.ask("exec", pod, "sh", "-c", f"cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -o '[s]leep {number} ' | wc -l")
        expect(left.out.strip(), "0")
        box.ask("delete", name).ok()


@ours
def test_who_stands_for_it_is_killed(box):
    pod, _ = start_pod(box)
    name, folder = add(box, pod, ["sleep", "7003"])
    os.kill(pid_of(folder), signal.SIGKILL)
    expect(reap(box, pid_of(folder)), -signal.SIGKILL)
    left = "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -o '[s]leep 7003 ' | wc -l"
    box.until(lambda: box.ask("exec", pod, "sh", "-c", left).out.strip() == "0", "the container is gone")
    expect(box.status(name), "stopped")
    box.ask("delete", name).ok()


@ours
def test_the_pod_ends(box):
    pod, pod_folder = start_pod(box)
    name, folder = add(box, pod, ["sleep", "1000"])
    box.ask("kill", pod, "KILL").ok()
    expect(reap(box, pid_of(pod_folder)), 128 + signal.SIGKILL)
    expect(reap(box, pid_of(folder)), 128 + signal.SIGKILL)
    expect((box.status(name), box.status(pod)), ("stopped", "stopped"))
    late = box.ask("exec", name, "true")
    expect(late.status != 0, True)
    box.ask("delete", name).ok()
    box.ask("delete", pod).ok()


@ours
def test_pause_is_of_one(box):
    pod, _ = start_pod(box)
    first, _ = add(box, pod, "i=0; while :; do i=$((i+1)); echo $i > /count; done")
    second, _ = add(box, pod, ["sleep", "1000"])
    box.ask("pause", first).ok()
    expect((box.status(first), box.status(second)), ("paused", "running"))
    expect(box.ask("exec", second, "echo", "alive").out, "alive\n")
    box.ask("resume", first).ok()
    expect(box.status(first), "running")
    before = box.ask("exec", first, "cat", "/count").out
    box.until(lambda: box.ask("exec", first, "cat", "/count").out != before, "it counts again")


@ours
def test_pids_limit(box):
    pod, _ = start_pod(box)

    def change(config):
        of_pod(pod, "container")(config)
        config["linux"]["resources"] = {"pids": {"limit": 10}}
    name, folder = box.create("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1000 & done; echo done; wait",
                              change=change, options=("--ignore-cgroups",))
    box.ask("start", name).ok()
    box.until(lambda: "fork" in output(folder), "the limit is met")
    expect_in("Resource temporarily unavailable", output(folder))
    expect(box.ask("exec", pod, "echo", "free").out, "free\n")


@ours
def test_processes_by_container(box):
    pod, pod_folder = start_pod(box)
    name, folder = add(box, pod, "sleep 1000; true")
    box.until(lambda: "sleep" in box.ask("ps", name).out, "the sleep runs")
    expect("1000" in box.ask("ps", name).out, False)
    expect(len(box.ask("ps", name).out.splitlines()), 3)
    expect(box.ask("ps", "--format", "json", name).out, f"[{pid_of(folder)}]\n")
    expect(box.ask("ps", "--format", "json", pod).out, f"[{pid_of(pod_folder)}]\n")


@ours
def test_bad_requests(box):
    pod, _ = start_pod(box)
    config = box.config(["true"])
    of_pod("nobody", "container")(config)
    lost = box.ask("create", "--bundle", str(box.bundle(config)), f"lost-{os.getpid()}")
    expect(lost.status != 0, True)
    del config["annotations"][CRI + "sandbox-id"]
    unnamed = box.ask("create", "--bundle", str(box.bundle(config)), f"lost-{os.getpid()}")
    expect_in(CRI + "sandbox-id", unnamed.err)
    of_pod("../x", "container")(config)
    odd = box.ask("create", "--bundle", str(box.bundle(config)), f"lost-{os.getpid()}")
    expect_in("invalid container id", odd.err)
    of_pod(pod, "container")(config)
    config["process"]["args"] = ["/no/such/program"]
    absent = box.ask("create", "--bundle", str(box.bundle(config)), f"lost-{os.getpid()}")
    expect_in("no such file", absent.err)
    expect(absent.status, 127)
    expect(f"lost-{os.getpid()}" in box.ask("list", "--quiet").out, False)
    expect(box.status(pod), "running")


@ours
def test_delete_by_force(box):
    pod, _ = start_pod(box)
    name, folder = add(box, pod, ["sleep", "1000"])
    box.ask("delete", "--force", name).ok()
    reap(box, pid_of(folder))
    expect(box.ask("state", name).status, 1)
    again, _ = add(box, pod, ["sleep", "1000"])
    expect(box.status(again), "running")


@ours
def test_crio_names(box):
    keys = (CRIO + "ContainerType", CRIO + "SandboxID")
    pod, _ = start_pod(box, keys=keys)
    name, folder = add(box, pod, "exit 3", keys=keys)
    expect(reap(box, pid_of(folder)), 3)
    expect(box.status(pod), "running")


@ours
def test_many_come_and_go(box):
    # Counted when the pod's own init has opened all it ever will.
    pod, folder = start_pod(box, args=("sh", "-c", "mkfifo /block; echo up; read line < /block"))
    box.until(lambda: output(folder) == "up\n", "start of the pod's init")
    fds = len(os.listdir(f"/proc/{pid_of(folder)}/fd"))
    for number in range(20):
        name, one = add(box, pod, f"exit {number}")
        expect(reap(box, pid_of(one)), number)
        box.ask("delete", name).ok()
    expect(len(os.listdir(f"/proc/{pid_of(folder)}/fd")), fds)


@ours
def test_what_fails_leaves_no_descriptor(box):
    pod, folder = start_pod(box, args=("sh", "-c", "mkfifo /block; echo up; read line < /block"))
    box.until(lambda: output(folder) == "up\n", "start of the pod's init")

    def descriptors():
        return sorted(os.listdir(f"/proc/{pid_of(folder)}/fd"))

    def fails(change):
        config = box.config(["sleep", "1000"])
        of_pod(pod, "container", volume=box.work)(config)
        change(config)
        made = box.ask("create", "--bundle", str(box.bundle(config)), "lc-fails")
        expect(made.status != 0, True, "status of create")

    def again():
        expect(box.ask("exec", pod, "no-such-program").status != 0, True)
        expect(box.ask("exec", "--cwd", "/no/such/place", pod, "true").status != 0, True)
        fails(lambda config: config["process"].update(args=["no-such-program"]))
        fails(lambda config: config["process"].update(cwd="/etc/passwd/x"))
        fails(lambda config: config["mounts"].append({"destination": "/etc/passwd/x", "type": "tmpfs", "source": "tmpfs"}))
        fails(lambda config: config["mounts"].append(
            {"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["no-such-option=1"]}))
    again()
    before = descriptors()
    for _ in range(3):
        again()
    box.until(lambda: len(descriptors()) == len(before), f"the same number of descriptors as {before}")
