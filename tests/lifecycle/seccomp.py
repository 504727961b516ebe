"""linux.seccomp: the container's own filter."""

import json
import signal

from command import ours
from conformance import refused
from harness import expect

SHOW = "grep -E '^Seccomp(_filters)?:' /proc/self/status"


def profile(box, default, *rules, **more):
    return lambda config: config["linux"].update(seccomp={"defaultAction": default, "syscalls": list(rules), **more})


def rule(names, action, *args, **more):
    return {"names": names.split(), "action": action, "args": list(args), **more}


def test_answers(box):
    """An errno of one's own, the default of EPERM, and everything else as ever."""
    change = profile(box, "SCMP_ACT_ALLOW", rule("mkdir mkdirat", "SCMP_ACT_ERRNO", errnoRet=28),
                     rule("chmod fchmod fchmodat fchmodat2", "SCMP_ACT_ERRNO"),
                     rule("no_such_call", "SCMP_ACT_KILL"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"])
    said = box.run(f"mkdir /tmp/x; chmod 700 /tmp; {SHOW}; true", change=change)
    expect("No space left" in said.err and "not permitted" in said.err, True, said.err)
    expect(said.ok().split(), ["Seccomp:", "2", "Seccomp_filters:", "1"])


def test_arguments_decide(box):
    change = profile(box, "SCMP_ACT_ALLOW", rule("kill", "SCMP_ACT_ERRNO", {"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}))
    said = box.run("trap 'echo usr2' USR2; trap 'echo usr1' USR1; kill -USR1 $$; kill -USR2 $$", change=change)
    expect(said.ok(), "usr2\n")


def test_a_forbidden_call_kills(box):
    change = profile(box, "SCMP_ACT_ALLOW", rule("getpriority", "SCMP_ACT_KILL_PROCESS"))
    expect(box.run("nice; echo $?", change=change).ok(), f"{128 + signal.SIGSYS}\n")
    trap = profile(box, "SCMP_ACT_ALLOW", rule("getpriority", "SCMP_ACT_TRAP"))
    expect(box.run("nice; echo $?", change=trap).ok(), f"{128 + signal.SIGSYS}\n")


def test_users_without_privileges_have_it_too(box):
    change = profile(box, "SCMP_ACT_ALLOW", rule("mkdir mkdirat", "SCMP_ACT_ERRNO", errnoRet=28))
    said = box.run("mkdir /tmp/x || echo $?", change=change, user={"uid": 1000, "gid": 1000}, capabilities={})
    expect(said.ok(), "1\n")


def test_whoever_joins_has_it(box):
    change = profile(box, "SCMP_ACT_ALLOW", rule("mkdir mkdirat", "SCMP_ACT_ERRNO", errnoRet=28))
    name, folder = box.create(["sleep", "1000"], change, verb="run", flags=("--detach",))
    expect(box.ask("exec", name, "sh", "-c", SHOW).ok().split(), ["Seccomp:", "2", "Seccomp_filters:", "1"])
    config = box.config(["mkdir", "/tmp/x"])
    (folder / "process.json").write_text(json.dumps(config["process"]))
    expect(box.ask("exec", "--process", str(folder / "process.json"), name).status, 1)


def test_no_profile_no_filter(box):
    expect(box.run(SHOW).ok().split()[1], "0")


@ours
def test_profiles_are_checked(box):
    refused(box, profile(box, "SCMP_ACT_ALLOW", defaultErrnoRet=1), "linux.seccomp.defaultAction", "takes no errno")
    refused(box, profile(box, "SCMP_ACT_ALLOW", rule("read", "SCMP_ACT_KILL", errnoRet=1)), "syscalls[0].action", "takes no errno")
    refused(box, profile(box, "SCMP_ACT_ALLOW", rule("read", "SCMP_ACT_NOTIFY")), "syscalls[0].action", "not supported")
    refused(box, profile(box, "SCMP_ACT_ALLOW", rule("", "SCMP_ACT_KILL")), "syscalls[0].names", "empty")
    refused(box, profile(box, "SCMP_ACT_NONE"), "linux.seccomp.defaultAction", "SCMP_ACT_NONE")
    refused(box, profile(box, "SCMP_ACT_ALLOW", listenerMetadata="x"), "linux.seccomp.listenerMetadata")
    refused(box, profile(box, "SCMP_ACT_ALLOW", listenerPath="/run/x"), "linux.seccomp.listenerPath", "not supported")
    refused(box, profile(box, "SCMP_ACT_ALLOW", architectures=["VAX"]), "linux.seccomp.architectures[0]")
    refused(box, profile(box, "SCMP_ACT_ALLOW", flags=["X"]), "linux.seccomp.flags[0]")
    refused(box, lambda config: config["linux"].update(seccomp={}), "linux.seccomp.defaultAction: is required")
    bad = {"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}
    refused(box, profile(box, "SCMP_ACT_ALLOW", rule("read", "SCMP_ACT_KILL", bad)), "syscalls[0].args[0].index")
