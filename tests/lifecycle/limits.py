"""Limits of a container that the sentry keeps: memory, tasks, what is told of them, and that only it pays."""

import json
import select
import subprocess
import time

from command import ours
from detached import subreaper
from harness import Failed, expect, expect_in
from pod import add, of_pod, output, start_pod

MIB = 1 << 20
CGROUP = {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
          "options": ["nosuid", "noexec", "nodev", "ro"]}


def limited(memory=None, pids=None, cpu=None, sandbox=None):
    """A change of config.json: limits, and where `sandbox` is given, a place in that pod."""
    def change(config):
        if sandbox:
            of_pod(sandbox, "container")(config)
        resources = {}
        if memory:
            resources["memory"] = {"limit": memory}
        if pids:
            resources["pids"] = {"limit": pids}
        if cpu:
            resources["cpu"] = cpu
        config["linux"]["resources"] = resources
        config["mounts"].append(CGROUP)
    return change


def member(box, pod, args, memory=None, pids=None):
    name, folder = box.create(args, change=limited(memory, pids, sandbox=pod))
    box.ask("start", name).ok()
    return name, folder


def ended(box, name):
    box.until(lambda: box.status(name) == "stopped", f"the end of {name}")


class Events:
    """`runsc events` of a container, from when it listens."""

    def __init__(self, box, name):
        self.process = box.start(box.manage("events", "--interval", "300ms", name), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE)
        self.slow = box.slow
        self.until("stats")

    def until(self, kind):
        end = time.monotonic() + 60 * self.slow
        while time.monotonic() < end:
            if not select.select([self.process.stdout], [], [], 1)[0]:
                continue
            line = self.process.stdout.readline()
            if not line:
                raise Failed(f"events end without {kind}")
            event = json.loads(line)
            if event["type"] == kind:
                return event
        raise Failed(f"no event {kind}")

    def rest(self):
        out, _ = self.process.communicate(timeout=60 * self.slow)
        return [json.loads(line)["type"] for line in out.decode().splitlines()]


GROW = 'a = []\nwhile True: a.append(b"x" * (1 << 20))'


@ours
def test_one_of_a_pod_runs_out_of_memory(box):
    """It dies and its events say why; the others of the pod go on."""
    pod, _ = start_pod(box)
    neighbour, _ = add(box, pod, "sleep 1000")
    name, _ = member(box, pod, f"mkfifo /tmp/go; read x < /tmp/go; exec python3 -c '{GROW}'", memory=64 * MIB)
    events = Events(box, name)
    box.ask("exec", name, "bash", "-c", "echo go > /tmp/go").ok()
    expect(events.until("oom"), {"type": "oom", "id": name})
    ended(box, name)
    expect("oom" in events.rest(), False, "a second event")
    expect(box.ask("exec", neighbour, "echo", "alive").ok(), "alive\n")
    log = box.ask("exec", neighbour, "dmesg").ok()
    expect_in("python3 invoked oom-killer: ", log)
    expect_in("Memory cgroup out of memory: Killed process ", log)
    expect_in("constraint=CONSTRAINT_MEMCG", log)
    expect(box.status(pod), "running")


@ours
def test_an_exec_that_grows_ends_alone(box):
    """The largest process is killed, not the container."""
    pod, _ = start_pod(box)
    name, _ = member(box, pod, "sleep 1000", memory=64 * MIB)
    expect(box.ask("exec", name, "python3", "-c", GROW).status, 137)
    expect(box.status(name), "running")
    expect_in("oom_kill 1\n", box.ask("exec", name, "cat", "/sys/fs/cgroup/memory.events").ok())


@ours
def test_oom_score_adj_chooses(box):
    """A small process with a high oom_score_adj goes before a large one."""
    pod, _ = start_pod(box)
    script = """import os, time
if os.fork() == 0:
    open("/proc/self/oom_score_adj", "w").write("1000")
    b = b"x" * (8 << 20)
    time.sleep(1000)
time.sleep(0.5)
a = []
while True:
    a.append(b"x" * (1 << 20))
    pid, status = os.waitpid(-1, os.WNOHANG)
    if pid: break
print("status", status, flush=True)
time.sleep(1000)"""
    _, folder = member(box, pod, ["python3", "-c", script], memory=64 * MIB)
    box.until(lambda: output(folder), "the child is killed")
    expect(output(folder), "status 9\n")


@ours
def test_update_raises_the_limit(box):
    """Under way; and it cannot be lowered below what is in use."""
    pod, _ = start_pod(box)
    script = """import os, sys
os.mkfifo("/tmp/go")
a = [b"x" * (1 << 20) for _ in range(40)]
print("first", flush=True)
open("/tmp/go").read()
a += [b"x" * (1 << 20) for _ in range(100)]
print("second", flush=True)
open("/tmp/go").read()"""
    name, folder = member(box, pod, ["python3", "-c", script], memory=64 * MIB)
    box.until(lambda: output(folder) == "first\n", "40 MiB")
    refused = box.ask("update", "--memory", str(16 * MIB), name)
    expect(refused.status, 1)
    expect_in("unable to set memory limit to 16777216 (current usage: ", refused.err)
    box.ask("update", "--memory", str(256 * MIB), name).ok()
    expect(box.ask("exec", name, "cat", "/sys/fs/cgroup/memory.max").ok(), f"{256 * MIB}\n")
    box.ask("exec", name, "bash", "-c", "echo > /tmp/go").ok()
    box.until(lambda: output(folder) == "first\nsecond\n", "140 MiB")
    expect(box.status(name), "running")


