"""What goes in and what comes out: pipes, terminals, files, logging programs."""

import fcntl
import hashlib
import os
import pty
import select
import struct
import subprocess
import termios

from harness import Failed, expect, expect_in, wait_for


def feed(process, data):
    """Input for a process that has said that it runs: ctr 1.6 forgets an end of input that comes before the task."""
    line = process.stdout.readline()
    out, err = process.communicate(data, 60)
    expect(line, b"ready\n", err)
    expect(process.returncode, 0, err)
    return out


def run_fed(containerd, line, data):
    words = containerd.run_words(containerd.name(), "/bin/sh", "-c", "echo ready; " + line, options=["--rm"])
    return feed(containerd.background(*words, stdin=subprocess.PIPE), data)


def test_stdin(containerd):
    expect(run_fed(containerd, "cat", b"one\ntwo\n"), b"one\ntwo\n")


def test_much_of_both(containerd):
    data = os.urandom(3 << 20)
    expect(run_fed(containerd, "md5sum", data).split()[0].decode(), hashlib.md5(data).hexdigest())
    out = containerd.run("/bin/sh", "-c", "seq 1 200000").ok()
    expect(hashlib.md5(out.encode()).hexdigest(),
           hashlib.md5("".join(f"{n}\n" for n in range(1, 200001)).encode()).hexdigest())


def test_exec_stdin(containerd):
    name = containerd.detached("/bin/sleep", "1000")
    process = containerd.background("task", "exec", "--exec-id", "cat", name, "/bin/sh", "-c", "echo ready; cat",
                                    stdin=subprocess.PIPE)
    expect(feed(process, b"through\n"), b"through\n")
    containerd.remove(name)


def test_terminal(containerd):
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    name = containerd.name()
    words = containerd.run_words(name, "/bin/sh", options=["--rm", "-t"])
    process = subprocess.Popen(containerd.command(*words), stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    seen = ""

    def shown(text):
        nonlocal seen
        if select.select([master], [], [], 0.2)[0]:
            seen += os.read(master, 65536).decode(errors="replace")
        return text in seen

    os.write(master, b"echo te''st; tty\r")
    try:
        wait_for(lambda: shown("test\r"), "output")
        wait_for(lambda: shown("/dev/"), "a terminal")
        os.write(master, b"stty size; exit 3\r")
        wait_for(lambda: shown("33 101"), "the size of the terminal")
        expect(process.wait(30), 3)
    except Failed as error:
        raise Failed(f"{error}: {seen!r}") from None
    finally:
        process.kill()
        os.close(master)


def test_log_file(containerd):
    log = containerd.work / "logs" / "out.log"
    name = containerd.detached("/bin/sh", "-c", "echo to-the-file; echo errors >&2", options=["--log-uri", f"file://{log}"])
    wait_for(lambda: containerd.tasks()[name][1] == "STOPPED", "the end")
    expect(sorted(log.read_text().split()), ["errors", "to-the-file"])
    containerd.remove(name)


def test_log_program(containerd):
    program = containerd.work / "logger"
    log = containerd.work / "program.log"
    program.write_text(f'#!/bin/bash\nexec >"$2"\necho "$CONTAINER_ID $1"\nexec 5>&-\ncat <&3\ncat <&4\n')
    program.chmod(0o755)
    name = containerd.detached("/bin/sh", "-c", "echo to-the-program",
                               options=["--log-uri", f"binary://{program}?path={log}"])
    wait_for(lambda: containerd.tasks()[name][1] == "STOPPED", "the end")
    wait_for(lambda: "to-the-program" in log.read_text(), "the log")
    expect_in(f"{name} path", log.read_text())
    containerd.remove(name)
