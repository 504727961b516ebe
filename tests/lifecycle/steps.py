"""Kills a command, or the process that it starts, at a chosen one of its system calls: ptrace(2) by hand."""

import ctypes
import os
import signal

from harness import Failed

TRACEME, PEEKUSER, CONT, DETACH, SYSCALL, SETOPTIONS, GETEVENTMSG = 0, 3, 7, 17, 24, 0x4200, 0x4201
TRACESYSGOOD, TRACEFORK, TRACEVFORK, TRACECLONE, EXITKILL = 0x1, 0x2, 0x4, 0x8, 0x100000
EVENT_FORK, EVENT_VFORK, EVENT_CLONE = 1, 2, 3
SYSCALL_STOP = signal.SIGTRAP | 0x80
RDX, ORIG_RAX = 12 * 8, 15 * 8
OPENAT = 257
WALL = 0x40000000

# By their numbers on x86-64: what leaves something behind, tells somebody something or waits for somebody.
STEPS = {
    1: "write", 7: "poll", 46: "sendmsg", 49: "bind", 56: "clone", 57: "fork", 58: "vfork", 59: "execve", 62: "kill",
    73: "flock", 80: "chdir", 82: "rename", 83: "mkdir", 84: "rmdir", 87: "unlink", 112: "setsid", 155: "pivot_root",
    157: "prctl", 165: "mount", 166: "umount2", 231: "exit_group", 257: "openat", 258: "mkdirat", 263: "unlinkat",
    264: "renameat", 272: "unshare", 293: "pipe2", 319: "memfd_create", 424: "pidfd_send_signal", 428: "open_tree",
    429: "move_mount", 434: "pidfd_open", 435: "clone3",
}
THREAD = (56, 435)

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, pid, address=0, data=0):
    ctypes.set_errno(0)
    result = libc.ptrace(request, pid, address, data)
    if result == -1 and ctypes.get_errno() != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")
    return result


def begin(command, out):
    """The command, stopped before its first own instruction."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            null = os.open(os.devnull, os.O_RDONLY)
            for target, source in ((0, null), (1, out), (2, out)):
                os.dup2(source, target)
            ptrace(TRACEME, 0)
            os.execv(command[0], command)
        finally:
            os._exit(127)
    _, status = os.waitpid(pid, 0)
    if not os.WIFSTOPPED(status):
        raise Failed(f"cannot trace {command[0]}: {status}")
    return pid


def is_step(pid, call):
    # Looking at what is there is none.
    return call in STEPS and (call != OPENAT or ptrace(PEEKUSER, pid, RDX) & os.O_CREAT != 0)


def step_on(pid, number, until=()):
    """Runs the process to its number-th step and kills it there. (True, steps so far) or (False, all of them) when it
    ended, or came to one of the calls in `until`, before: then it goes on alone."""
    seen, entering, status, deliver = 0, True, 0, 0
    while True:
        ptrace(SYSCALL, pid, 0, deliver)
        _, status = os.waitpid(pid, WALL)
        deliver = 0
        if not os.WIFSTOPPED(status):
            return False, seen
        if os.WSTOPSIG(status) != SYSCALL_STOP:
            deliver = os.WSTOPSIG(status) if os.WSTOPSIG(status) != signal.SIGTRAP else 0
            continue
        if entering:
            call = ptrace(PEEKUSER, pid, ORIG_RAX)
            if is_step(pid, call):
                if seen == number:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, WALL)
                    return True, seen
                seen += 1
            if call in until:
                ptrace(DETACH, pid)
                return False, seen
        entering = not entering


def kill_command(command, number, out):
    """Kills the command at its number-th step: whether it came so far, and its steps."""
    pid = begin(command, out)
    ptrace(SETOPTIONS, pid, 0, TRACESYSGOOD | EXITKILL)
    return step_on(pid, number)


def kill_child(command, number, out, until=THREAD):
    """Kills the first process that the command starts at that one's number-th step; the command goes on: its pid,
    whether the child came so far, and its steps."""
    pid = begin(command, out)
    ptrace(SETOPTIONS, pid, 0, TRACEFORK | TRACEVFORK | TRACECLONE | EXITKILL)
    while True:
        ptrace(CONT, pid)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            raise Failed(f"the command ended with {status} and started nothing")
        if status >> 16 in (EVENT_FORK, EVENT_VFORK, EVENT_CLONE):
            break
    message = ctypes.c_ulong()
    ptrace(GETEVENTMSG, pid, 0, ctypes.addressof(message))
    child = message.value
    os.waitpid(child, WALL)  # it stops as well
    ptrace(SETOPTIONS, pid, 0, 0)
    ptrace(DETACH, pid)
    ptrace(SETOPTIONS, child, 0, TRACESYSGOOD | EXITKILL)
    # Its end is the command's to see: the tracer leaves it once it is killed.
    return pid, *step_on(child, number, until)
