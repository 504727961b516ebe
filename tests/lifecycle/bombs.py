"""A container that takes memory without end, in every way there is: it pays for it, its neighbours do not."""

import os
import pathlib

from command import ours
from detached import pid_of
from harness import expect
from limits import GROW, MIB, member
from pod import add, start_pod

# Each in an endless loop.
BOMBS = {
    "anonymous": GROW,
    "shared": """import mmap
a = []
while True:
    m = mmap.mmap(-1, 1 << 20)
    m.write(bytes(1 << 20))
    a.append(m)""",
    "files in memory": """i = 0
while True:
    open(f"/dev/shm/{i}", "wb").write(bytes(1 << 20))
    i += 1""",
    "the root": """i = 0
while True:
    open(f"/root/{i}", "wb").write(bytes(1 << 20))
    i += 1""",
    "inodes": """import os
i = 0
while True:
    if i % 10000 == 0: os.mkdir(f"/dev/shm/{i}")
    os.close(os.open(f"/dev/shm/{i // 10000 * 10000}/{i}", os.O_CREAT | os.O_WRONLY))
    i += 1""",
    "page tables": """import mmap
a = []
while True:
    m = mmap.mmap(-1, 1 << 30, flags=0x4022)
    for i in range(0, 1 << 30, 2 << 20): m[i]
    a.append(m)""",
    "mappings": """import ctypes
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
at = 1 << 40
# There may not be as many as would fit.
while libc.mmap(at, 4096, 1, 0x4022 | 0x100000, -1, 0) == at: at += 8192""",
    "pipes": """import fcntl, os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
while True:
    if os.fork() == 0: continue
    for i in range(1000):
        r, w = os.pipe()
        os.set_blocking(w, False)
        try: fcntl.fcntl(w, 1031, 1 << 20)
        except OSError: pass
        try:
            while True: os.write(w, bytes(65536))
        except BlockingIOError: pass""",
    "sockets": """import os, resource, socket
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
while True:
    if os.fork() == 0: continue
    kept = []
    for i in range(500):
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        a.setblocking(False)
        try:
            while True: a.send(bytes(65536))
        except BlockingIOError: pass
        kept += [a, b]""",
    "tasks": """import os, time
while True:
    try: os.fork()
    except OSError: time.sleep(0.01)""",
}


def sandbox_bytes(pid):
    """What the host holds for the sandbox: its guest memory, and what the process has to itself."""
    total = 0
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(link).startswith("/memfd:"):
                total += os.stat(link).st_blocks * 512
        except FileNotFoundError:  # closed meanwhile
            pass
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return total + int(status.split("RssAnon:")[1].split()[0]) * 1024


def bomb(name):
    def test(box):
        pod, pod_folder = start_pod(box)
        neighbour, _ = add(box, pod, "sleep 1000")
        limit = 96 * MIB
        before = sandbox_bytes(pid_of(pod_folder))
        container, folder = member(box, pod, ["python3", "-c", BOMBS[name]], memory=limit)
        most = 0

        def over():
            nonlocal most
            most = max(most, sandbox_bytes(pid_of(pod_folder)))
            return box.status(container) == "stopped"

        box.until(over, f"the end of who takes {name}", limit=120)
        expect(box.ask("exec", neighbour, "echo", "alive").ok(), "alive\n")
        expect(box.status(pod), "running")
        expect(most - before < limit + 64 * MIB, True, f"{before >> 20} MiB at first, {most >> 20} MiB at most")
    test.__name__ = "test_bomb_of_" + name.replace(" ", "_")
    test.__doc__ = f"Memory by {name}: the container pays for it, its neighbour does not."
    return ours(test)


for _name in BOMBS:
    globals()[f"test_bomb_of_{_name.replace(' ', '_')}"] = bomb(_name)
