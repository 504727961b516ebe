"""Docker's daemon and podman, each with all its files in a folder of its own, and what a test may ask of them."""

import io
import itertools
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time

from checks import Ended, Failed, expect, expect_in, wait_for  # noqa: F401

IMAGE = "local.test/busybox:1"


def processes_with(word):
    """Command lines that have it among or within their arguments."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if entry.name.isdigit() and word in line:
            found.append(line)
    return found


def make_layer(out, busybox):
    """A root file system with busybox for everything."""
    with tarfile.open(out, mode="w") as tar:
        for folder in ("bin", "tmp", "proc", "dev", "sys", "etc", "sbin", "root"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        for name, text in {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n",
                           "etc/group": "root:x:0:\nuser:x:1000:\n", "etc/message": "of the image\n"}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
        tar.add(busybox, arcname="bin/busybox")
        for name in subprocess.run([busybox, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split():
            if name != "busybox":
                entry = tarfile.TarInfo("bin/" + name)
                entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, "busybox", 0o777
                tar.addfile(entry)


class Engine:
    """The part that both have: one folder, commands, containers with names of their own."""

    _serial = itertools.count()

    def __init__(self, options):
        self.runtime, self.flags = options.runtime, options.flag
        self.work = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}."))
        self.work.chmod(0o755)
        self.daemon = None
        try:
            self.begin()
            make_layer(self.work / "layer.tar", options.busybox)
            self.ask("import", "--change", "ENV PATH=/bin:/sbin", str(self.work / "layer.tar"), IMAGE).ok()
        except Exception:
            self.close()
            raise

    def ask(self, *words, stdin=b"", limit=90):
        process = subprocess.Popen(self.line(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=self.environment(), start_new_session=True)
        try:
            out, err = process.communicate(stdin, limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise Failed(f"no end within {limit} s: {' '.join(words)}") from None
        return Ended(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def environment(self):
        return {**os.environ, "HOME": str(self.work)}

    def run(self, *words, flags=(), **how):
        return self.ask("run", "--rm", *self.common, *flags, IMAGE, *words, **how)

    def detached(self, *words, flags=()):
        name = f"test-{os.getpid()}-{next(self._serial)}"
        self.ask("run", "--detach", "--name", name, *self.common, *flags, IMAGE, *words).ok()
        return name

    def remove(self, name):
        self.ask("rm", "--force", *self.at_once, name).ok()

    def inspect(self, name, what):
        return self.ask("inspect", "--format", "{{" + what + "}}", name).ok().strip()

    def close(self):
        self.end()
        # What a test that failed has left mounted.
        for line in reversed(pathlib.Path("/proc/self/mountinfo").read_text().splitlines()):
            place = line.split()[4]
            if place.startswith(str(self.work)):
                subprocess.run(["umount", "-l", place], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.work, ignore_errors=True)


class Docker(Engine):
    name = "docker"
    gateway = "10.88.7.1"
    namespace = None
    common = ("--network", "none")
    at_once = ()

    def begin(self):
        config = {"runtimes": {"runsc": {"path": self.runtime, "runtimeArgs": [f"--{flag}" for flag in self.flags]}}}
        (self.work / "daemon.json").write_text(json.dumps(config))
        self.socket = f"unix://{self.work}/d.sock"
        self.log = open(self.work / "daemon.log", "wb")
        # Its bridge is in a network namespace of its own, and nothing of it on this machine.
        self.namespace = f"docker{os.getpid()}"
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        subprocess.run(["ip", "-n", self.namespace, "link", "set", "lo", "up"], check=True)
        self.daemon = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.namespace}", "dockerd", "--config-file", self.work / "daemon.json",
             "--host", self.socket, "--data-root", self.work / "root", "--exec-root", self.work / "exec",
             "--pidfile", self.work / "pid", "--iptables=false", f"--bip={self.gateway}/24",
             "--default-runtime", "runsc"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            start_new_session=True)
        wait_for(lambda: self.daemon.poll() is not None or self.ask("version").status == 0, "the daemon answers", 60)
        if self.daemon.poll() is not None:
            raise Failed("dockerd: " + (self.work / "daemon.log").read_text()[-3000:])

    def line(self, *words):
        return ["/usr/bin/docker", "--host", self.socket, *words]

    def end(self):
        if self.daemon is None:
            return
        for name in self.ask("ps", "-aq").out.split():
            self.ask("rm", "--force", name)
        self.daemon.terminate()
        try:
            self.daemon.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.daemon.pid, signal.SIGKILL)
            self.daemon.wait()

    def close(self):
        super().close()
        if self.namespace:
            subprocess.run(["ip", "netns", "del", self.namespace], check=False)

    def beside(self, *words):
        """A command at the other end of the containers' bridge."""
        done = subprocess.run(["nsenter", f"--net=/run/netns/{self.namespace}", *words], capture_output=True, text=True,
                              timeout=90, check=False)
        return Ended(done.returncode, done.stdout, done.stderr)


class Podman(Engine):
    name = "podman"
    common = ("--network", "none", "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000")
    at_once = ("--time", "0")

    def begin(self):
        (self.work / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')

    def line(self, *words):
        own = ["--root", f"{self.work}/root", "--runroot", f"{self.work}/run", "--tmpdir", f"{self.work}/tmp",
               "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file",
               "--runtime", self.runtime, *(f"--runtime-flag={flag}" for flag in self.flags)]
        if words[0] == "run":
            words = ("run", "--log-driver", "k8s-file", *words[1:])
        return ["podman", *own, *words]

    def end(self):
        self.ask("rm", "--all", "--force", "--time", "0")


class Terminal:
    """A command on a pseudo-terminal, as a person has it."""

    def __init__(self, engine, *words):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(engine.line(*words), stdin=slave, stdout=slave, stderr=slave,
                                        env=engine.environment(), start_new_session=True)
        os.close(slave)
        self.seen = ""

    def send(self, text):
        os.write(self.master, text.encode())

    def wait_for(self, text, limit=60):
        end = time.monotonic() + limit
        while text not in self.seen:
            if time.monotonic() > end:
                raise Failed(f"{text!r} was not shown: {self.seen!r}")
            if select.select([self.master], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.master, 65536).decode(errors="replace")
                except OSError:
                    raise Failed(f"ended before {text!r} was shown: {self.seen!r}") from None

    def end(self, limit=60):
        status = self.process.wait(limit)
        os.close(self.master)
        return status
