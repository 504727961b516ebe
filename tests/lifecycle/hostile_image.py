"""An image, a bundle and a configuration that mean harm: nothing outside the image is read or written, and what is refused is
refused in one line that says what."""

import ctypes
import json
import os
import pathlib
import shutil
import stat
import subprocess
import threading

from command import ours
from harness import Failed, expect, expect_in

SECRET = "the host's own secret"
LIBRARIES = ("lib/x86_64-linux-gnu/libc.so.6", "lib/x86_64-linux-gnu/libresolv.so.2", "lib64/ld-linux-x86-64.so.2")
FOLDERS = ("bin", "etc", "dev", "proc", "sys", "tmp", "mnt", "work", "root")
RENAME_EXCHANGE, AT_FDCWD = 2, -100


class Image:
    """A small root file system of its own, and what lies beside it on the host."""

    def __init__(self, box):
        self.box = box
        self.root, self.outside = box.work / "image", box.work / "outside"
        for name in FOLDERS:
            (self.root / name).mkdir(parents=True)
            (self.outside / name).mkdir(parents=True)
            (self.outside / name / "secret").write_text(SECRET)
        for name in ("bin/busybox", *LIBRARIES):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(pathlib.Path(box.rootfs) / name, self.root / name)
        (self.outside / "etc/passwd").write_text(f"root:x:0:0::/{SECRET}:/bin/sh\n")
        (self.outside / "etc/group").write_text("root:x:0:\n")
        (self.outside / "secret").write_text(SECRET)
        (self.outside / "prog").write_text(f"#!/bin/busybox sh\necho {SECRET}\n")
        (self.outside / "prog").chmod(0o755)
        self.before = self.listing()

    def listing(self):
        """All that is there, with what would change if it were touched."""
        found = []
        for path in sorted(self.outside.rglob("*")):
            info = path.lstat()
            found.append((str(path), info.st_mode, info.st_size, info.st_mtime_ns, info.st_uid,
                          path.read_bytes() if stat.S_ISREG(info.st_mode) else None))
        return found

    def link(self, name, target):
        path = self.root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.is_symlink() or path.exists():
            path.unlink()
        path.symlink_to(target)

    def config(self, script, change=None, **process):
        args = ["/bin/busybox", "sh", "-c", script] if isinstance(script, str) else script
        config = self.box.config(args, **process)
        config["root"]["path"] = str(self.root)
        config["process"]["env"] = ["PATH=/bin"]
        if change:
            change(config)
        return config

    def run(self, script, change=None, **process):
        """Runs or is refused; either way nothing outside was read or written."""
        ended = self.box.finish(self.box.run_command(self.config(script, change, **process)))
        self.check(ended)
        return ended

    def check(self, ended):
        if SECRET in ended.out + ended.err:
            raise Failed(f"what lies outside was read: {ended.out} {ended.err}")
        expect(self.listing(), self.before, "what lies outside")
        if ended.status in (128, 1) and ended.err:
            expect(ended.err.count("\n"), 1, f"lines of {ended.err!r}")
        for word in ("std::", "panic", "json.exception"):
            expect(word in ended.err, False, f"{word} in {ended.err!r}")


LOOK = "for f in /etc/passwd /etc/group /tmp/secret /mnt/secret /dev/secret /proc/secret /sys/secret /work/secret secret; do " \
       "/bin/busybox cat $f 2>/dev/null; echo written > $f; done; echo $HOME; /bin/busybox env; true"


def launch(box, folder, name, options=()):
    """A container that runs on, without any stream of ours."""
    box.delete_at_the_end(name)
    nothing = subprocess.DEVNULL
    made = box.start(box.manage("run", "--detach", "--bundle", str(folder), name, options=options),
                     stdin=nothing, stdout=nothing, stderr=nothing)
    expect(made.wait(60 * box.slow), 0, "run --detach")


def both_ways(image, name, inside=""):
    """An absolute link, and one that climbs out by more dots than there are folders."""
    target = image.outside / (inside or name)
    return str(target), "../" * 40 + str(target)[1:]


@ours
def test_links_out_of_the_image(box):
    image = Image(box)
    for name in ("dev", "proc", "sys", "etc", "tmp", "mnt", "work", "root"):
        for target in both_ways(image, name):
            image.link(name, target)
            bind = {"destination": "/mnt", "type": "bind", "source": str(image.root / "bin"), "options": ["bind", "rw"]}
            image.run(LOOK, lambda config: config["mounts"].append(bind), cwd="/work")
            image.run(LOOK, lambda config: config["mounts"].append({"destination": f"/{name}/secret", "type": "tmpfs", "source": "x"}))
            image.run(LOOK, lambda config: config["linux"].update(maskedPaths=[f"/{name}/secret"], readonlyPaths=[f"/{name}"]))
        (image.root / name).unlink()
        (image.root / name).mkdir()
    # The image is as good as before.
    expect(image.run("echo fine").ok(), "fine\n")


