"""The container on a terminal, as a person has it."""

import signal
import termios

from harness import expect


def shell(box, **size):
    box_terminal = box.terminal(["bash", "--norc", "-i"], **size)
    box_terminal.send("bind 'set enable-bracketed-paste off'; PS1='re''ady> '\r")
    box_terminal.wait_for("ready> ")
    return box_terminal


def ask(terminal, line):
    """Types a line; returns what it printed."""
    terminal.send(line + "\r")
    shown = terminal.wait_for("ready> ")
    return shown.replace("\r", "").partition("\n")[2].removesuffix("ready> ").strip()


def test_interactive_shell(box):
    terminal = shell(box, rows=30, columns=100)
    expect(ask(terminal, "tty"), "/dev/pts/0")
    expect(ask(terminal, "stty size"), "30 100")
    expect(ask(terminal, "echo $((6*7))"), "42")
    terminal.send("exit 4\r")
    expect(terminal.wait(), 4)


def test_interrupt(box):
    terminal = shell(box)
    terminal.send("sh -c 'echo st''arted; exec sleep 1000'\r")
    terminal.wait_for("started")
    terminal.send("\x03")
    terminal.wait_for("ready> ")
    expect(ask(terminal, "echo $?"), "130")


def test_job_control(box):
    terminal = shell(box)
    terminal.send("cat\r")
    terminal.wait_for("cat\r\n")
    terminal.send("typed\r")
    terminal.wait_for("typed\r\ntyped")
    terminal.send("\x1a")
    terminal.wait_for("Stopped")
    terminal.wait_for("ready> ")
    expect(ask(terminal, "jobs | grep -c Stopped"), "1")
    terminal.send("fg\r")
    terminal.wait_for("fg\r\ncat\r\n")
    terminal.send("again\r")
    terminal.wait_for("again\r\nagain")
    terminal.send("\x04")
    terminal.wait_for("ready> ")


def test_window_size_follows(box):
    terminal = shell(box)
    ask(terminal, "trap 'echo size $(stty size)' WINCH")
    terminal.resize(50, 132)
    terminal.process.send_signal(signal.SIGWINCH)
    terminal.wait_for("size 50 132")


def test_the_host_terminal_is_put_back(box):
    terminal = shell(box)
    terminal.send("exit\r")
    expect(terminal.wait(), 0)
    expect(termios.tcgetattr(terminal.slave), terminal.before, "settings of the host's terminal")


def test_vi_draws(box):
    """A full-screen program: busybox vi opens, edits and saves."""
    terminal = shell(box)
    terminal.send("busybox vi /tmp/file\r")
    terminal.wait_for("- /tmp/file")
    terminal.send("ihello")
    terminal.wait_for("hello")
    terminal.send("\x1b")
    terminal.wait_for("- /tmp/file")
    terminal.send(":wq\r")
    terminal.wait_for("ready> ")
    expect(ask(terminal, "cat /tmp/file"), "hello")


def test_the_terminal_is_opened_again(box):
    terminal = shell(box)
    for name in ("/dev/stdout", "/dev/stderr", "/proc/self/fd/1", "/dev/tty"):
        expect(ask(terminal, f"echo by na''me > {name}"), "by name")
