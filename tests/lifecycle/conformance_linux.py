"""Requirements of the OCI runtime specification (config.md's mounts, config-linux.md): tests/oci."""

import json
import os
import pathlib

from command import ours
from conformance import refused
from harness import expect, expect_in

MOUNT_OPTIONS = """async atime defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime noexec
noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow relatime ro rw silent strictatime suid symfollow sync
private rprivate shared rshared slave rslave unbindable runbindable""".split()
RECURSIVE = """ratime rdev rdiratime rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow
rrelatime rro rrw rstrictatime rsuid rsymfollow""".split()


def tmpfs(place, *options):
    return {"destination": place, "type": "tmpfs", "source": "tmpfs", "options": list(options)}


def mounted(box, *mounts, script="grep ' /mnt' /proc/self/mounts"):
    return box.run(script, change=lambda config: config["mounts"].extend(mounts)).ok()


def test_mounts_in_order(box):
    below, above = tmpfs("/mnt", "mode=755"), tmpfs("/mnt/sub", "mode=755")
    expect(mounted(box, below, above, script="ls /mnt; touch /mnt/sub/x && ls /mnt/sub").split(), ["sub", "x"])
    expect(mounted(box, above, below, script="ls /mnt"), "")


@ours
def test_relative_destination(box):
    expect_in(" /mnt tmpfs ", mounted(box, tmpfs("mnt")))


@ours
def test_every_mount_option(box):
    """Each is known: none of them reaches the file system as data, which would refuse it."""
    for options in (MOUNT_OPTIONS, RECURSIVE):
        mounted(box, *(tmpfs(f"/mnt/{option}", option) for option in options), script="grep -c ' /mnt/' /proc/self/mounts")
    known = json.loads(box.runsc("features").ok())["mountOptions"]
    missing = {*MOUNT_OPTIONS, *RECURSIVE, "bind", "rbind", "remount"} - {*known}
    expect(missing, set())


def test_effects_of_mount_options(box):
    said = mounted(box, tmpfs("/mnt", "ro", "nosuid", "nodev", "noexec", "noatime"))
    expect({"ro", "nosuid", "nodev", "noexec", "noatime"} <= {*said.split()[3].split(",")}, True, said)
    said = mounted(box, tmpfs("/mnt", "ro", "noexec", "rw", "exec"))
    expect({"ro", "noexec"} & {*said.split()[3].split(",")}, set(), said)


@ours
def test_recursive_mount_options(box):
    said = mounted(box, tmpfs("/mnt", "rro", "rnosuid", "rnodev", "rnoexec", "rnoatime"))
    expect({"ro", "nosuid", "nodev", "noexec", "noatime"} <= {*said.split()[3].split(",")}, True, said)


def test_options_of_the_file_system(box):
    said = mounted(box, tmpfs("/mnt", "size=64k", "mode=700"), script="stat -f -c %b*%S /mnt; stat -c %a /mnt").split()
    blocks, size = said[0].split("*")
    expect((int(blocks) * int(size), said[1]), (65536, "700"))


@ours
def test_id_mapped_mounts_are_refused(box):
    for option in ("idmap", "ridmap"):
        mount = {"destination": "/mnt", "type": "bind", "source": "/srv", "options": ["bind", option]}
        refused(box, lambda config: config["mounts"].append(mount), "mounts[6].options[1]", option)
    for field in ("uidMappings", "gidMappings"):
        mount = {"destination": "/mnt", "type": "bind", "source": "/srv", "options": ["bind"],
                 field: [{"containerID": 0, "hostID": 0, "size": 1}]}
        refused(box, lambda config: config["mounts"].append(mount), f"mounts[6].{field}")


