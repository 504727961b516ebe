"""The command line: what each verb answers, and how errors name what is at fault."""

import json
import os
import subprocess

from harness import Failed, expect, expect_in


def ours(function):
    """Marks what only runsc can answer, not the oracle."""
    function.ours = True
    return function


@ours
def test_version(box):
    expect_in("runsc version", box.runsc("--version").ok())


def test_spec_writes_a_bundle_that_parses(box):
    box.runsc("spec", cwd=box.work).ok()
    spec = json.loads((box.work / "config.json").read_text())
    expect(spec["ociVersion"][:2], "1.")
    expect_in("args", spec["process"])


def test_spec_overwrites_nothing(box):
    (box.work / "config.json").write_text("mine")
    if box.runsc("spec", cwd=box.work).status == 0:
        raise Failed("spec went over a config.json that was there")
    expect((box.work / "config.json").read_text(), "mine")


@ours
def test_spec_runs_as_it_is(box):
    """What spec writes must run once root.path exists and the terminal is off."""
    box.runsc("spec", cwd=box.work).ok()
    config = json.loads((box.work / "config.json").read_text())
    config["root"]["path"] = box.rootfs
    config["process"].update(terminal=False, args=["echo", "from the spec"])
    expect(box.finish(box.run_command(config)).ok(), "from the spec\n")


def test_unknown_verb(box):
    if box.runsc("frobnicate").status == 0:
        raise Failed("an unknown verb went well")


def test_no_bundle(box):
    ended = box.runsc("run", "--bundle", str(box.work / "absent"), "x1")
    expect(ended.status != 0, True, "failed")
    expect_in("absent", ended.err)


def test_no_config(box):
    (box.work / "empty").mkdir()
    ended = box.runsc("run", "--bundle", str(box.work / "empty"), "x1")
    expect(ended.status != 0, True, "failed")
    expect_in("config.json", ended.err)


@ours
def test_errors_name_the_place_in_the_json(box):
    def broken(change, place):
        config = box.config(["true"])
        change(config)
        ended = box.finish(box.run_command(config))
        expect(ended.status != 0, True, f"{place} broken: failed")
        expect_in(place, ended.err)

    broken(lambda c: c["process"].update(args="true"), "process.args")
    broken(lambda c: c["process"].update(cwd="relative"), "process.cwd")
    broken(lambda c: c["process"]["user"].update(uid=-1), "process.user.uid")
    broken(lambda c: c["mounts"][2].update(destination=7), "mounts[2].destination")
    broken(lambda c: c["root"].update(path="/no/such/folder"), "/no/such/folder")


@ours
def test_unknown_capability_is_a_warning(box):
    """The specification wants a warning, not an error."""
    caps = {kind: ["CAP_CHOWN", "CAP_NONSENSE"] for kind in ("bounding", "effective", "permitted")}
    ended = box.run(["true"], capabilities=caps)
    expect(ended.status, 0)
    expect_in("CAP_NONSENSE", ended.err)


@ours
def test_bad_json_says_where(box):
    ended = box.finish(box.run_command('{"ociVersion": "1.0.2",,}'))
    expect(ended.status != 0, True, "failed")
    expect_in("config.json", ended.err)


@ours
def test_program_not_found(box):
    ended = box.run(["/no/such/program"])
    expect(ended.status != 0, True, "failed")
    expect_in("/no/such/program", ended.err)


@ours
def test_no_kvm_is_one_line_and_128(box):
    hide = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs dev /dev && mknod -m 666 /dev/null c 1 3 && exec "$@"', "sh"]
    ended = box.finish(hide + box.run_command(box.config(["true"])))
    expect(ended.status, 128, "exit status")
    expect(len(ended.err.strip().splitlines()), 1, f"lines of {ended.err!r}")
    expect_in("/dev/kvm", ended.err)


@ours
def test_do(box):
    expect(box.runsc("do", "sh", "-c", "echo hi; exit 3").status, 3)
    with open("/etc/os-release", encoding="utf-8") as release:
        expect(box.runsc("do", "cat", "/etc/os-release").ok(), release.read())


@ours
def test_do_leaves_the_host_alone(box):
    mark = box.work / "mark"
    expect(box.runsc("do", "sh", "-c", f"echo x >{mark}; cat {mark}").ok(), "x\n")
    expect(mark.exists(), False, "the file on the host")


@ours
def test_dmesg(box):
    lines = box.run(["dmesg"]).ok().splitlines()
    expect(lines[0], "[    0.000000] Starting gVisor...", "first line")
    expect_in("Ready!", lines[-1])
    expect(len(lines) > 3, True, "some lines of boot")


