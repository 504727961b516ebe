"""The sandbox's memory limit, and memory given back."""

import os
import pathlib
import time

from command import ours
from harness import Failed, expect, read_line, sandbox_pid

MIB = 1 << 20


def limited(mib):
    return lambda config: config["linux"].update(resources={"memory": {"limit": mib * MIB}})


@ours
def test_over_the_limit_the_task_dies(box):
    """The one that grew is killed; the others and the sentry go on."""
    script = "python3 -c 'a = [bytearray(1 << 20) for _ in range(1000)]'; echo status $?; echo still here"
    expect(box.run(script, change=limited(256)).ok().splitlines()[-2:], ["status 137", "still here"])


@ours
def test_below_the_limit_it_fits(box):
    script = "python3 -c 'b = bytearray(120 << 20); print(len(b) >> 20)'"
    expect(box.run(script, change=limited(256)).ok(), "120\n")


def guest_memory(pid):
    """Bytes that the host holds for the sandbox's memory files."""
    return sum(os.stat(link).st_blocks * 512 for link in pathlib.Path(f"/proc/{pid}/fd").iterdir()
               if os.readlink(link).startswith("/memfd:"))


@ours
def test_freed_memory_goes_back_to_the_host(box):
    script = """import sys
print("up", flush=True)
sys.stdin.readline()
import mmap
m = mmap.mmap(-1, 300 << 20)
for i in range(0, len(m), 4096): m[i] = 1
print("big", flush=True)
sys.stdin.readline()
m.close()
print("small", flush=True)
sys.stdin.readline()"""
    process = box.background(["python3", "-c", script], change=limited(1024))

    def step(word):
        line = read_line(process)
        if line != word:
            raise Failed(f"got {line!r}, expected {word!r}: {process.stderr.read().decode()}")
        return guest_memory(sandbox_pid(process.pid))

    def go_on():
        process.stdin.write(b"\n")
        process.stdin.flush()

    first = step("up")
    go_on()
    big = step("big")
    expect(big - first >= 300 * MIB, True, f"from {first} to {big} bytes")
    go_on()
    small = step("small")
    end = time.monotonic() + 10 * box.slow
    while small - first > 60 * MIB:
        if time.monotonic() > end:
            raise Failed(f"{first} bytes at first, {big} when grown, still {small} after it was freed")
        time.sleep(0.2)  # the sentry gives back in batches, in its own time
        small = guest_memory(sandbox_pid(process.pid))
    go_on()
    expect(process.wait(60 * box.slow), 0)
