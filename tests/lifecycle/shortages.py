"""What happens at a limit, or where the host has nothing to give: who pays, who waits, who ends."""

import json
import resource
import subprocess

from command import ours
from harness import expect
from limits import MIB, limited


@ours
def test_threads_that_end_pay(box):
    """What the sentry writes into a thread's memory at its end counts for the container."""
    script = """import ctypes, mmap, threading
libc = ctypes.CDLL(None, use_errno=True)
SLOT, COUNT = 256 << 10, 200
region = mmap.mmap(-1, SLOT * COUNT, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
start = ctypes.addressof(ctypes.c_char.from_buffer(region))
words = (ctypes.c_int * COUNT)(*[1] * COUNT)
usage = lambda: int(open("/sys/fs/cgroup/memory.current").read())
threading.stack_size(64 << 10)
def resident():
    pages = len(region) // 4096
    vec = (ctypes.c_ubyte * pages)()
    assert libc.mincore(ctypes.c_void_p(start), ctypes.c_size_t(len(region)), vec) == 0
    return sum(v & 1 for v in vec) * 4096
def run(address):
    # CLONE_CHILD_CLEARTID: zero is written there when the thread has ended.
    done = threading.Event()
    def body():
        libc.syscall(218, ctypes.c_void_p(address))
        done.set()
    threading.Thread(target=body, daemon=True).start()
    done.wait()
def all_of(address):
    before = usage()
    for i in range(COUNT): run(address(i))
    while any(words) and address(0) == ctypes.addressof(words): pass
    while address(0) == start and resident() < COUNT * 4096: pass
    return usage() - before
plain = all_of(lambda i: ctypes.addressof(words) + 4 * i)
fresh = all_of(lambda i: start + SLOT * i)
print(resident() >= COUNT * 4096, fresh - plain > resident() // 2, fresh, plain, resident())"""
    out = box.run(["python3", "-c", script], change=limited(memory=256 * MIB)).ok()
    expect(out.split()[:2], ["True", "True"], out)


@ours
def test_copies_at_the_limit(box):
    """A call that finds no memory for its result is made again once there is some: no EFAULT."""
    script = """import mmap, os, signal
zero = open("/dev/zero", "rb", buffering=0)
def grow():
    while True:
        m = mmap.mmap(-1, 4 << 20)
        keep.append(m)
        zero.readinto(memoryview(m))
keep, calls = [], 0
for _ in range(8):
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            open("/proc/self/oom_score_adj", "w").write("1000")
            try: grow()
            except OSError as e: os._exit(e.errno)
        children.append(pid)
    while children:
        with mmap.mmap(-1, 256 << 10) as m:
            assert zero.readinto(memoryview(m)[:64 << 10]) > 0
        calls += 1
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            children.remove(pid)
            assert status == signal.SIGKILL, status
print("done")"""
    expect(box.run(["python3", "-c", script], change=limited(memory=64 * MIB)).ok(), "done\n")


@ours
def test_messages_at_the_limit(box):
    """A message that is taken off its queue arrives, though there was no memory for it just then."""
    script = f"rounds = {12 if box.mode == 'hosted' else 4}\n" """import ctypes, mmap, os, signal, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
zero = open("/dev/zero", "rb", buffering=0)
near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
def grow():
    while True:
        m = mmap.mmap(-1, 4 << 20)
        keep.append(m)
        zero.readinto(memoryview(m))
keep, number = [], 0
for _ in range(rounds):
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            open("/proc/self/oom_score_adj", "w").write("1000")
            try: grow()
            except OSError as e: os._exit(e.errno)
        children.append(pid)
    while children:
        m = mmap.mmap(-1, 256 << 10, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        place = ctypes.c_char.from_buffer(m)
        for page in range(64):
            number += 1
            near.send(struct.pack("Q", number))
            at = ctypes.addressof(place) + page * 4096
            n = libc.recv(far.fileno(), ctypes.c_void_p(at), ctypes.c_size_t(8), socket.MSG_DONTWAIT)
            assert n == 8, (n, ctypes.get_errno())
            assert struct.unpack_from("Q", m, page * 4096)[0] == number
        del place
        m.close()
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            children.remove(pid)
            assert status == signal.SIGKILL, status
print(number > 100)"""
    expect(box.run(["python3", "-c", script], change=limited(memory=64 * MIB)).ok(), "True\n")


@ours
def test_events_end_with_their_reader(box):
    """Where what is told cannot be written, and however long the time between is."""
    name, _ = box.create(["sleep", "1000"], change=limited(memory=64 * MIB))
    box.ask("start", name).ok()
    with open("/dev/full", "w") as full:
        process = box.start(box.manage("events", "--interval", "100ms", name), stdin=subprocess.DEVNULL, stdout=full,
                            stderr=subprocess.DEVNULL)
        expect(process.wait(timeout=60 * box.slow), 1)
    # In milliseconds more than an int holds: not without a pause.
    process = box.start(box.manage("events", "--interval", "1000000h", name), stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE)
    box.ask("kill", name, "KILL").ok()
    expect(process.communicate(timeout=60 * box.slow)[0], b"")


@ours
def test_a_fault_that_the_host_cannot_serve(box):
    """It is not tried again for ever: the process ends."""
    folder = box.work / "shared"
    folder.mkdir()
    (folder / "file").write_bytes(bytes(8 << 20))
    mount = {"destination": "/mnt", "type": "bind", "source": str(folder), "options": ["bind", "rw"]}
    script = """import mmap, os, time
file = open("/mnt/file", "rb")
m = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
open("/mnt/ready", "w").close()
while not os.path.exists("/mnt/go"): time.sleep(0.05)
print(m[4 << 20])"""
    name, _ = box.create(["python3", "-c", script], change=lambda config: config["mounts"].append(mount))
    box.ask("start", name).ok()
    box.until(lambda: (folder / "ready").exists(), "the process is ready")
    pid = json.loads(box.ask("state", name).ok())["pid"]
    # Nothing more can be mapped from here on.
    resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, resource.RLIM_INFINITY))
    (folder / "go").touch()
    box.until(lambda: box.status(name) == "stopped", "the end of the process")


@ours
def test_who_has_ended_costs_nothing(box):
    """Neither tasks nor their stacks, which wait for others."""
    script = """import os, signal
usage = lambda: int(open("/sys/fs/cgroup/memory.current").read())
COUNT = 100
def round():
    children = []
    for _ in range(COUNT):
        pid = os.fork()
        if pid == 0:
            signal.pause()
            os._exit(0)
        children.append(pid)
    most = usage()
    for pid in children: os.kill(pid, signal.SIGKILL)
    for pid in children: os.waitpid(pid, 0)
    return most
before = usage()
most, after = round(), usage()
print(most - before > COUNT * (8 << 10), after - before < COUNT * (8 << 10), before, most, after)"""
    out = box.run(["python3", "-c", script], change=limited(memory=512 * MIB)).ok()
    expect(out.split()[:2], ["True", "True"], out)