@ours
def test_strace_and_debug_log(box):
    log = box.work / "log"
    box.run("echo hello >/dev/null; cat /etc/debian_version",
            options=[f"--debug-log={log}", "--strace"]).ok()
    text = log.read_text()
    for part in ("execve(", "/etc/debian_version", "openat("):
        expect_in(part, text, "the log")


@ours
def test_rootless_is_refused(box):
    folder = str(box.bundle(box.config(["true"])))
    box.finish(box.command("run", "--bundle", folder, "lc-root", options=("--rootless=false",))).ok()
    refused = box.finish(box.command("run", "--bundle", folder, "lc-root", options=("--rootless=true",)))
    expect(refused.status, 1)
    expect_in("needs root", refused.err)


@ours
def test_debug_of_a_container(box):
    script = "import threading, time; threading.Thread(target=time.sleep, args=[1000]).start(); open(0).read()"
    name, _ = box.create(["python3", "-c", script], verb="run", flags=("--detach",))
    box.until(lambda: box.ask("debug", "--stacks", name).ok().count("waits in system call") == 2, "two threads that wait")
    text = box.ask("debug", "--stacks", name).ok()
    for part in ('process 1 thread 1 "python3"', "clock_nanosleep(", "futex(", "  rip 0x", "  r8 0x"):
        expect_in(part, text)
    expect_in("memory", box.ask("debug", "--counters", name).ok())
    for words in (("--stacks",), (), ("--stacks", "no-such-container"), ("--strace", name)):
        expect(box.ask("debug", *words).status, 1, words)


@ours
def test_nothing_is_left(box):
    """After a run: no process, no folder, no mount."""
    def state():
        mounts = open("/proc/self/mounts", encoding="utf-8").read()
        processes = subprocess.run(["pgrep", "-c", "-f", box.runtime + " .*lc-" + str(os.getpid())],
                                   stdout=subprocess.PIPE, text=True).stdout
        return mounts, sorted(os.listdir("/run")), processes

    box.run(["true"]).ok()
    before = state()
    box.run(["true"]).ok()
    expect(state(), before, "mounts, /run, processes")


@ours
def test_install(box):
    config = box.work / "docker" / "daemon.json"
    flag = f"--config_file={config}"
    box.runsc("install", flag, "--", "--debug", "--kvm-mode=hosted").ok()
    runtime = json.loads(config.read_text())["runtimes"]["runsc"]
    expect(runtime, {"path": os.path.realpath(box.runtime), "runtimeArgs": ["--debug", "--kvm-mode=hosted"]})
    config.write_text('{"log-level": "warn", "runtimes": {"other": {"path": "/x"}}}')
    config.chmod(0o640)
    box.runsc("install", flag, "--runtime", "boxes").ok()
    expect(sorted(json.loads(config.read_text())["runtimes"]), ["boxes", "other"])
    expect(config.stat().st_mode & 0o777, 0o640)
    expect(box.runsc("install", flag, "--runtime=boxes", "--clobber=false").status, 1)
    expect(box.runsc("install", flag, "--", "--no-such-flag").status, 1)
    box.runsc("uninstall", flag, "--runtime", "boxes").ok()
    expect(json.loads(config.read_text()), {"log-level": "warn", "runtimes": {"other": {"path": "/x"}}})
    expect(box.runsc("uninstall", flag, "--runtime", "boxes").status, 1)
    for broken in ("{", "[]", '{"runtimes": 5}'):
        config.write_text(broken)
        expect(box.runsc("install", flag).status, 1)
        expect(config.read_text(), broken)
    expect(sorted(path.name for path in config.parent.iterdir()), ["daemon.json"])


@ours
def test_what_is_not_applied_is_said(box):
    def change(config):
        config["linux"]["mountLabel"] = "label"
        config["linux"]["resources"] = {"blockIO": {"weight": 0}, "network": {"classID": 5}}
        config["process"]["execCPUAffinity"] = {"initial": "0"}
        config["mounts"].append({"destination": "/etc", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]})
        config["mounts"].append({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]})
    ended = box.run("echo ran", change=change)
    expect(ended.ok(), "ran\n")
    for word in ("linux.mountLabel", "linux.resources.network", "process.execCPUAffinity", "/etc: tmpcopyup"):
        expect_in(word, ended.err)
    for word in ("blockIO", "/mnt"):
        expect(word in ended.err, False, word)
