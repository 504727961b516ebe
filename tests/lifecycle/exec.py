"""Processes that join a running container."""

import array
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import termios

from command import ours
from detached import pid_of, reap, subreaper
from harness import Terminal, expect, expect_in, read_line


def running(box, args=("sleep", "1000")):
    return box.create(args if isinstance(args, str) else list(args), verb="run", flags=("--detach",))[0]


def leave(box, name, *args):
    """Runs args detached, without streams of ours; the pid that stands for it."""
    pid_file = box.work / "exec-pid"
    command = box.manage("exec", "--detach", "--pid-file", str(pid_file), name, *args)
    expect(box.start(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).wait(60 * box.slow), 0)
    return int(pid_file.read_text())


def test_streams_and_status(box):
    name = running(box)
    ended = box.ask("exec", name, "sh", "-c", "cat; echo err >&2; exit 6", stdin=b"typed")
    expect((ended.status, ended.out, ended.err), (6, "typed", "err\n"))


def test_same_container(box):
    name = running(box, "hostname inside 2>/dev/null; echo left > /tmp/file; exec sleep 1000")
    box.until(lambda: box.ask("exec", name, "cat", "/tmp/file").out == "left\n", "the file")
    shown = box.ask("exec", name, "ps", "-A", "-o", "pid,comm").ok()
    expect_in("1 sleep", shown)
    expect(box.ask("exec", name, "cat", "/proc/1/comm").ok(), "sleep\n")


def test_death_by_signal(box):
    name = running(box)
    expect(box.ask("exec", name, "sh", "-c", "kill -9 $$").status, 137)


def test_large_streams(box):
    name = running(box)
    text = os.urandom(1 << 20).hex().encode()
    ended = box.ask("exec", name, "cat", stdin=text)
    expect(ended.ok() == text.decode(), True, "a megabyte in and out")


def test_flags(box):
    name = running(box)
    ended = box.ask("exec", "--cwd", "/usr", "--env", "A=b c", "--user", "1000:1001", name, "sh", "-c",
                    "pwd; echo $A; id -u; id -g")
    expect(ended.ok().split("\n")[:4], ["/usr", "b c", "1000", "1001"])


def test_process_file(box):
    name = running(box)
    process = dict(box.config(["sh", "-c", "echo $X; exit 3"])["process"], env=["PATH=/usr/bin:/bin", "X=y"])
    path = box.work / "process.json"
    path.write_text(json.dumps(process))
    ended = box.ask("exec", "--process", str(path), name)
    expect((ended.status, ended.out), (3, "y\n"))


def test_bad_process_file(box):
    name = running(box)
    path = box.work / "process.json"
    for text in ("{", "[]", '{"args": []}', '{"args": ["x"], "cwd": 5}'):
        path.write_text(text)
        expect(box.ask("exec", "--process", str(path), name).status != 0, True, text)
    expect(box.status(name), "running")


def test_missing_program(box):
    name = running(box)
    for program, text in (("/no/such/program", "no such file or directory"),
                          ("no-such-program", "executable file not found in $PATH")):
        ended = box.ask("exec", name, program)
        expect(ended.status != 0, True)
        expect_in(text, ended.err)


def test_detached(box):
    subreaper()
    name = running(box)
    expect(reap(box, leave(box, name, "sh", "-c", "sleep 0.1; exit 4")), 4)


@ours
def test_detached_and_over_at_once(box):
    name = running(box)
    for _ in range(20):
        ended = box.ask("exec", "--detach", name, "true")
        expect((ended.status, ended.err), (0, ""))


def test_detached_holds_nothing_of_the_caller(box):
    name = running(box)
    reader, writer = os.pipe()
    command = box.manage("exec", "--detach", name, "sleep", "1000")
    left = box.start(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=(writer,))
    os.close(writer)
    expect(left.wait(60 * box.slow), 0)
    readable, _, _ = select.select([reader], [], [], 10)
    expect(readable, [reader], "end of the pipe")
    expect(os.read(reader, 1), b"")
    os.close(reader)


def test_detached_signals(box):
    subreaper()
    name = running(box)
    script = "trap 'exit 8' TERM; touch /tmp/trapped; while :; do sleep 0.05; done"
    pid = leave(box, name, "bash", "-c", script)
    box.until(lambda: box.ask("exec", name, "test", "-e", "/tmp/trapped").status == 0, "the trap is set")
    os.kill(pid, signal.SIGTERM)
    expect(reap(box, pid), 8)


