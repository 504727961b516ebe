"""A private containerd with our shim, and what a test may ask of it."""

import io
import itertools
import json
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time

from checks import Ended, Failed, expect, expect_in, wait_for  # noqa: F401

TOP = pathlib.Path(__file__).resolve().parents[2]
IMAGE = "local.test/busybox:1"
PAUSE = "local.test/pause:1"
RUNTIME = "io.containerd.runsc.v1"


def make_image(out, busybox, image, command):
    """An image of one layer that holds busybox, as an OCI layout in a tar."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for folder in ("bin", "tmp", "proc", "dev", "sys", "etc"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        tar.add(busybox, arcname="bin/busybox")
        names = subprocess.run([busybox, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        for name in names:
            if name != "busybox":
                entry = tarfile.TarInfo("bin/" + name)
                entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, "busybox", 0o777
                tar.addfile(entry)
    blobs = {}

    def blob(data):
        digest = hashlib.sha256(data).hexdigest()
        blobs["blobs/sha256/" + digest] = data
        return {"digest": "sha256:" + digest, "size": len(data)}

    kind = "application/vnd.oci.image."
    layer = blob(layer.getvalue())
    config = blob(json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": command},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode())
    manifest = blob(json.dumps({
        "schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "config": {"mediaType": kind + "config.v1+json", **config},
        "layers": [{"mediaType": kind + "layer.v1.tar", **layer}]}).encode())
    index = {"schemaVersion": 2, "manifests": [{
        "mediaType": kind + "manifest.v1+json", **manifest, "platform": {"architecture": "amd64", "os": "linux"},
        "annotations": {"io.containerd.image.name": image, "org.opencontainers.image.ref.name": "1"}}]}
    with tarfile.open(out, "w") as tar:
        for name, data in {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode(), **blobs}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def processes():
    """(pid, command line) of all."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                pass