@ours
def test_links_at_single_files(box):
    image = Image(box)
    for name, inside in (("etc/passwd", ""), ("etc/group", ""), ("dev/null", "secret"), ("dev/console", "secret"), ("dev/ptmx", "secret"),
                         ("dev/pts", "dev"), ("dev/shm", "dev"), ("proc/self", "proc"), ("prog", "prog")):
        for target in both_ways(image, name, inside):
            image.link(name, target)
            image.run(LOOK, cwd="/root")
            image.run(LOOK, lambda config: config.update(mounts=[]))
    refused = image.run(["/prog"])
    expect_in('exec: "/prog": no such file or directory', refused.err)
    for cwd in both_ways(image, "work"):
        image.link("work", cwd)
        expect_in("chdir to cwd", image.run("pwd", cwd="/work").err)
    copy = {"destination": "/work", "type": "tmpfs", "source": "x", "options": ["tmpcopyup"]}
    image.run(LOOK, lambda config: config["mounts"].append(copy))


@ours
def test_joining_an_image_of_links(box):
    image = Image(box)
    image.link("etc", str(image.outside / "etc"))
    image.link("work", str(image.outside / "work"))
    image.link("prog", str(image.outside / "prog"))
    folder = box.bundle(image.config(["/bin/busybox", "sleep", "1000"]))
    launch(box, folder, "lc-links")
    image.check(box.ask("exec", "lc-links", "/bin/busybox", "sh", "-c", LOOK))
    image.check(box.ask("exec", "--cwd", "/work", "lc-links", "/bin/busybox", "cat", "secret"))
    refused = box.ask("exec", "lc-links", "/prog")
    image.check(refused)
    expect_in("no such file or directory", refused.err)


@ours
def test_odd_files_where_the_runtime_reads(box):
    """/etc/passwd decides what HOME is: it may be anything."""
    image = Image(box)
    passwd = image.root / "etc/passwd"
    for make in (lambda: os.mkfifo(passwd), passwd.mkdir, lambda: os.mknod(passwd, 0o600 | stat.S_IFCHR, os.makedev(1, 5)),
                 lambda: os.truncate(os.open(passwd, os.O_CREAT | os.O_WRONLY), 1 << 40),
                 lambda: passwd.write_bytes(b"root:x:0:0::/a\nB=c\0d:\n"), lambda: passwd.symlink_to("passwd")):
        make()
        said = image.run("echo $HOME")
        expect(said.ok().strip() in ("/", "/a"), True, said.out)
        shutil.rmtree(passwd) if passwd.is_dir() else passwd.unlink()


@ours
def test_nodes_in_the_image(box):
    """Devices of the host do not open, pipes and sockets lead nowhere, names may be anything."""
    image = Image(box)
    os.mknod(image.root / "disk", 0o666 | stat.S_IFBLK, image.outside.stat().st_dev)
    os.mknod(image.root / "mem", 0o666 | stat.S_IFCHR, os.makedev(1, 1))
    os.mknod(image.root / "kvm", 0o666 | stat.S_IFCHR, os.makedev(10, 232))
    os.mkfifo(image.root / "fifo")
    (image.root / "two\nlines").write_text("found\n")
    (image.root / os.fsdecode(b"no \xff text")).write_text("found\n")
    for name in ("disk", "mem", "kvm"):
        said = image.run(f"/bin/busybox head -c 1 /{name}")
        expect(said.status, 1, name)
        expect_in("No such device or address", said.err, name)
    said = image.run("cd /bin; ./busybox timeout -s KILL 1 ./busybox cat /fifo; ./busybox sh -c './busybox cat /t*s /no*t'")
    expect(said.ok(), "found\nfound\n")


@ours
def test_mounts_over_mounts(box):
    image = Image(box)

    def tmpfs(place):
        return {"destination": place, "type": "tmpfs", "source": "x"}

    def file_at(place):
        return {"destination": place, "type": "bind", "source": str(image.root / "bin/busybox"), "options": ["bind", "ro"]}

    def mounts(*more):
        return lambda config: config["mounts"].extend(more)
    expect(image.run("/bin/busybox touch /mnt/x && echo fine", mounts(*[tmpfs("/mnt")] * 200)).ok(), "fine\n")
    expect(image.run("/bin/busybox cmp /work/sub/file /bin/busybox && echo same",
                     mounts(tmpfs("/work"), tmpfs("/work/sub"), file_at("/work/sub/file"), file_at("/work/sub/file"))).ok(), "same\n")
    expect(image.run("/bin/busybox ls /proc | /bin/busybox wc -l", mounts(tmpfs("/proc"))).ok(), "0\n")
    for bad in ((file_at("/work"),), (file_at("/f"), tmpfs("/f")), (file_at("/f"), tmpfs("/f/g"))):
        said = image.run("echo ran", mounts(*bad))
        expect((said.status != 0, said.out), (True, ""))
        expect_in(f'mounting "{bad[-1]["destination"]}": ', said.err)
    for place in ("/proc/self/fd/0", "/dev/fd/1", "/proc/1/root", "/proc/self/cwd/bin"):
        image.run("echo ran", mounts(tmpfs(place)))
    said = image.run("echo ran", mounts(*({**tmpfs("/mnt"), "options": ["size=" + "9" * 40]},)))
    expect_in('mounting "/mnt": invalid argument', said.err)


