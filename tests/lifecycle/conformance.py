"""Requirements of the OCI runtime specification (runtime.md, config.md) that no other subject shows: tests/oci."""

import json
import os

from command import ours
from detached import subreaper, pid_of, reap
from harness import expect, expect_in
from hooks import hook


def refused(box, change, *words, args="true", **process):
    """The runtime makes nothing of this configuration, and says which part is wrong."""
    config = box.config(args, **process)
    change(config)
    folder = box.bundle(config)
    ended = box.ask("create", "--bundle", str(folder), "lc-refused")
    expect(ended.status, 1, f"exit status ({ended.err})")
    for word in words:
        expect_in(word, ended.err)
    expect(len(ended.err.splitlines()), 1, "lines of the error")
    expect(box.ask("list", "--quiet").ok(), "", "containers that are there")


@ours
def test_state_document(box):
    name, folder = box.create(["sleep", "1000"], lambda config: config.update(annotations={"org.example.key": "value"}))
    state = json.loads(box.ask("state", name).ok())
    expect((state["ociVersion"], state["id"], state["status"], state["bundle"]), ("1.0.2", name, "created", str(folder)))
    expect(state["pid"], pid_of(folder))
    expect(state["annotations"], {"org.example.key": "value"})
    box.ask("start", name).ok()
    expect(json.loads(box.ask("state", name).ok())["status"], "running")


def test_later_changes_of_the_configuration(box):
    name, folder = box.create("echo as it was created")
    (folder / "config.json").write_text(json.dumps(box.config("echo as it is now")))
    subreaper()
    box.ask("start", name).ok()
    box.until(lambda: box.status(name) == "stopped", "the end")
    expect((folder / "out").read_text(), "as it was created\n")


@ours
def test_a_failing_hook_undoes_the_creation(box):
    for kind in ("prestart", "createRuntime", "createContainer"):
        log = box.work / ("log." + kind)
        bad, last = hook(box, "bad", "exit 3"), hook(box, "last", f"echo poststop >> {log}")
        refused(box, lambda config: config.update(hooks={kind: [bad], "poststop": [last]}), kind, "exit status 3")
        expect(log.read_text(), "poststop\n")


@ours
def test_hooks_in_order(box):
    log = box.work / "log"
    kinds = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")

    def change(config):
        config["hooks"] = {kind: [hook(box, f"{kind}{n}", f'echo {kind}{n} $(tr -d "\\n" | sed "s/.*\\"status\\": *\\"\\([a-z]*\\).*/\\1/") >> {log}')
                                  for n in (1, 2)] for kind in kinds}
    name, _ = box.create(["sleep", "1000"], change)
    box.ask("start", name).ok()
    box.ask("delete", "--force", name).ok()
    status = {"poststart": "running", "poststop": "stopped"}
    expect(log.read_text().split("\n")[:-1],
           [f"{kind}{n} {status.get(kind, 'creating')}" for kind in kinds for n in (1, 2)])


@ours
def test_hooks_are_checked(box):
    def with_hook(**fields):
        return lambda config: config.update(hooks={"createRuntime": [{"path": "/bin/true", **fields}]})
    refused(box, with_hook(path="bin/true"), "hooks.createRuntime[0].path", "absolute")
    refused(box, with_hook(timeout=0), "hooks.createRuntime[0].timeout")
    refused(box, with_hook(timeout=-1), "hooks.createRuntime[0].timeout")


@ours
def test_commands_need_an_id(box):
    for verb in ("state", "create", "start", "kill", "delete"):
        ended = box.ask(verb)
        expect(ended.status, 1, verb)
        expect_in("usage: runsc " + verb, ended.err)


@ours
def test_ids_are_checked(box):
    folder = str(box.bundle(box.config("true")))
    for name in ("", ".", "..", "a/b", "/", "a b", "a\nb", "\u00e9", "x" * 2000):
        ended = box.ask("create", "--bundle", folder, name)
        expect(ended.status, 1, repr(name))
        expect(len(ended.err.splitlines()), 1, f"lines of the error for {name[:9]!r}")
        expect(box.ask("list", "--quiet").ok(), "", "containers that are there")


def test_what_has_ended(box):
    """It is neither started nor signalled again."""
    subreaper()
    name, folder = box.create("exit 4")
    box.ask("start", name).ok()
    expect(reap(box, pid_of(folder)), 4)
    for words in (("start", name), ("kill", name, "KILL")):
        expect(box.ask(*words).status, 1, words[0])
        expect(box.status(name), "stopped")


def test_delete_takes_what_create_made(box):
    folder = box.work / "shared"
    folder.mkdir()
    mount = {"destination": "/mnt", "type": "bind", "source": str(folder), "options": ["rbind", "rw"]}
    name, bundle = box.create("echo x > /mnt/file; exec sleep 1000", lambda config: config["mounts"].append(mount))
    box.ask("start", name).ok()
    box.until(lambda: (folder / "file").exists() and (folder / "file").read_text() == "x\n", "the file")
    box.ask("delete", "--force", name).ok()
    expect((folder / "file").read_text(), "x\n")
    expect((bundle / "config.json").exists(), True)
    expect(name in box.ask("list", "--quiet").ok(), False)
    expect(name in "".join(path for path, _, _ in os.walk(box.work / "state")), False)


def test_links_in_dev(box):
    script = "cd /dev; for name in fd stdin stdout stderr ptmx; do readlink $name; done"
    expect(box.run(script).ok().split(), ["/proc/self/fd", *(f"/proc/self/fd/{n}" for n in (0, 1, 2)), "pts/ptmx"])


