"""A sentry that crashes, broken on purpose from outside: the sandbox ends with a report."""

import pathlib
import re
import subprocess

from command import ours
from harness import Failed, expect, expect_in, read_line, sandbox_pid

UD2 = b"\x0f\x0b"
HANDLER = "_ZN5runsc6kernel11sys_sysinfo"
SYS_SYSINFO = 99


def function(program, prefix):
    """(virtual address, file offset, first bytes) of the handler in an ELF file."""
    for line in subprocess.run(["nm", program], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines():
        words = line.split()
        if words[-1].startswith(prefix):
            address = int(words[0], 16)
            break
    else:
        raise Failed(f"no {prefix} in {program}")
    headers = subprocess.run(["readelf", "-lW", program], check=True, stdout=subprocess.PIPE, text=True).stdout
    for found in re.finditer(r"LOAD\s+0x(\w+) 0x(\w+) 0x\w+ 0x(\w+)", headers):
        offset, start, size = (int(number, 16) for number in found.groups())
        if start <= address < start + size:
            at = address - start + offset
            return address, at, pathlib.Path(program).read_bytes()[at:at + 32]
    raise Failed(f"{prefix} is in no segment of {program}")


def mappings(pid):
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, _, offset, _, _, *name = line.split(maxsplit=5)
        start, end = (int(number, 16) for number in span.split("-"))
        yield start, end, int(offset, 16), name[0] if name else ""


def break_hosted(pid, program):
    _, at, _ = function(program, HANDLER)
    for start, end, offset, name in mappings(pid):
        if name.endswith("/runsc") and offset <= at < offset + end - start:
            return start + at - offset
    raise Failed("the program is not mapped")


def break_ring0(pid, image):
    code = function(image, HANDLER)[2]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, _, name in mappings(pid):
            if "memfd:" not in name:
                continue
            memory.seek(start)
            at = memory.read(min(end - start, 32 << 20)).find(code)
            if at >= 0:
                return start + at
    raise Failed("the sentry is not in the sandbox's memory")


@ours
def test_a_crash_of_the_sentry_is_reported(box):
    script = f"$| = 1; print qq(up\\n); <STDIN>; $b = ' ' x 200; syscall {SYS_SYSINFO}, $b; print qq(back\\n)"
    process = box.background(["perl", "-e", script])
    expect(read_line(process), "up")
    pid = sandbox_pid(process.pid)
    build = pathlib.Path(box.runtime).resolve().parent
    address = break_ring0(pid, build / "sentry.elf") if box.mode == "ring0" else break_hosted(pid, build / "runsc")
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(address)
        memory.write(UD2)
    out, err = process.communicate(b"\n", 60 * box.slow)
    expect((process.returncode, out), (128, b""), f"exit status and output, with {err.decode()!r}")
    for word in ("rip", "rsp", "sys_sysinfo"):
        expect_in(word, err.decode(), "report")
