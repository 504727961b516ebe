"""inotify(7) on a bind mount: changes of the host are told, and those of the container once."""

import os

from detached import pid_of, reap, subreaper
from harness import expect

# Kinds that change something; both sides tell of opens and reads differently.
KINDS = {0x2: "MODIFY", 0x4: "ATTRIB", 0x8: "CLOSE_WRITE", 0x40: "MOVED_FROM", 0x80: "MOVED_TO", 0x100: "CREATE",
         0x200: "DELETE", 0x400: "DELETE_SELF", 0x800: "MOVE_SELF", 0x8000: "IGNORED", 0x40000000: "ISDIR"}

# Prints "WATCH MASK COOKIE NAME" for what happens to its arguments, until a file "end" is created.
WATCHER = f"""
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
fd = libc.inotify_init()
for place in sys.argv[1:]:
    if libc.inotify_add_watch(fd, place.encode(), {sum(kind for kind in KINDS if kind < 0x1000)}) < 0: sys.exit("add_watch " + place)
print("ready", flush=True)
cookies = [0]
while True:
    data = os.read(fd, 65536)
    while data:
        wd, mask, cookie, size = struct.unpack("iIII", data[:16])
        name = data[16:16 + size].rstrip(b"\\0").decode()
        data = data[16 + size:]
        if cookie not in cookies: cookies.append(cookie)
        if name == "end": sys.exit()
        print(wd, mask, cookies.index(cookie), name, flush=True)
"""


def shared(box):
    folder = box.work / "shared"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/old").write_text("old\n")
    (folder / "watched").write_text("")
    (folder / "elsewhere").write_text("elsewhere\n")
    mount = {"destination": "/mnt", "type": "bind", "source": str(folder), "options": ["bind", "rw"]}
    return folder, lambda config: config["mounts"].append(mount)


def told(text):
    """Events as lists "WATCH KIND... COOKIE NAME"."""
    events = []
    for line in text.splitlines():
        if line == "ready":
            continue
        wd, mask, cookie, name = line.split(" ")
        kinds = "|".join(kind for bit, kind in KINDS.items() if int(mask) & bit)
        events.append(" ".join((wd, kinds, cookie, name)).strip())
    return events


CHANGES = [
    "1 CREATE 0 new", "1 MODIFY 0 new", "1 CLOSE_WRITE 0 new",
    "1 ATTRIB 0 new",
    "1 MOVED_FROM 1 new", "1 MOVED_TO 1 newer",
    "1 MOVED_FROM 2 newer", "2 MOVED_TO 2 newer",
    "1 CREATE|ISDIR 0 folder", "1 DELETE|ISDIR 0 folder",
    "2 DELETE 0 newer",
    "1 MODIFY 0 watched", "3 MODIFY 0", "1 CLOSE_WRITE 0 watched", "3 CLOSE_WRITE 0",
    "1 MOVED_FROM 3 watched", "2 MOVED_TO 3 watched", "3 MOVE_SELF 0",
    "3 ATTRIB 0", "3 DELETE_SELF 0", "3 IGNORED 0", "2 DELETE 0 watched",
]


def test_changes_of_the_host(box):
    folder, change = shared(box)
    subreaper()
    name, where = box.create(["python3", "-c", WATCHER, "/mnt", "/mnt/deep", "/mnt/watched"], change=change)
    box.ask("start", name).ok()
    box.until(lambda: (where / "out").read_text() == "ready\n", "watches")
    (folder / "new").write_text("one write")
    os.chmod(folder / "new", 0o600)
    os.rename(folder / "new", folder / "newer")
    os.rename(folder / "newer", folder / "deep/newer")
    os.mkdir(folder / "folder")
    os.rmdir(folder / "folder")
    os.unlink(folder / "deep/newer")
    with open(folder / "watched", "a") as file:
        file.write("more")
    os.rename(folder / "watched", folder / "deep/watched")
    os.unlink(folder / "deep/watched")
    (folder / "end").write_text("")
    expect(reap(box, pid_of(where)), 0)
    expect(told((where / "out").read_text()), CHANGES)


def test_a_file_that_is_mounted_by_itself(box):
    file = box.work / "alone"
    file.write_text("")
    mount = {"destination": "/alone", "type": "bind", "source": str(file), "options": ["bind", "rw"]}
    box.work.joinpath("shared").mkdir()
    folder = {"destination": "/srv", "type": "bind", "source": str(box.work / "shared"), "options": ["bind", "rw"]}
    subreaper()
    name, where = box.create(["python3", "-c", WATCHER, "/srv", "/alone"],
                             change=lambda config: config["mounts"].extend([folder, mount]))
    box.ask("start", name).ok()
    box.until(lambda: (where / "out").read_text() == "ready\n", "watches")
    with open(file, "a") as f:
        f.write("more")
    os.chmod(file, 0o600)
    (box.work / "shared/end").write_text("")
    expect(reap(box, pid_of(where)), 0)
    expect(told((where / "out").read_text()), ["2 MODIFY 0", "2 CLOSE_WRITE 0", "2 ATTRIB 0"])


# perl makes each change with one system call; the shell's redirections would truncate.
ACTS = """
open my $f, '>', '/mnt/new' or die; syswrite $f, 'one write'; close $f;
chmod 0600, '/mnt/new'; rename '/mnt/new', '/mnt/newer'; rename '/mnt/newer', '/mnt/deep/newer';
mkdir '/mnt/folder'; rmdir '/mnt/folder'; unlink '/mnt/deep/newer';
open $f, '>>', '/mnt/watched' or die; syswrite $f, 'more'; close $f;
rename '/mnt/watched', '/mnt/deep/watched'; unlink '/mnt/deep/watched';
open $f, '>', '/mnt/end';
"""


def test_changes_of_the_container_are_told_once(box):
    folder, change = shared(box)
    script = f"""mkfifo /tmp/ready
        python3 -c '{WATCHER.replace('"ready"', '"ready", file=open("/tmp/ready", "w")')}' /mnt /mnt/deep /mnt/watched &
        read line </tmp/ready; perl -e "$ACTS"; wait"""
    ended = box.run(["env", f"ACTS={ACTS}", "sh", "-c", script], change=change)
    expect(told(ended.ok()), CHANGES)
    expect((folder / "end").exists(), True)