def test_detached_killed(box):
    subreaper()
    name = running(box)
    pid = leave(box, name, "sleep", "1234")
    expect_in("1234", box.ask("exec", name, "ps", "-A", "-o", "args").ok())
    os.kill(pid, signal.SIGKILL)
    reap(box, pid)
    box.until(lambda: "1234" not in box.ask("exec", name, "ps", "-A", "-o", "args").ok(), "the process is gone")


def test_ends_with_the_container(box):
    name = running(box)
    process = box.start(box.manage("exec", name, "sleep", "1000"))
    box.until(lambda: "sleep 1000" in box.ask("exec", name, "ps", "-A", "-o", "args").ok(), "the process")
    box.ask("kill", name, "KILL").ok()
    expect(process.wait(60 * box.slow), 137)


def test_into_a_stopped_container(box):
    subreaper()
    name, folder = box.create(["true"], verb="run", flags=("--detach",))
    reap(box, pid_of(folder))
    ended = box.ask("exec", name, "true")
    expect(ended.status != 0, True)
    expect_in("stopped", ended.err)


def test_terminal(box):
    name = running(box)
    terminal = Terminal(box, box.manage("exec", "--tty", name, "bash", "--norc", "-i"), 33, 101)
    terminal.send("bind 'set enable-bracketed-paste off'; PS1='re''ady> '\r")
    terminal.wait_for("ready> ")
    terminal.send("stty size; tty\r")
    terminal.wait_for("33 101")
    terminal.wait_for("/dev/pts/")
    terminal.wait_for("ready> ")
    terminal.resize(40, 90)
    terminal.process.send_signal(signal.SIGWINCH)
    terminal.send("while [ \"$(stty size)\" != '40 90' ]; do :; done; echo chan''ged\r")
    terminal.wait_for("changed")
    terminal.send("sh -c 'echo wait''ing; exec sleep 1000'\r")
    terminal.wait_for("waiting")
    terminal.send("\x03")
    terminal.wait_for("ready> ")
    terminal.send("exit 5\r")
    expect(terminal.wait(), 5)


def take_console(listener):
    """The master that comes over a console socket."""
    connection, _ = listener.accept()
    with connection:
        _, control, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
    fds = array.array("i")
    fds.frombytes(control[0][2][:4])
    return fds[0]


def read_all(master):
    text = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # EIO: nobody has the other end open
            return text.decode()
        if not part:
            return text.decode()
        text += part


def console(box, *words):
    path = str(box.work / "console")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    process = box.start(box.manage(*words[:1], "--console-socket", path, *words[1:]))
    master = take_console(listener)
    listener.close()
    os.unlink(path)
    return process, master


def test_console_socket(box):
    subreaper()
    name = running(box)
    pid_file = box.work / "exec-pid"
    process, master = console(box, "exec", "--tty", "--detach", "--pid-file", str(pid_file), name, "sh", "-c",
                              "tty; seq 2000; echo last")
    expect(process.wait(60 * box.slow), 0)
    shown = read_all(master)
    os.close(master)
    expect_in("/dev/pts/", shown)
    expect(shown.endswith("2000\r\nlast\r\n"), True, f"end of {shown[-100:]!r}")
    expect(reap(box, int(pid_file.read_text())), 0)


def test_console_resize(box):
    subreaper()
    name = running(box)
    pid_file = box.work / "exec-pid"
    process, master = console(box, "exec", "--tty", "--detach", "--pid-file", str(pid_file), name, "bash", "-c",
                              "until [ \"$(stty size)\" = '44 55' ]; do sleep 0.02; done; echo resized")
    expect(process.wait(60 * box.slow), 0)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 55, 0, 0))
    expect(read_all(master), "resized\r\n")
    os.close(master)
    expect(reap(box, int(pid_file.read_text())), 0)


@ours
def test_many_at_once(box):
    name = running(box)
    processes = [box.start(box.manage("exec", name, "sh", "-c", f"exit {n}")) for n in range(10)]
    expect([process.wait(60 * box.slow) for process in processes], list(range(10)))


@ours
def test_into_a_foreground_container(box):
    config = box.config(["sh", "-c", "echo ready; exec sleep 1000"])
    folder = box.bundle(config)
    box.start(box.manage("run", "--bundle", str(folder), "lc-front"), stdout=subprocess.PIPE)
    process = box._live[-1]
    expect(read_line(process), "ready")
    expect(box.ask("exec", "lc-front", "echo", "hi").ok(), "hi\n")
    box.ask("kill", "lc-front", "KILL").ok()
    expect(process.wait(60 * box.slow), 137)
