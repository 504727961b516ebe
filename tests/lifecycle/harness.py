"""Containers for tests: bundles, runs, terminals, and what a test may ask of the sandbox process."""

import copy
import ctypes
import fcntl
import itertools
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time

from checks import Ended, Failed, expect, expect_in  # noqa: F401

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000

CAPS = ["CAP_" + name for name in (
    "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP"
).split()]

CONFIG = {
    "ociVersion": "1.0.2",
    "hostname": "lifecycle",
    "root": {"path": "", "readonly": False},
    "process": {
        "terminal": False,
        "args": [],
        "cwd": "/",
        "user": {"uid": 0, "gid": 0},
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=xterm"],
        "capabilities": {kind: CAPS for kind in ("bounding", "effective", "permitted")},
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 4096, "soft": 1024}],
        "noNewPrivileges": False,
    },
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]},
    ],
    "linux": {
        "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")],
        "maskedPaths": ["/proc/kcore"],
        "readonlyPaths": ["/proc/sys"],
    },
}


class Box:
    """Runs containers with one runtime in one mode; everything it makes is gone after close()."""

    _serial = itertools.count()

    def __init__(self, options):
        self.mode, self.runtime, self.rootfs = options.on, options.runsc, options.rootfs
        self.slow = 4 if options.on == "ring0" else 1
        self.network = "none"
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="lifecycle."))
        self.work.chmod(0o755)
        self._live = []
        self._detached = []
        self._last = []

    def at_the_end(self, function):
        """Called by close(), when the containers are gone; the last one first."""
        self._last.append(function)

    def close(self):
        if self._detached:
            self.finish(self.manage("delete", "--force", *self._detached))
        for process in self._live:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for function in reversed(self._last):
            function()
        shutil.rmtree(self.work, ignore_errors=True)

    def delete_at_the_end(self, name):
        if name not in self._detached:
            self._detached.append(name)

    def config(self, args, **process):
        """A configuration that runs args (a list, or a line for the shell); the rest goes into `process`."""
        config = copy.deepcopy(CONFIG)
        config["root"]["path"] = self.rootfs
        if self.mode == "runc":  # the oracle writes where it may: never into the shared tree
            config["root"]["readonly"] = True
        config["process"]["args"] = ["bash", "-c", args] if isinstance(args, str) else args
        config["process"].update(process)
        return config

    def bundle(self, config):
        folder = self.work / f"bundle{next(self._serial)}"
        folder.mkdir()
        text = config if isinstance(config, str) else json.dumps(config, indent=1)
        (folder / "config.json").write_text(text)
        return folder

    def command(self, *words, options=()):
        mode = [] if self.mode == "runc" else [f"--kvm-mode={self.mode}", f"--network={self.network}"]
        return [self.runtime, *mode, *options, *words]

    def run_command(self, config, options=()):
        folder = self.bundle(config)
        return self.command("run", "--bundle", str(folder), f"lc-{os.getpid()}-{next(self._serial)}", options=options)

    def manage(self, *words, options=()):
        """A command about containers that live in a state directory of the box's own."""
        return self.command(*words, options=("--root", str(self.work / "state"), *options))

    def ask(self, *words, stdin=b"", limit=60, options=(), **how):
        return self.finish(self.manage(*words, options=options), stdin, limit, **how)

    def create(self, args, change=None, verb="create", flags=(), **process):
        """A container that lives without us: its id, and the folder that holds its pid and its output."""
        config = self.config(args, **process)
        if change:
            change(config)
        folder = self.bundle(config)
        name = f"lc-{os.getpid()}-{next(self._serial)}"
        self._detached.append(name)
        command = self.manage(verb, "--bundle", str(folder), "--pid-file", str(folder / "pid"), *flags, name)
        with open(folder / "out", "wb") as out, open(os.devnull, "rb") as nothing:
            made = self.start(command, stdin=nothing, stdout=out, stderr=subprocess.STDOUT)
            status = made.wait(60 * self.slow)
        expect(status, 0, f"{verb}: {(folder / 'out').read_text()}")
        return name, folder

    def status(self, name):
        return json.loads(self.ask("state", name).ok())["status"]

    def until(self, condition, what, limit=30):
        """Looks again and again: for what no process tells us of by itself."""
        end = time.monotonic() + limit * self.slow
        while not condition():
            if time.monotonic() > end:
                raise Failed(f"{what}: not within {limit * self.slow} s")
            time.sleep(0.02)

    def start(self, command, **how):
        """The command as a process in a group of its own, ended with the box at the latest."""
        how.setdefault("start_new_session", True)
        process = subprocess.Popen(command, **how)
        self._live.append(process)
        return process

    def finish(self, command, stdin=b"", limit=60, **how):
        process = self.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)
        try:
            out, err = process.communicate(stdin, limit * self.slow)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise Failed(f"no end within {limit * self.slow} s\nstdout: {out[-2000:]!r}\nstderr: {err[-4000:]!r}") from None
        return Ended(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def run(self, args, stdin=b"", limit=60, change=None, options=(), **process):
        """Runs a container to its end. `change` may alter the configuration."""
        config = self.config(args, **process)
        if change:
            change(config)
        return self.finish(self.run_command(config, options), stdin, limit)

    def runsc(self, *words, stdin=b"", limit=60, **how):
        return self.finish(self.command(*words), stdin, limit, **how)

    def terminal(self, args, rows=24, columns=80):
        config = self.config(args, terminal=True)
        return Terminal(self, self.run_command(config), rows, columns)

    def background(self, args, change=None, **process):
        """A container whose standard streams are pipes, while it runs."""
        config = self.config(args, **process)
        if change:
            change(config)
        return self.start(self.run_command(config), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def read_line(process, limit=120):
    """The next line of a background container's output."""
    ready, _, _ = select.select([process.stdout], [], [], limit)
    if not ready:
        raise Failed("no line of output")
    return process.stdout.readline().decode().rstrip("\n")


class Terminal:
    """A container on a pseudo-terminal, as a person has it."""

    def __init__(self, box, command, rows, columns):
        self.slow = box.slow
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.process = box.start(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                 preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.slave = slave
        self.seen = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        os.write(self.master, text.encode())

    def wait_for(self, text, limit=30):
        """Reads on until the text was shown; returns what came up to its end."""
        end = time.monotonic() + limit * self.slow
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], 0.2)
            if ready:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
            elif self.process.poll() is not None:
                raise Failed(f"ended with {self.process.returncode} before {text!r} was shown: {self.seen!r}")
            if time.monotonic() > end:
                raise Failed(f"{text!r} was not shown: {self.seen!r}")
        shown, _, self.seen = self.seen.partition(text)
        return shown + text

    def wait(self, limit=30):
        try:
            return self.process.wait(limit * self.slow)
        except subprocess.TimeoutExpired:
            raise Failed(f"still runs; shown: {self.seen!r}") from None


def family(pid):
    """The process and all that descend from it."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += parents.get(found[-1], [])
    return found


def sandbox_pid(pid):
    """The process in the family of pid that holds the virtual machine."""
    for candidate in family(pid):
        try:
            links = [os.readlink(link) for link in pathlib.Path(f"/proc/{candidate}/fd").iterdir()]
        except OSError:
            continue
        if any("kvm-vm" in link for link in links):
            return candidate
    raise Failed(f"no process of {family(pid)} has a virtual machine open")


def status_fields(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def own_mounts():
    """A mount namespace of its own: what others mount meanwhile is not taken for what a container left behind."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        raise OSError(ctypes.get_errno(), "a mount namespace for the tests")