class Containerd:
    """containerd with all that it has in one folder; close() leaves nothing behind."""

    _serial = itertools.count()

    def __init__(self, options):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="ctrd."))
        self.work.chmod(0o755)
        self.binaries = options.containerd
        self.shim_folder = options.shim
        self.address = str(self.work / "c.sock")
        self.log = self.work / "containerd.log"
        self.options_file = self.work / "runsc.toml"
        flags = "".join(f'{name} = "{value}"\n' for name, _, value in (flag.partition("=") for flag in options.flag))
        self.options_file.write_text(
            f'binary_name = "{options.runtime}"\nroot = "{self.work}/runtime"\nlog_level = "debug"\n[runsc_config]\n{flags}')
        self.runtime = options.runtime
        self.is_ours = pathlib.Path(options.runtime).name != "runc"
        (self.work / "config.toml").write_text(self._config())
        self.process = None
        self._live = []
        # Its own network: what plugins make is not the machine's.
        self.namespace = f"ctrd-{os.getpid()}"
        self.network = ["nsenter", f"--net=/run/netns/{self.namespace}"]
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        subprocess.run([*self.network, "ip", "link", "set", "lo", "up"], check=True)
        try:
            self.start()
            self._import_images(options)
        except Exception:
            self.close()
            raise

    def _import_images(self, options):
        # ctr 2 gives the work to containerd, which unpacks for its default snapshotter alone.
        local = ["--local"] if "--local" in self.ctr("image", "import", "--help").out else []
        tar = self.work / "image.tar"
        for image, command, name_space in ((IMAGE, ["/bin/sh"], "default"), (IMAGE, ["/bin/sh"], "k8s.io"),
                                           (PAUSE, ["/bin/sleep", "1000000"], "k8s.io")):
            make_image(tar, options.busybox, image, command)
            self.ctr("-n", name_space, "image", "import", *local, "--snapshotter", "native", tar).ok()

    def _config(self):
        # A handler's name is the administrator's choice; RuntimeClass gvisor often names one of its own.
        handlers = "".join(f'''    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}]
      runtime_type = "{RUNTIME}"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}.options]
        TypeUrl = "io.containerd.runsc.v1.options"
        ConfigPath = "{self.options_file}"
''' for name in ("runsc", "gvisor"))
        return f'''version = 2
root = "{self.work}/root"
state = "{self.work}/state"
[grpc]
  address = "{self.address}"
[ttrpc]
  address = "{self.address}.ttrpc"
[debug]
  level = "debug"
[plugins."io.containerd.internal.v1.opt"]
  path = "{self.work}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{self.work}/cni"
    conf_dir = "{self.work}/cni.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    default_runtime_name = "runsc"
{handlers}'''

    def add_network(self, subnet):
        """For pods that do not take the node's."""
        (self.work / "cni").symlink_to("/usr/lib/cni")
        (self.work / "cni.d").mkdir(exist_ok=True)
        address = {"type": "host-local", "dataDir": str(self.work / "cni.ipam"), "ranges": [[{"subnet": subnet}]],
                   "routes": [{"dst": "0.0.0.0/0"}]}
        (self.work / "cni.d" / "10-pods.conflist").write_text(json.dumps(
            {"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "ptp", "ipam": address}]}))
        self.kill()
        self.start()

    def _tool(self, name):
        return str(self.binaries / name) if self.binaries else name

    def start(self):
        environment = {**os.environ, "PATH": f"{self.shim_folder}:{os.environ['PATH']}"}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.network, self._tool("containerd"), "--config", str(self.work / "config.toml")], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=environment, start_new_session=True)
        wait_for(lambda: self.process.poll() is not None or self.ctr("version").status == 0, "containerd answers")
        expect(self.process.poll(), None, "containerd")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def command(self, *words):
        return [self._tool("ctr"), "--address", self.address, *map(str, words)]

    def ctr(self, *words, stdin=b"", limit=60):
        process = self.background(*words, stdin=subprocess.PIPE)
        try:
            out, err = process.communicate(stdin, limit)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise Failed(f"ctr {' '.join(map(str, words))}: no end within {limit} s\n{out[-2000:]!r}\n{err[-2000:]!r}") from None
        return Ended(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def background(self, *words, **how):
        how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
        process = subprocess.Popen(self.command(*words), start_new_session=True, **how)
        self._live.append(process)
        return process

    def name(self):
        return f"t{os.getpid()}-{next(self._serial)}"

    def run_words(self, name, *args, options=()):
        return ["run", "--snapshotter", "native", "--runtime", RUNTIME, "--runtime-config-path", self.options_file, *options,
                IMAGE, name, *args]

    def run(self, *args, options=(), stdin=b"", limit=60):
        """A container to its end."""
        return self.ctr(*self.run_words(self.name(), *args, options=["--rm", *options]), stdin=stdin, limit=limit)

    def detached(self, *args, options=()):
        """A container in the background; its name."""
        name = self.name()
        self.ctr(*self.run_words(name, *args, options=["-d", *options])).ok()
        return name

    def tasks(self):
        """name: (pid, state)."""
        lines = self.ctr("task", "ls").ok().splitlines()[1:]
        return {name: (int(pid), state) for name, pid, state in (line.split() for line in lines)}

    def remove(self, name):
        self.ctr("task", "kill", "-s", "KILL", name)
        wait_for(lambda: self.tasks().get(name, (0, "GONE"))[1] in ("STOPPED", "GONE"), f"{name} has stopped")
        self.ctr("task", "delete", name)
        self.ctr("container", "delete", name).ok()

    def clear(self):
        """Nothing of a test that failed disturbs the next."""
        for name in self.ctr("container", "ls", "-q").out.split():
            self.ctr("task", "delete", "--force", name)
            self.ctr("container", "delete", name)

    def shims(self):
        return [pid for pid, command in processes()
                if command[0].endswith("containerd-shim-runsc-v1") and self.address in command]

    def shim_socket(self, pid):
        command = dict(processes())[pid]
        return command[command.index("-socket") + 1]

    def close(self):
        for process in self._live:
            if process.poll() is None:
                process.kill()
            process.communicate()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        for pid in self.shims():
            os.kill(pid, signal.SIGKILL)
        for folder in self.work.glob("runtime/*/*"):
            subprocess.run([self.runtime, "--root", folder.parent, "delete", "--force", folder.name],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        mounts = [line.split()[1] for line in open("/proc/self/mounts") if str(self.work) in line]
        for place in reversed(mounts):
            subprocess.run(["umount", "-l", place])
        subprocess.run(["ip", "netns", "del", self.namespace], check=True)
        shutil.rmtree(self.work, ignore_errors=True)