@ours
def test_update_of_a_container_alone(box):
    """The sandbox may grow with its container's limit."""
    script = "a = [b'x' * (1 << 20) for _ in range(400)]; print(len(a))"
    name, _ = box.create(["sleep", "1000"], change=limited(memory=64 * MIB))
    box.ask("start", name).ok()
    ended = box.ask("exec", name, "python3", "-c", script)
    expect(ended.status, 137, ended.err)
    box.ask("update", "--memory", str(600 * MIB), name).ok()
    expect(box.ask("exec", name, "python3", "-c", script).ok(), "400\n")


@ours
def test_tasks_are_limited(box):
    """fork(2) says EAGAIN; update changes it."""
    pod, _ = start_pod(box)
    script = """import os, time
n = 0
try:
    while True:
        if os.fork() == 0: time.sleep(1000)
        n += 1
except BlockingIOError: pass
print(n, flush=True)
time.sleep(1000)"""
    name, folder = member(box, pod, ["python3", "-c", script], pids=20)
    box.until(lambda: output(folder), "the limit")
    expect(output(folder), "19\n")
    expect(box.ask("exec", name, "true").status != 0, True)
    box.ask("update", "--pids-limit", "30", name).ok()
    read = "cd /sys/fs/cgroup; read m < pids.max; read c < pids.current; read e v < pids.events; echo $m $c $e $((v > 0))"
    expect(box.ask("exec", name, "bash", "-c", read).ok(), "30 21 max 1\n")


@ours
def test_what_the_application_sees(box):
    change = limited(memory=128 * MIB, pids=50, cpu={"quota": 150000, "period": 100000, "shares": 2048})
    script = """cd /sys/fs/cgroup
cat memory.max pids.max cpu.max cpu.weight memory.swap.max cgroup.controllers cgroup.type
awk '/MemTotal/ { print $2 }' /proc/meminfo
python3 -c 'import os; print(os.sysconf("SC_PHYS_PAGES"))'
read current < memory.current; echo $((current > 0 && current < 134217728))
grep -c . cgroup.procs; cat /proc/self/cgroup
awk '$4 != 1 { next } { n++ } END { print n }' /proc/cgroups
stat -f -c %T . ; grep -c ' /sys/fs/cgroup .* - cgroup2 ' /proc/self/mountinfo"""
    lines = box.run(script, change=change).ok().splitlines()
    wanted = [str(128 * MIB), "50", "150000 100000", "79", "0", "cpuset cpu memory pids", "domain", str(128 << 10),
              str(128 * MIB // 4096), "1"]
    expect(lines[:len(wanted)], wanted)
    expect(lines[len(wanted) + 1:], ["0::/", "5", "cgroup2fs", "1"])


@ours
def test_statistics(box):
    """Of each container by itself."""
    pod, _ = start_pod(box)
    idle, _ = add(box, pod, "sleep 1000")
    script = "a = b'x' * (50 << 20)\nprint('there', flush=True)\nimport time\ntime.sleep(1000)"
    name, folder = member(box, pod, ["python3", "-c", script], memory=128 * MIB, pids=77)
    box.until(lambda: output(folder), "50 MiB")
    stats = json.loads(box.ask("events", "--stats", name).ok())
    expect((stats["type"], stats["id"]), ("stats", name))
    data = stats["data"]
    expect(data["memory"]["usage"]["limit"], 128 * MIB)
    expect(50 * MIB < data["memory"]["usage"]["usage"] < 80 * MIB, True, str(data["memory"]["usage"]))
    expect((data["pids"]["current"], data["pids"]["limit"]), (1, 77))
    expect(data["cpu"]["usage"]["total"] > 1_000_000, True)
    others = json.loads(box.ask("events", "--stats", idle).ok())["data"]
    expect(others["memory"]["usage"]["usage"] < 20 * MIB, True, str(others["memory"]["usage"]))
    expect(others["memory"]["usage"]["limit"] > 1 << 60, True)
    expect(others["pids"]["current"], 1)


@ours
def test_limits_of_the_pod(box):
    """They hold where only the engine's annotations say them: the largest process of all containers ends."""
    def annotated(config):
        of_pod("unused", "sandbox")(config)
        config["annotations"].update({"io.kubernetes.cri.sandbox-memory": str(128 * MIB),
                                      "io.kubernetes.cri.sandbox-cpu-quota": "50000",
                                      "io.kubernetes.cri.sandbox-cpu-period": "100000",
                                      "io.kubernetes.cri.sandbox-cpu-shares": "512"})
    subreaper()
    pod, _ = box.create(["sleep", "1000"], change=annotated)
    box.ask("start", pod).ok()
    neighbour, _ = add(box, pod, "sleep 1000")
    total = int(box.ask("exec", neighbour, "awk", "/MemTotal/ { print $2 }", "/proc/meminfo").ok())
    expect(128 << 10 <= total <= 192 << 10, True, f"{total} kB")
    name, _ = add(box, pod, ["python3", "-c", GROW])
    ended(box, name)
    expect(box.ask("exec", neighbour, "echo", "alive").ok(), "alive\n")
    expect(box.status(pod), "running")
    expect_in("Out of memory: Killed process ", box.ask("exec", neighbour, "dmesg").ok())
