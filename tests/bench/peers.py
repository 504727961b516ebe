"""Where the programs run: Linux itself, containers of other runtimes, ours."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "abi"))
from bundle import config  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Whatever a runtime leaves behind becomes our child, to be measured and ended."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children_of(pid):
    found = []
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task)) as text:
                found += [int(word) for word in text.read().split()]
    except OSError:
        pass
    return found


def descendants(pid):
    found = []
    for child in children_of(pid):
        found += [child] + descendants(child)
    return found


def pss_kib(pid):
    try:
        with open("/proc/%d/smaps_rollup" % pid) as text:
            return sum(int(line.split()[1]) for line in text if line.startswith("Pss:"))
    except OSError:
        return 0


class Peer:
    """`name` heads the column. A runtime is (command, global options); None: Linux itself."""

    def __init__(self, name, runtime=None, options=(), rootfs="/", programs="", hide_net_sysctl=False, detaches=True):
        self.name, self.runtime, self.options = name, runtime, list(options)
        self.rootfs, self.programs, self.hide_net_sysctl = rootfs, programs, hide_net_sysctl
        self.detaches = detaches
        self.serial = 0

    def _container(self, work, args):
        """(bundle, id) of a new container that runs args."""
        self.serial += 1
        bundle = os.path.join(work, "%s-%d" % (self.name.replace(" ", "-"), self.serial))
        os.makedirs(bundle)
        with open(os.path.join(bundle, "config.json"), "w") as out:
            json.dump(config(args, self.rootfs, self.programs), out)
        return bundle, "bench-%d-%s-%d" % (os.getpid(), self.name.replace(" ", "-"), self.serial)

    def _command(self, words):
        command = [self.runtime, *self.options, *words]
        if self.hide_net_sysctl:
            # Debian's gVisors take any machine whose /proc/sys/net shows a certain file for one without namespaces.
            script = 'mount --bind "$0" /proc/sys/net && exec "$@"'
            command = ["unshare", "-m", "sh", "-c", script, tempfile.mkdtemp(dir=self.work), *command]
        return command

    def _delete(self, name):
        subprocess.run(self._command(["delete", "--force", name]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       stdin=subprocess.DEVNULL)

    def run(self, work, args, extra=(), limit=300):
        """Output of a program of tests/bench, and the seconds that the whole command took."""
        self.work = work
        if self.runtime is None:
            command, name = [os.path.join(self.programs, os.path.basename(args[0])), *args[1:]], None
            if not args[0].startswith("/mnt/"):
                command = args
        else:
            bundle, name = self._container(work, args)
            command = self._command([*extra, "run", "--bundle", bundle, name])
        begun = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        took = time.monotonic() - begun
        if process.returncode != 0:
            raise RuntimeError("%s: %s: status %s: %s" % (self.name, " ".join(command), process.returncode,
                                                         err.decode(errors="replace")[-2000:]))
        return out.decode(), took

    def idle_pss_kib(self, work):
        """PSS of all processes of an idle container; of those that are left when its command has ended, if that can be."""
        self.work = work
        bundle, name = self._container(work, ["/mnt/bench_idle"])
        before = set(descendants(os.getpid()))
        detach = ["--detach"] if self.detaches else []
        with open(os.path.join(bundle, "output"), "w") as output:
            command = subprocess.Popen(self._command(["run", *detach, "--bundle", bundle, name]),
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        if self.detaches and command.wait(timeout=120) != 0:
            raise RuntimeError("%s: %s" % (self.name, open(os.path.join(bundle, "output")).read()[-2000:]))
        time.sleep(2)  # what it does once started settles
        if not self.detaches and command.poll() is not None:
            raise RuntimeError("%s: %s" % (self.name, open(os.path.join(bundle, "output")).read()[-2000:]))
        found = [pid for pid in descendants(os.getpid()) if pid not in before]
        total = sum(pss_kib(pid) for pid in found)
        subprocess.run(self._command(["kill", name, "KILL"]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and any(os.path.exists("/proc/%d/exe" % pid) for pid in found):
            time.sleep(0.05)
            reap()
        self._delete(name)
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        reap()
        return total


def reap():
    """Takes the exit statuses of adopted processes."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass
