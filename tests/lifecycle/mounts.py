"""Root file system, mounts, masked and read-only paths."""

import errno
import os
import select
import subprocess

from command import ours
from harness import Failed, expect, expect_in


@ours
def test_root_is_written_in_memory(box):
    """Changes are seen inside, and the tree on the host stays as it was."""
    script = """set -e
        echo new >/etc/new-file; cat /etc/new-file
        echo more >>/etc/debian_version; tail -n 1 /etc/debian_version
        rm /etc/passwd; test ! -e /etc/passwd
        mkdir /a; mv /etc/group /a/; ls /a
        mv /usr/share/doc /usr/share/dok; test -d /usr/share/dok"""
    before = sorted(os.listdir(box.rootfs + "/etc"))
    expect(box.run(script).ok().split(), ["new", "more", "group"])
    expect(sorted(os.listdir(box.rootfs + "/etc")), before, "/etc on the host")
    expect(os.path.exists(box.rootfs + "/a"), False)


def test_read_only_root(box):
    ended = box.run("touch /x; echo $?; touch /tmp/x && echo fine",
                    change=lambda config: config["root"].update(readonly=True))
    expect(ended.out.split(), ["1", "fine"])
    expect_in("Read-only file system", ended.err)


def bind(box, *options):
    folder = box.work / "shared"
    folder.mkdir(exist_ok=True)
    (folder / "from-host").write_text("host\n")
    mount = {"destination": "/mnt", "type": "bind", "source": str(folder), "options": ["bind", *options]}
    return folder, lambda config: config["mounts"].append(mount)


def open_to_write(box, path):
    """The writer's end of a FIFO once somebody reads, without waiting in open(2) for ever."""
    end = []

    def reached():
        try:
            end.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            expect(error.errno, errno.ENXIO)
        return end
    box.until(reached, f"reader of {path}")
    return open(end[0], "wb")


@ours
def test_fifo_of_the_host(box):
    """With --host-fifo=open both ends find each other, whoever comes first."""
    folder, change = bind(box, "rw")
    for name in ("to", "from", "alone"):
        os.mkfifo(folder / name)
    config = box.config(["sh", "-c", """set -e
        read first </mnt/to; echo "$first"; cat /mnt/to
        echo answer >/mnt/from
        cat /mnt/alone | wc -c
        ! perl -MFcntl -e 'sysopen(my $f, "/mnt/from", O_WRONLY | O_NONBLOCK) or die "$!"' && cat /alone"""])
    change(config)
    config["mounts"].append({"destination": "/alone", "type": "bind", "source": str(folder / "to"), "options": ["bind"]})
    container = box.start(box.run_command(config, options=("--host-fifo=open",)), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    with open_to_write(box, folder / "to") as end:
        end.write(b"first\n")
    with open_to_write(box, folder / "to") as end:
        end.write(b"second\n")
    reader = os.open(folder / "from", os.O_RDONLY | os.O_NONBLOCK)
    expect(bool(select.select([reader], [], [], 60 * box.slow)[0]), True, "answer")
    expect(os.read(reader, 100), b"answer\n")
    os.close(reader)
    with open_to_write(box, folder / "alone") as end:
        os.set_blocking(end.fileno(), True)
        end.write(bytes(300_000))
    with open_to_write(box, folder / "to") as end:
        end.write(b"by itself\n")
    out = container.communicate(timeout=60 * box.slow)[0].decode()
    expect_in("No such device or address", out)
    expect([line for line in out.splitlines() if "No such" not in line], ["first", "second", "300000", "by itself"])
    expect(container.returncode, 0)


@ours
def test_fifo_without_leave(box):
    """FIFOs of the host are not to be had; those that the container makes are pipes of its own."""
    folder, change = bind(box, "rw")
    os.mkfifo(folder / "theirs")
    ended = box.run("cat /mnt/theirs; mkfifo /mnt/ours; echo through >/mnt/ours & cat /mnt/ours; test -p /mnt/theirs", change=change)
    expect(ended.ok(), "through\n")
    expect_in("Operation not permitted", ended.err)


def test_bind_mount(box):
    folder, change = bind(box, "rw")
    ended = box.run("cat /mnt/from-host; echo inside >/mnt/from-inside; mkdir /mnt/d; mv /mnt/from-host /mnt/d/",
                    change=change)
    expect(ended.ok(), "host\n")
    expect((folder / "from-inside").read_text(), "inside\n")
    expect((folder / "d/from-host").read_text(), "host\n")


def test_bind_mount_read_only(box):
    folder, change = bind(box, "ro")
    ended = box.run("cat /mnt/from-host; touch /mnt/x; echo $?", change=change)
    expect(ended.out.split(), ["host", "1"])
    expect(os.listdir(folder), ["from-host"])


def test_bind_mount_of_a_file(box):
    path = box.work / "one"
    path.write_text("a file\n")
    mount = {"destination": "/etc/hosts", "type": "bind", "source": str(path), "options": ["bind", "ro"]}
    change = lambda config: config["mounts"].append(mount)  # noqa: E731
    expect(box.run(["cat", "/etc/hosts"], change=change).ok(), "a file\n")


def test_links_do_not_leave_the_mount(box):
    """A link in a bind mount is followed inside the container, never on the host."""
    folder, change = bind(box, "rw")
    secret = box.work / "secret"
    secret.write_text("secret\n")
    os.symlink(str(secret), folder / "absolute")
    os.symlink("../secret", folder / "relative")
    ended = box.run("cat /mnt/absolute /mnt/relative /mnt/../secret 2>/dev/null; true", change=change)
    expect(ended.out, "")


def test_tmpfs_size(box):
    mount = {"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m"]}
    ended = box.run("head -c 3000000 /dev/zero >/mnt/x; stat -c %s /mnt/x",
                    change=lambda config: config["mounts"].append(mount))
    expect_in("No space left on device", ended.err)
    expect(int(ended.out) <= 1 << 20, True, "size of the file")


def test_masked_and_read_only_paths(box):
    def change(config):
        config["linux"]["maskedPaths"] = ["/etc/debian_version", "/usr/share/perl5", "/no/such"]
        config["linux"]["readonlyPaths"] = ["/root"]

    ended = box.run("wc -c </etc/debian_version; ls -A /usr/share/perl5 | wc -l; touch /root/x; echo $?", change=change)
    expect(ended.out.split(), ["0", "0", "1"])
    expect_in("Read-only file system", ended.err)


def test_proc_mounts(box):
    lines = box.run(["cat", "/proc/mounts"]).ok().splitlines()
    places = {line.split()[1]: line.split()[2] for line in lines}
    for place, kind in (("/proc", "proc"), ("/dev", "tmpfs"), ("/dev/pts", "devpts"), ("/sys", "sysfs"), ("/tmp", "tmpfs")):
        expect(places.get(place), kind, place)


def test_standard_devices(box):
    script = """set -e
        for d in null zero full random urandom tty ptmx fd stdin stdout stderr shm; do test -e /dev/$d || echo no $d; done
        test -c /dev/null; head -c 3 /dev/zero | wc -c; echo x >/dev/null; head -c 8 /dev/urandom | wc -c"""
    expect(box.run(script).ok().split(), ["3", "8"])
    if box.run("echo x >/dev/full").status == 0:
        raise Failed("/dev/full took a write")