@ours
def test_versions(box):
    for version in ("1.0.0", "1.0.2-dev", "1.3.0"):
        box.run(["true"], change=lambda config: config.update(ociVersion=version)).ok()
    for version in ("", "2.0.0", "x", "1.", "1.0", "1.0.x", 1):
        refused(box, lambda config: config.update(ociVersion=version), "ociVersion")


@ours
def test_root_is_required(box):
    refused(box, lambda config: config.pop("root"), "root: is required")
    refused(box, lambda config: config["root"].update(path=str(box.work / "absent")), "root.path")
    (box.work / "file").write_text("")
    refused(box, lambda config: config["root"].update(path=str(box.work / "file")), "root.path", "not a directory")


@ours
def test_process_is_checked(box):
    refused(box, lambda config: config.pop("process"), "process")
    for field in ("cwd", "args"):
        refused(box, lambda config: config["process"].pop(field), f"process.{field}: is required")
    refused(box, lambda config: config["process"].update(cwd="tmp"), "process.cwd", "absolute")
    refused(box, lambda config: config["process"].update(args=[]), "process.args")
    limit = {"type": "RLIMIT_NOFILE", "hard": 10, "soft": 10}
    refused(box, lambda config: config["process"].update(rlimits=[limit, limit]), "rlimits[1]")
    for field in limit:
        missing = {key: value for key, value in limit.items() if key != field}
        refused(box, lambda config: config["process"].update(rlimits=[missing]), f"rlimits[0].{field}: is required")
    refused(box, lambda config: config["process"].update(rlimits=[{**limit, "type": "RLIMIT_X"}]), "RLIMIT_X")


def test_console_size_without_a_terminal(box):
    expect(box.run(["echo", "fine"], consoleSize={"height": 5, "width": 6}).ok(), "fine\n")


def test_oom_score(box):
    expect(box.run(["cat", "/proc/self/oom_score_adj"], oomScoreAdj=500).ok(), "500\n")
    here = open("/proc/self/oom_score_adj").read() if box.mode == "runc" else "0\n"
    expect(box.run(["cat", "/proc/self/oom_score_adj"]).ok(), here)


@ours
def test_scheduling(box):
    script = "chrt -p $$; nice; ionice -p $$"
    said = box.run(script, scheduler={"policy": "SCHED_BATCH", "nice": 5}, ioPriority={"class": "IOPRIO_CLASS_IDLE"}).ok()
    expect_in("SCHED_BATCH", said)
    expect(said.splitlines()[-2:], ["5", "idle"])
    refused(box, lambda config: config["process"].update(scheduler={"policy": "SCHED_DEADLINE"}), "scheduler.policy")
    refused(box, lambda config: config["process"].update(scheduler={"nice": 1}), "scheduler.policy: is required")
    refused(box, lambda config: config["process"].update(ioPriority={"class": "x"}), "ioPriority.class")


@ours
def test_domain_name(box):
    said = box.run("cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname",
                   change=lambda config: config.update(domainname="example.org"))
    expect(said.ok(), "lifecycle\nexample.org\n")


@ours
def test_annotations_are_checked(box):
    refused(box, lambda config: config.update(annotations={"": "x"}), "annotations", "empty")
    refused(box, lambda config: config.update(annotations={"org.example.a": 1}), "annotations", "string")
    refused(box, lambda config: config.update(annotations=["x"]), "annotations")


def test_unknown_properties(box):
    def change(config):
        config["unknown"] = {"a": [1, 2]}
        config["process"]["unknown"] = config["linux"]["unknown"] = config["root"]["unknown"] = 5
        config["annotations"] = {"org.opencontainers.image.os": "linux", "no.such": "key"}
    expect(box.run(["echo", "fine"], change=change).ok(), "fine\n")


@ours
def test_preserved_descriptors(box):
    """--preserve-fds and socket activation, as runc has them."""
    path = box.work / "file"
    path.write_text("of the caller\n")
    folder = str(box.bundle(box.config("cat <&3; echo ${LISTEN_FDS:-none} ${LISTEN_PID:-none}; ls /proc/self/fd | wc -l")))

    def run(number, wrap="", *flags):
        command = box.command("run", *flags, "--bundle", folder, f"lc-{os.getpid()}-fds{number}")
        return box.finish(["bash", "-c", f'exec 3< {path}; {wrap} exec "$@"', "bash", *command])
    # ls has its three streams, the one that is handed in, and the directory.
    expect(run(1, "", "--preserve-fds", "1").ok(), "of the caller\nnone none\n5\n")
    expect(run(2, "export LISTEN_FDS=1 LISTEN_PID=$$;").ok(), "of the caller\n1 1\n5\n")
    alone = run(3)
    expect_in("none none", alone.out)
    expect_in("Bad file descriptor", alone.err)
    for number, (wrap, word) in enumerate((("exec 3<&-;", "is not open"), ("exec 3< /;", "is a directory"),
                                           ("exec 3< /dev/kvm;", "is a device"))):
        bad = run(4 + number, wrap, "--preserve-fds", "1")
        expect(bad.status, 1)
        expect_in("descriptor 3 " + word, bad.err)


@ours
def test_preserved_descriptors_of_an_exec(box):
    name, _ = box.create(["sleep", "1000"], verb="run", flags=("--detach",))
    command = box.manage("exec", "--preserve-fds", "2", name, "sh", "-c", "cat <&3; echo out >&4")
    out = box.work / "out"
    box.finish(["bash", "-c", f'echo in > {out}.in; exec 3< {out}.in 4> {out}; exec "$@"', "bash", *command]).ok()
    expect(out.read_text(), "out\n")