@ours
def test_propagation(box):
    show = "grep ' /mnt ' /proc/self/mountinfo | grep -o 'shared:\\|unbindable' || echo private"
    for option, shown in (("shared", "shared:"), ("unbindable", "unbindable"), ("private", "private"), ("rslave", "private")):
        expect(mounted(box, tmpfs("/mnt", option), script=show).strip(), shown, option)
    show = "grep ' / / ' /proc/self/mountinfo | grep -o 'shared:' || echo private"
    for kind, shown in (("shared", "shared:"), ("rprivate", "private"), (None, "private")):
        said = box.run(show, change=lambda config: config["linux"].update(rootfsPropagation=kind) if kind else None)
        expect(said.ok().strip(), shown, kind)
    refused(box, lambda config: config["linux"].update(rootfsPropagation="x"), "linux.rootfsPropagation")


@ours
def test_default_file_systems(box):
    folder = box.work / "spec"
    folder.mkdir()
    box.runsc("spec", cwd=folder).ok()
    kinds = {mount["destination"]: mount["type"] for mount in json.loads((folder / "config.json").read_text())["mounts"]}
    wanted = {"/proc": "proc", "/sys": "sysfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs"}
    expect({place: kinds.get(place) for place in wanted}, wanted)


@ours
def test_namespaces_are_checked(box):
    def namespaces(*items):
        return lambda config: config["linux"].update(namespaces=list(items))
    refused(box, namespaces({"type": "pid"}, {"type": "pid"}), "linux.namespaces[1]", "second")
    refused(box, namespaces({"type": "x"}), "linux.namespaces[0].type")
    refused(box, namespaces({}), "linux.namespaces[0].type: is required")
    refused(box, namespaces({"type": "network", "path": "proc/self/ns/net"}), "linux.namespaces[0].path", "absolute")
    refused(box, namespaces({"type": "user"}), "user namespaces are not supported")
    for kind in ("network", "ipc", "uts", "pid", "mount", "cgroup"):
        refused(box, namespaces({"type": kind, "path": "/proc/self/ns/user"}), "linux.namespaces[0].path")
        refused(box, namespaces({"type": kind, "path": "/proc/self/status"}), "linux.namespaces[0].path")
        refused(box, namespaces({"type": kind, "path": "/no/such"}), "linux.namespaces[0].path")


@ours
def test_a_namespace_by_its_path(box):
    """The sandbox's process is in it."""
    holder = box.start(["unshare", "--net", "--ipc", "--uts", "sleep", "1000"])
    names = {"network": "net", "ipc": "ipc", "uts": "uts"}

    def link(pid, name):
        return os.readlink(f"/proc/{pid}/ns/{name}")
    box.until(lambda: all(link(holder.pid, name) != link("self", name) for name in names.values()), "the namespaces")

    def change(config):
        config["linux"]["namespaces"] = [{"type": kind, "path": f"/proc/{holder.pid}/ns/{name}"} for kind, name in names.items()]
    name, folder = box.create(["sleep", "1000"], change)
    pid = int((folder / "pid").read_text())
    for kind in names.values():
        expect(link(pid, kind), link(holder.pid, kind), kind)
    name, folder = box.create(["sleep", "1000"])
    pid = int((folder / "pid").read_text())
    for kind in (*names.values(), "mnt"):
        expect(link(pid, kind) == link("self", kind), False, kind)


def device(path, major, minor, **more):
    return {"path": path, "type": "c", "major": major, "minor": minor, **more}


def test_devices(box):
    wanted = [device("/dev/nothing", 1, 3, fileMode=0o640, uid=5, gid=6), device("/dev/null", 1, 3),
              {"path": "/dev/deep/pipe", "type": "p", "fileMode": 0o600}]
    script = "stat -c '%F %a %u %g %t:%T' /dev/nothing /dev/deep/pipe; echo lost > /dev/nothing; ls /dev/null"
    said = box.run(script, change=lambda config: config["linux"].update(devices=wanted)).ok().splitlines()
    expect(said, ["character special file 640 5 6 1:3", "fifo 600 0 0 0:0", "/dev/null"])