@ours
def test_an_image_that_changes_under_create(box):
    """A folder and a link out of the image change places as fast as they can, while containers are made of it."""
    image = Image(box)
    (image.root / "swap").symlink_to(str(image.outside / "mnt"))
    (image.root / "etc2").symlink_to(str(image.outside / "etc"))
    (image.root / "source").mkdir()
    rename = ctypes.CDLL(None, use_errno=True).renameat2
    done = threading.Event()

    def swap():
        pairs = [(os.fsencode(image.root / a), os.fsencode(image.root / b)) for a, b in (("mnt", "swap"), ("etc", "etc2"))]
        while not done.is_set():
            for a, b in pairs:
                rename(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE)
    thread = threading.Thread(target=swap)
    thread.start()
    mounts = ({"destination": "/mnt/a", "type": "bind", "source": str(image.root / "source"), "options": ["bind", "rw"]},
              {"destination": "/mnt", "type": "tmpfs", "source": "x", "options": ["tmpcopyup"]},
              {"destination": "/etc/resolv.conf", "type": "bind", "source": str(image.root / "bin/busybox"), "options": ["bind", "ro"]})
    try:
        for round_ in range(10 if box.mode == "ring0" else 30):
            mount = mounts[round_ % len(mounts)]
            image.run(LOOK, lambda config: config["mounts"].append(mount), cwd="/mnt" if round_ % 2 else "/")
    finally:
        done.set()
        thread.join()


@ours
def test_odd_configurations(box):
    image = Image(box)
    good = json.dumps(image.config("echo ran"))
    deep, number = '{"a":' * 100000 + "1" + "}" * 100000, '"hard": 4096'
    for text, word in ((good + " " * (100 << 20), "larger than"), (good[:-1] + ', "x": ' + deep + "}", "nested deeper"),
                       (good.replace(number, '"hard": 1e400'), "number"), (good.replace(number, '"hard": -1'), "rlimits[0].hard"),
                       (good.replace(number, '"hard": 18446744073709551616'), "rlimits[0].hard"),
                       (good.replace(number, '"hard": 1.5'), "rlimits[0].hard"), (good.replace("echo ran", "echo\\u0000ran"), "NUL"),
                       (good.replace('"lifecycle"', '"a\\nb\\u001b[31m' + "x" * 70 + '"'), "hostname"),
                       (good.replace('"linux": {', '"linux": 5, "x": {'), "linux: must be an object"), ("\0" * 4096, "parse error"),
                       ("[" * 1000000, "nested deeper")):
        for options in ((), ("--log", str(box.work / "log"), "--log-format", "json")):
            ended = box.finish(box.run_command(text, options))
            image.check(ended)
            expect((ended.status, ended.out), (1, ""), word)
            expect_in(word, ended.err)
            expect(len(ended.err) < 1000, True, "length of the error")
    for line in (box.work / "log").read_text().splitlines():
        expect([*json.loads(line)], ["level", "msg", "time"])
    # The last of two values of one name counts, as in other runtimes.
    expect(box.finish(box.run_command(good[:-1] + ', "hostname": "last"}')).ok(), "ran\n")


@ours
def test_output_stays_one_line_a_container(box):
    """Whatever the bundle's path and the annotations hold."""
    folder = box.work / "two\nlines \x1b[31m \"quoted\"   and blanks"
    folder.mkdir()
    config = box.config(["sleep", "1000"])
    config["annotations"] = {"org.example.key\n": "two\nlines\x1b[31m\u2028"}
    (folder / "config.json").write_text(json.dumps(config))
    log = ("--log", str(box.work / "log"), "--log-format", "json")
    launch(box, folder, "lc-odd", log)
    expect(json.loads(box.ask("state", "lc-odd").ok())["bundle"], str(folder))
    expect([one["bundle"] for one in json.loads(box.ask("list", "--format", "json").ok())], [str(folder)])
    table = box.ask("list").ok()
    expect((table.count("\n"), "\x1b" in table), (2, False), table)
    box.ask("create", "--bundle", str(folder), "lc-odd", options=log)
    (folder / "config.json").write_text('{"ociVersion": "1\\n2"}')
    box.ask("create", "--bundle", str(folder), "lc-odd2", options=log)
    lines = [json.loads(line)["msg"] for line in (box.work / "log").read_text().splitlines()]
    expect(len(lines) >= 2, True, lines)
    text = box.ask("create", "--bundle", str(folder) + "/absent", "lc-odd2", options=("--log", str(box.work / "text")))
    expect((text.status, "\x1b" in text.err, (box.work / "text").read_text().count("\n")), (1, False, 1), text.err)
