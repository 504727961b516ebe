"""The walls around the sandbox process, seen from the host while the application runs."""

import ctypes
import os
import pathlib
import signal

from command import ours
from harness import Failed, expect, read_line, sandbox_pid, status_fields

PTRACE_POKETEXT, PTRACE_CONT, PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_ATTACH = 4, 7, 12, 13, 16
SYS_SOCKET, SYS_EXECVE, SYS_PTRACE = 41, 59, 101
KEPT_CAPS = {0, 1, 2, 3, 4}  # file access: CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID


def running(box):
    process = box.background("echo up; read -r line")
    expect(read_line(process), "up")
    return process, sandbox_pid(process.pid)


@ours
def test_every_thread_is_confined(box):
    _, pid = running(box)
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        fields = status_fields(f"{pid}/task/{task.name}")
        expect((fields["NoNewPrivs"], fields["Seccomp"]), ("1", "2"), f"no_new_privs and seccomp of {fields['Name']}")
        for kind in ("CapEff", "CapPrm"):
            held = {bit for bit in range(64) if int(fields[kind], 16) >> bit & 1}
            expect(held - KEPT_CAPS, set(), f"{kind} of {fields['Name']}")


@ours
def test_only_the_mounts_of_the_container_are_in_sight(box):
    _, pid = running(box)
    if os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt"):
        raise Failed("the sandbox is in the host's mount namespace")
    for name in ("etc/passwd", "bin/sh", "usr/bin/env", str(pathlib.Path(__file__)).lstrip("/"), "proc/self/status"):
        expect(os.path.exists(f"/proc/{pid}/root/{name}"), False, f"/{name} at the root of the sandbox process")


@ours
def test_few_files_are_open(box):
    _, pid = running(box)
    links = [os.readlink(link) for link in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    strange = [link for link in links if link in ("/", "/etc/passwd")]
    expect(strange, [], f"among {links}")
    # By one socket the commands of runsc reach the sandbox; the other is the line that it hangs on.
    unix = pathlib.Path("/proc/net/unix").read_text().splitlines()
    sockets = [link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:")]
    lines = sorted((line.split()[6:] for line in unix if line.split()[6] in sockets), key=len)
    expect([len(line) for line in lines], [1, 2], f"sockets among {links}")
    expect(lines[1][1].endswith("/control"), True, str(lines))


class Registers(ctypes.Structure):
    """user_regs_struct of x86-64."""

    _fields_ = [(name, ctypes.c_ulonglong) for name in (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
        "fs_base gs_base ds es fs gs").split()]


def inject(pid, number):
    """Makes the thread run a system call of our choice, as code that took over the process would."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

    def ptrace(request, address=None, data=None):
        if libc.ptrace(request, pid, address, data) < 0:
            raise OSError(ctypes.get_errno(), f"ptrace {request}")

    ptrace(PTRACE_ATTACH)
    os.waitpid(pid, 0x40000000)  # __WALL
    registers = Registers()
    ptrace(PTRACE_GETREGS, None, ctypes.addressof(registers))
    ptrace(PTRACE_POKETEXT, registers.rip, 0xCC050F)  # syscall; int3
    registers.rax, registers.orig_rax = number, 0xFFFFFFFFFFFFFFFF
    registers.rdi = registers.rsi = registers.rdx = 0
    ptrace(PTRACE_SETREGS, None, ctypes.addressof(registers))
    ptrace(PTRACE_CONT)
    while True:
        _, status = os.waitpid(pid, 0x40000000)
        if os.WIFSIGNALED(status):
            return signal.Signals(os.WTERMSIG(status))
        if os.WIFEXITED(status):
            return f"exit {os.WEXITSTATUS(status)}"
        if os.WSTOPSIG(status) == signal.SIGTRAP:
            return "it came back"
        ptrace(PTRACE_CONT, None, os.WSTOPSIG(status))


@ours
def test_a_call_outside_the_list_kills(box):
    for number in (SYS_SOCKET, SYS_EXECVE, SYS_PTRACE):
        process, pid = running(box)
        # A tracer sees the end by itself unless the process is its own child, whose status Popen will then miss.
        expect(inject(pid, number), signal.SIGSYS, f"end after system call {number}")
        if pid != process.pid:
            expect(process.wait(60 * box.slow) != 0, True, "runsc run fails")
