"""Runs stressors and counts, before and after each, what the kernel holds. Runs in the container.

usage: inside.py SECONDS CLASS...: after each count it waits for a line, so that whoever started it can count outside too.
A class is the name of a stressor of stress-ng, with options behind it after commas: "sock,--sock-domain,unix".
"""

import glob
import json
import os
import subprocess
import sys
import time

SETTLE = 30  # seconds in which what is on its way to its end must have got there
TIME_WAIT = 60  # and those of a connection of TCP that has been closed
# What may be more afterwards. Objects: names that are in use just now. Pages: what the counting itself has mapped, and
# tables that wait to be forgotten together. Descriptors of the sandbox: files of the root that were opened meanwhile.
ALLOWED = {"objects KiB": 64, "pages KiB": 4096, "sandbox fds": 8}


def leaks(before, after):
    return [f"{key} {before[key]} -> {after[key]}" for key in before if after[key] > before[key] + ALLOWED.get(key, 0)]


def reap():
    """This is the container's init: orphans come here."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def field(path, name):
    with open(path) as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name))


def count():
    reap()
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("2")
    with open("/proc/sys/fs/file-nr") as file:
        files = int(file.read().split()[0])
    with open("/proc/sys/fs/aio-nr") as file:
        aio = int(file.read())
    with open("/proc/self/mountinfo") as file:
        mounts = len(file.readlines())
    ipc = 0
    for kind in ("shm", "sem", "msg"):
        with open("/proc/sysvipc/" + kind) as file:
            ipc += len(file.readlines()) - 1
    info = "/proc/meminfo"
    return {"tasks": len(glob.glob("/proc/[0-9]*/task/[0-9]*")), "files": files, "aio": aio, "mounts": mounts, "ipc": ipc,
            "tmp": int(subprocess.run(["du", "-sk", "/tmp"], stdout=subprocess.PIPE).stdout.split()[0]),
            "objects KiB": field(info, "SUnreclaim:"), # What is kept for the next tasks and their stacks grows with the most there were at once.
            "pages KiB": field(info, "MemTotal:") - field(info, "MemFree:") - field(info, "SReclaimable:")}


def connections_wait():
    with open("/proc/net/sockstat") as file:
        words = next(line for line in file if line.startswith("TCP:")).split()
    return int(words[words.index("tw") + 1]) > 0


def tell(**what):
    print("@ " + json.dumps(what), flush=True)
    sys.stdin.readline()


def stress(name, seconds):
    kind, *more = name.split(",")
    run = subprocess.run(["stress-ng", "--" + kind, "2", "--timeout", str(seconds), "--temp-path", "/tmp", *more],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    return run.returncode, run.stdout


def at_rest():
    """What there is once nothing falls any more."""
    now = count()
    for _ in range(SETTLE):
        time.sleep(0.5)
        last, now = now, count()
        if not leaks(now, last):
            break
    return now


def settled(before):
    """What is left once it is no more than before, or after a while."""
    begun = time.monotonic()
    while leaks(before, now := count()) and time.monotonic() < begun + SETTLE + (TIME_WAIT if connections_wait() else 0):
        time.sleep(0.2)
    return now


def main():
    seconds, names = int(sys.argv[1]), sys.argv[2:]
    for name in names:
        tell(begun=name)
        status, text = stress(name, 1)  # what stays for ever once it has been there is there now
        if status == 0:
            before = at_rest()
            tell(name=name, before=before)
            status, text = stress(name, seconds)
            tell(name=name, after=settled(before))
        tell(name=name, status=status, text=text[-2000:] if status else "")


if __name__ == "__main__":
    main()
