"""What goes wrong: containerd or the shim killed, a runtime that is not there, garbage on the socket."""

import os
import pathlib
import signal
import socket
import struct

from harness import Failed, expect, expect_in, processes, wait_for

SLEEPER = ("/bin/sleep", "1000")


def test_containerd_killed(containerd):
    name = containerd.detached(*SLEEPER)
    shims = containerd.shims()
    containerd.kill()
    containerd.start()
    expect(containerd.tasks()[name][1], "RUNNING")
    expect(containerd.shims(), shims)
    expect(containerd.ctr("task", "exec", "--exec-id", "x", name, "/bin/echo", "still here").ok(), "still here\n")
    containerd.remove(name)
    wait_for(lambda: not containerd.shims(), "the shim is gone")


def test_end_while_containerd_is_away(containerd):
    name = containerd.detached(*SLEEPER)
    pid = containerd.tasks()[name][0]
    containerd.kill()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the container is reaped")
    containerd.start()
    # containerd 1.7 and later forget at once a task without processes.
    wait_for(lambda: containerd.tasks().get(name, (0, "GONE"))[1] in ("STOPPED", "GONE"), "containerd hears of the end")
    containerd.ctr("task", "delete", name)
    containerd.ctr("container", "delete", name).ok()


def test_shim_killed(containerd):
    name = containerd.detached(*SLEEPER)
    pid = containerd.tasks()[name][0]
    shim, = containerd.shims()
    path = containerd.shim_socket(shim)
    os.kill(shim, signal.SIGKILL)
    wait_for(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the container is gone")
    wait_for(lambda: containerd.tasks().get(name, (0, "GONE"))[1] in ("GONE", "STOPPED", "UNKNOWN"), "containerd knows")
    wait_for(lambda: not pathlib.Path(path).exists(), "the socket is gone")
    with open("/proc/self/mounts") as mounts:
        expect(f"/{name}/rootfs" in mounts.read(), False, "mounted")
    containerd.ctr("task", "delete", name)
    containerd.ctr("container", "delete", name).ok()


def test_unknown_runtime(containerd):
    other = containerd.work / "other.toml"
    other.write_text('binary_name = "/nonexistent/runtime"\n')
    name = containerd.name()
    words = containerd.run_words(name, *SLEEPER, options=["--rm", "--annotation", f"dev.runsc.config-path={other}"])
    ended = containerd.ctr(*words)
    expect(ended.status != 0, True, "refused")
    expect_in("/nonexistent/runtime", ended.err)
    wait_for(lambda: not containerd.shims(), "the shim is gone")


def test_bad_options(containerd):
    other = containerd.work / "bad.toml"
    other.write_text("binary_name = 7\n")
    name = containerd.name()
    ended = containerd.ctr(*containerd.run_words(name, *SLEEPER, options=["--rm", "--annotation", f"dev.runsc.config-path={other}"]))
    expect_in("binary_name: must be a string", ended.err)


def test_program_that_is_not_there(containerd):
    ended = containerd.run("/bin/nothing-here")
    expect(ended.status != 0, True, "refused")
    expect_in("nothing-here", ended.err)
    wait_for(lambda: not containerd.shims(), "the shim is gone")


def frame(stream, kind, payload, length=None):
    return struct.pack(">IIBB", len(payload) if length is None else length, stream, kind, 0) + payload


def answer(connection):
    header = connection.recv(10, socket.MSG_WAITALL)
    length, stream, kind, _ = struct.unpack(">IIBB", header)
    return stream, kind, connection.recv(length, socket.MSG_WAITALL)


def test_garbage(containerd):
    name = containerd.detached(*SLEEPER)
    shim, = containerd.shims()
    path = containerd.shim_socket(shim)
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(path)
        one.sendall(os.urandom(100000))
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(20)
        one.connect(path)
        one.sendall(frame(1, 1, b"\xff" * 50))
        expect(answer(one)[:2], (1, 2), "malformed request")
        one.sendall(frame(3, 1, b"", length=5 << 20) + b"\0" * (5 << 20))
        stream, kind, text = answer(one)
        expect((stream, kind), (3, 2), "oversized request")
        expect_in(b"exceeds", text)
        one.sendall(frame(4, 1, b""))
        expect(answer(one)[:2], (4, 2), "even stream")
        # Of no known type: ignored; the next is answered.
        one.sendall(frame(5, 77, b"abc") + frame(7, 1, b"\x0a\x01x\x12\x01y"))
        stream, _, text = answer(one)
        expect(stream, 7)
        expect_in(b"no service x", text)
    expect(containerd.tasks()[name][1], "RUNNING")
    containerd.remove(name)
