"""What is measured from outside: containers by the verbs that engines use."""

import json
import os
import subprocess
import time

from peers import reap

CRI = "io.kubernetes.cri."


class Container:
    """One that lives from create to delete; each verb is a command of its own, as an engine has it."""

    def __init__(self, peer, work, args, annotations=None):
        peer.work, self.peer = work, peer
        self.bundle, self.name = peer._container(work, args)
        path = os.path.join(self.bundle, "config.json")
        with open(path) as text:
            config = json.load(text)
        config["annotations"] = annotations or {}
        with open(path, "w") as out:
            json.dump(config, out)
        self.output = os.path.join(self.bundle, "output")

    def verb(self, *words):
        with open(self.output, "a") as output:
            status = subprocess.run(self.peer._command(words), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                    timeout=120).returncode
        if status != 0:
            with open(self.output) as text:
                raise RuntimeError(f"{self.peer.name}: {words[0]}: status {status}: {text.read()[-1000:]}")

    def create(self):
        self.verb("create", "--bundle", self.bundle, "--pid-file", self.bundle + "/pid", self.name)

    def start(self):
        self.verb("start", self.name)

    def wait(self):
        """Until the process that the pid file names has ended: it became our child."""
        with open(self.bundle + "/pid") as text:
            os.waitpid(int(text.read()), 0)

    def delete(self):
        self.verb("delete", "--force", self.name)
        reap()


def life(peer, work):
    container = Container(peer, work, ["/bin/true"])
    begun = time.monotonic()
    container.create()
    container.start()
    # gVisor's sandbox may outlive its container.
    container.verb("wait", container.name) if peer.hide_net_sysctl else container.wait()
    container.delete()
    return time.monotonic() - begun


def with_one_running(peer, work, annotations, measured):
    container = Container(peer, work, ["/mnt/bench_idle"], annotations)
    container.create()
    try:
        container.start()
        return measured(container)
    finally:
        container.delete()


def execute(peer, work):
    def measured(container):
        begun = time.monotonic()
        container.verb("exec", container.name, "/bin/true")
        return time.monotonic() - begun
    return with_one_running(peer, work, None, measured)


def second(peer, work):
    """The second container of a pod, until its program runs. runc knows no pods: it is one more container."""
    def measured(first):
        other = Container(peer, work, ["/mnt/bench_idle"],
                          {CRI + "container-type": "container", CRI + "sandbox-id": first.name})
        begun = time.monotonic()
        other.create()
        try:
            other.start()
            return time.monotonic() - begun
        finally:
            other.delete()
    return with_one_running(peer, work, {CRI + "container-type": "sandbox"}, measured)


TIMED = {"life": life, "exec": execute, "second": second}
