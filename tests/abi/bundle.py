"""Sandboxes that tests run in: their configuration, and processes that are ended when their time is up."""

import contextlib
import hashlib
import os
import select
import signal
import subprocess
import tempfile
import time

DOCKER_CAPS = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
               "NET_BIND_SERVICE", "NET_RAW", "SYS_CHROOT", "MKNOD", "AUDIT_WRITE", "SETFCAP"]
ALL_CAPS = DOCKER_CAPS + ["DAC_READ_SEARCH", "LINUX_IMMUTABLE", "NET_BROADCAST", "NET_ADMIN", "IPC_LOCK",
                          "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN",
                          "SYS_BOOT", "SYS_NICE", "SYS_TIME", "SYS_TTY_CONFIG", "LEASE", "AUDIT_CONTROL",
                          "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ"]


def config(args, rootfs, bound, caps="docker", writable=False, env=()):
    """A config.json in the manner of runc's default: `bound` is a host folder that is seen read-only at /mnt."""
    names = ["CAP_" + c for c in (DOCKER_CAPS if caps == "docker" else ALL_CAPS)]
    std = ["nosuid", "noexec", "nodev"]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": args,
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
                    *env],
            "cwd": "/",
            "capabilities": {"bounding": names, "effective": names, "permitted": names},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 4096, "soft": 1024}],
            "noNewPrivileges": False,
        },
        "root": {"path": os.path.abspath(rootfs), "readonly": not writable},
        "hostname": "abi",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": std + ["mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": std},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": std + ["ro"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nodev", "mode=1777"]},
            {"destination": "/mnt", "type": "bind", "source": bound, "options": ["bind", "ro"]},
        ],
        "linux": {
            "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                            "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }


def digest(*paths):
    """Of the contents of some files."""
    total = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            total.update(hashlib.sha256(file.read()).digest())
    return total.hexdigest()


@contextlib.contextmanager
def memory_above(rootfs, folder):
    """A root file system that may be written, for runc, which has no memory of its own above one."""
    upper, work, merged = (os.path.join(folder, name) for name in ("upper", "work", "merged"))
    for path in (upper, work, merged):
        os.mkdir(path)
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={rootfs},upperdir={upper},workdir={work}", merged],
                   check=True)
    try:
        yield merged
    finally:
        subprocess.run(["umount", merged], check=True)


def stop(process):
    """Kills a process started in a session of its own, with all that is still in it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def lines_of(process, limit):
    """Lines of a process's output until it ends or the seconds are over; it is stopped then, whoever holds the pipe."""
    end, rest, fd = time.monotonic() + limit, b"", process.stdout.fileno()
    while True:
        ready, _, _ = select.select([fd], [], [], max(0, end - time.monotonic()))
        data = os.read(fd, 65536) if ready else b""
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")
    try:
        process.wait(max(1, end - time.monotonic()) if ready else 0)
    except subprocess.TimeoutExpired:
        yield "(stopped after %d s)" % limit
    stop(process)
    process.wait()


def run_limited(command, limit, **more):
    """(status, or None if it had to be stopped; standard output; standard error) of a command."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True, **more)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        stop(process)
        process.wait()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return status, texts[0], texts[1]