@ours
def test_devices_that_cannot_be(box):
    def devices(*items):
        return lambda config: config["linux"].update(devices=list(items))
    refused(box, devices(device("/dev/fuse", 10, 229)), "linux.devices[0].path", "/dev/fuse is not available")
    refused(box, devices({"path": "/dev/sda", "type": "b", "major": 8, "minor": 0}), "/dev/sda is not available")
    refused(box, devices({"path": "/dev/x"}), "linux.devices[0].type: is required")
    refused(box, devices({"type": "p"}), "linux.devices[0].path: is required")
    refused(box, devices({"path": "/dev/x", "type": "c"}), "linux.devices[0].major: is required")
    refused(box, devices(device("dev/x", 1, 3)), "linux.devices[0].path", "absolute")
    # Something else is there already.
    ended = box.run(["true"], change=devices(device("/dev/zero", 1, 3)))
    expect(ended.status != 0, True)
    expect_in('making device "/dev/zero": file exists', ended.err)


@ours
def test_console_of_a_terminal(box):
    terminal = box.terminal("echo here > /dev/console; stat -c %t:%T /dev/console")
    expect_in("here", terminal.wait_for("5:1"))
    expect(terminal.wait(), 0)
    expect(box.run(["test", "-e", "/dev/console"]).status, 1)


def test_sysctl(box):
    wanted = {"net.ipv4.ip_unprivileged_port_start": "80", "net.ipv4.ping_group_range": "5 6", "kernel.domainname": "by.sysctl"}
    script = "cd /proc/sys; cat net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range kernel/domainname"
    said = box.run(script, change=lambda config: config["linux"].update(sysctl=wanted)).ok()
    expect(said.split(), ["80", "5", "6", "by.sysctl"])


@ours
def test_sysctl_that_cannot_be(box):
    for name, why in (("net.no.such", "it is not known here"), ("kernel.osrelease", "permission denied"),
                      ("net.ipv4.ip_unprivileged_port_start", "invalid argument")):
        ended = box.run(["true"], change=lambda config: config["linux"].update(sysctl={name: "x"}))
        expect(ended.status != 0, True)
        expect_in(f"write sysctl {name.replace('.', '/')} = x: {why}", ended.err)


def test_personality(box):
    said = box.run(["cat", "/proc/self/personality"], change=lambda config: config["linux"].update(personality={"domain": "LINUX32"}))
    expect(said.ok(), "00000008\n")


@ours
def test_what_is_not_supported_is_refused(box):
    for field, value in (("intelRdt", {"closID": "x"}), ("netDevices", {"eth0": {}}), ("memoryPolicy", {"mode": "MPOL_BIND"}),
                         ("timeOffsets", {"monotonic": {"secs": 5}}), ("personality", {"domain": "x"}), ("personality", {})):
        refused(box, lambda config: config["linux"].update({field: value}), "linux." + field)
    for field in ("maskedPaths", "readonlyPaths"):
        refused(box, lambda config: config["linux"].update({field: ["proc"]}), f"linux.{field}[0]", "absolute")
    refused(box, lambda config: config["linux"].update(cgroupsPath="/a/../../b"), "linux.cgroupsPath")


@ours
def test_unified_needs_the_second_version(box):
    if pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists():
        files, word = {"no.such": "1"}, "no.such"
    else:
        files, word = {"memory.high": "1"}, "linux.resources.unified"
    refused(box, lambda config: config["linux"].update(cgroupsPath="/lc-unified", resources={"unified": files}), word)


@ours
def test_features(box):
    features = json.loads(box.runsc("features").ok())
    for version in (features["ociVersionMin"], features["ociVersionMax"]):
        box.run(["true"], change=lambda config: config.update(ociVersion=version)).ok()
    expect([int(part) for part in features["ociVersionMin"].split(".")]
           <= [int(part) for part in features["ociVersionMax"].split(".")], True)
    expect([*features], ["ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux"])
    expect({*features["hooks"]}, {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"})
    expect(any("=" in option for option in features["mountOptions"]), False)
