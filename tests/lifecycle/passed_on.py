"""Signals and streams that processes on the host pass on for a container, and then have nothing to do with."""

import json
import os
import signal
import subprocess

from command import ours
from detached import pid_of
from harness import expect
from pod import add, output, start_pod


CATCH_ALL = """$| = 1;
use Config; my @names = split ' ', $Config{sig_name};
for my $n (1 .. 64) { next if $n == 9 || $n == 19 || $n == 32 || $n == 33;
  $SIG{$names[$n]} = sub { syswrite STDOUT, "got $n\\n" } }
syswrite STDOUT, "ready\\n"; select undef, undef, undef, 1000 while 1"""


def catchable():
    return [number for number in range(1, 65) if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33, signal.SIGWINCH)]


def all_arrive(box, pid, read):
    box.until(lambda: "ready\n" in read(), "the handlers are set")
    for number in catchable():
        os.kill(pid, number)
        box.until(lambda: f"got {number}\n" in read(), f"signal {number}")


@ours
def test_every_signal_reaches_what_was_joined(box):
    name, folder = box.create(["sleep", "1000"], verb="run", flags=("--detach",))
    with open(folder / "exec.out", "wb") as out, open(os.devnull, "rb") as nothing:
        joined = box.start(box.manage("exec", "--detach", "--pid-file", str(folder / "exec.pid"), name, "perl", "-e",
                                      CATCH_ALL), stdin=nothing, stdout=out, stderr=out)
        expect(joined.wait(60 * box.slow), 0)
    all_arrive(box, int((folder / "exec.pid").read_text()), lambda: (folder / "exec.out").read_text())


@ours
def test_streams_that_the_container_closes_are_closed(box):
    """Nobody else has them open: whoever reads sees their end while the container goes on."""
    name, folder = "lc-streams", box.bundle(box.config("echo out; exec </dev/null >/dev/null 2>&1; exec sleep 1000"))
    box.delete_at_the_end(name)
    with open(os.devnull, "rb") as nothing:
        running = box.start(box.manage("run", "--detach", "--bundle", str(folder), name), stdin=nothing,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    expect(running.communicate(timeout=60 * box.slow)[0], b"out\n")
    expect(box.status(name), "running")
    pid = json.loads(box.ask("state", name).ok())["pid"]
    null = os.stat(os.devnull).st_rdev
    expect([os.stat(f"/proc/{pid}/fd/{fd}").st_rdev for fd in range(3)], [null] * 3)


@ours
def test_every_signal_reaches_a_member(box):
    pod, _ = start_pod(box)
    _, folder = add(box, pod, ["perl", "-e", CATCH_ALL])
    all_arrive(box, pid_of(folder), lambda: output(folder))
