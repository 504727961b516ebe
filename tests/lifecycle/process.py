"""How the container's first process is set up, and how its end is told."""

import os
import signal
import subprocess

from command import ours
from harness import expect, expect_in, read_line


def test_exit_status(box):
    for status in (0, 1, 7, 255):
        expect(box.run(f"exit {status}").status, status)


def test_death_by_signal(box):
    """Process 1 is proof against signals of its own, but not against its own faults."""
    expect(box.run(["python3", "-c", "import ctypes; ctypes.string_at(0)"]).status, 128 + signal.SIGSEGV)
    expect(box.run("kill -KILL $$; echo alive").ok(), "alive\n")


def test_streams_are_apart(box):
    ended = box.run("echo out; echo err >&2")
    expect((ended.out, ended.err), ("out\n", "err\n"))


def test_stdin_pipe(box):
    text = os.urandom(1 << 20).hex().encode()
    ended = box.run(["md5sum"], stdin=text)
    expect(ended.ok(), subprocess.run(["md5sum"], input=text, stdout=subprocess.PIPE).stdout.decode())


def test_stdout_to_a_file(box):
    path = box.work / "out"
    path.write_text("before\n")
    with open(path, "ab") as out:
        process = box.start(box.run_command(box.config("echo one; echo two")), stdout=out)
        expect(process.wait(60 * box.slow), 0)
    expect(path.read_text(), "before\none\ntwo\n")


def test_large_output(box):
    ended = box.run("head -c 20000000 /dev/zero | tr '\\0' x")
    expect(len(ended.ok()), 20000000)


def test_output_to_a_closed_pipe(box):
    process = box.background("yes")
    read_line(process)
    process.stdout.close()
    status = process.wait(60 * box.slow)
    expect(status in (141, 1), True, f"exit status {status} of yes without a reader")


def test_environment_and_folder(box):
    ended = box.run(["sh", "-c", "pwd; echo $A; env | grep -c ."], cwd="/usr/share",
                    env=["PATH=/usr/bin:/bin", "A=b c"])
    expect(ended.ok().splitlines()[:2], ["/usr/share", "b c"])


def test_user_and_groups(box):
    ended = box.run(["sh", "-c", "id -u; id -g; id -G"], user={"uid": 1000, "gid": 1001, "additionalGids": [5, 6]})
    expect(ended.ok().split(), ["1000", "1001", "1001", "5", "6"])


def test_capabilities(box):
    caps = {kind: ["CAP_CHOWN", "CAP_KILL"] for kind in ("bounding", "effective", "permitted")}
    ended = box.run(["grep", "^Cap", "/proc/self/status"], capabilities=caps)
    fields = dict(line.split(":\t") for line in ended.ok().splitlines())
    expect((fields["CapPrm"], fields["CapEff"], fields["CapBnd"]), ("0000000000000021",) * 3)


def test_rlimits(box):
    ended = box.run("ulimit -Sn; ulimit -Hn; ulimit -Sc", rlimits=[
        {"type": "RLIMIT_NOFILE", "soft": 300, "hard": 400}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}])
    expect(ended.ok().split(), ["300", "400", "0"])


def test_no_new_privileges(box):
    for wanted in (True, False):
        ended = box.run(["grep", "NoNewPrivs", "/proc/self/status"], noNewPrivileges=wanted)
        expect(ended.ok().split()[1], str(int(wanted)))


def test_hostname(box):
    expect(box.run("hostname; uname -n").ok().split(), ["lifecycle", "lifecycle"])


@ours
def test_kernel_release(box):
    release = box.run(["uname", "-sr"]).ok()
    expect_in("Linux 6.1", release)


def test_first_process(box):
    """Process 1, in a session of its own, with nothing inherited but the three streams."""
    ended = box.run("echo $$; echo /proc/self/fd/* | wc -w")
    expect(ended.ok().split(), ["1", "4"])


def test_signals_are_passed_on(box):
    process = box.background("trap 'echo got; exit 5' TERM; echo up; while :; do sleep 0.1; done")
    expect(read_line(process), "up")
    process.send_signal(signal.SIGTERM)
    expect(read_line(process), "got")
    expect(process.wait(60 * box.slow), 5)


def test_init_without_a_handler_gets_only_sigkill(box):
    process = box.background("echo up; read -r line; echo $line; read -r line")
    expect(read_line(process), "up")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        process.send_signal(number)
    process.stdin.write(b"still here\n")
    process.stdin.flush()
    expect(read_line(process), "still here")


def test_orphans_end_with_the_first(box):
    expect(box.run("sleep 1000 & echo up").ok(), "up\n")


LOG = """echo one > /dev/stdout; echo two > /dev/stderr; echo three >> /proc/self/fd/1; echo four | tee -a /dev/stderr
: < /dev/stdin; python3 -c 'open("/dev/stdout", "a").write("five\\n")'"""


def test_streams_are_opened_again(box):
    """Servers log by /dev/stdout and /dev/stderr, also as users to whom the host's pipes do not belong."""
    for uid in (0, 1000):
        ended = box.run(LOG, user={"uid": uid, "gid": uid}, env=["PATH=/usr/bin:/bin", "HOME=/tmp"])
        expect((ended.ok(), ended.err), ("one\nthree\nfour\nfive\n", "two\nfour\n"), f"as user {uid}")


@ours  # runc stands between with a pipe
def test_a_file_is_opened_again(box):
    """As on Linux: with a position of its own, and truncated if one asks for it."""
    path = box.work / "log"
    path.write_text("before\n")
    with open(path, "ab") as out:
        process = box.start(box.run_command(box.config(
            "echo a; echo b >> /dev/stdout; echo c")), stdout=out)
        expect(process.wait(60 * box.slow), 0)
    expect(path.read_text(), "before\na\nb\nc\n")
    with open(path, "ab") as out:
        process = box.start(box.run_command(box.config("echo a; echo b > /dev/stdout; echo c")), stdout=out)
        expect(process.wait(60 * box.slow), 0)
    expect(path.read_text(), "b\nc\n")
