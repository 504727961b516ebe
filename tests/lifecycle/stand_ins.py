"""kill -9 of processes that stand on the host for what joined a sandbox, and of the commands that start them, at each
of their steps."""

import json
import os
import pathlib
import signal

import steps
from command import ours
from detached import pid_of
from harness import expect
from kills import Case, bundle, cgroups, children, each_step, make, reap, state_directories
from pod import of_pod


@ours
def test_exec(box):
    case = Case(box, "lc-killed")
    folder = bundle(box)
    make(case, folder, ("run", "--detach"))
    sandbox = pid_of(folder)
    pid_file = folder / "exec.pid"

    def only_init():
        return len(box.ask("ps", case.name).ok().splitlines()) == 2

    def run(number, kill=steps.kill_command):
        pid_file.unlink(missing_ok=True)
        command = case.command("exec", "--detach", "--pid-file", str(pid_file), case.name, "sleep", "1001")
        killed, _ = kill(command, number, case.log.fileno())
        if pid_file.exists() and children((sandbox,)):
            for stand_in in children((sandbox,)):
                os.kill(stand_in, signal.SIGKILL)
        reap(box, (sandbox,))
        box.until(only_init, "end of the process that was joined")
        return killed

    def kill_stand_in(command, number, out):
        pid, killed, count = steps.kill_child(command, number, out, until=(7,))
        _, status = os.waitpid(pid, 0)
        # At its last step it has said already that all is well.
        expect(os.waitstatus_to_exitcode(status) != 0 or pid_file.exists(), True, "failure of exec")
        return killed, count
    expect(each_step(box, run) > 5, True, "steps")
    expect(each_step(box, lambda number: run(number, kill_stand_in)) > 3, True, "steps of who stands for it")
    expect(case.ok("exec", case.name, "echo", "still here"), "still here\n")
    case.nothing_left("exec")


@ours
def test_create_in_a_pod(box):
    pod = Case(box, "lc-pod")
    pod_folder = box.bundle(box.config(["sleep", "1000"]))
    config = json.loads((pod_folder / "config.json").read_text())
    of_pod("unused", "sandbox")(config)
    (pod_folder / "config.json").write_text(json.dumps(config))
    make(pod, pod_folder, ("run", "--detach"))
    sandbox = pid_of(pod_folder)
    folder = bundle(box, change=of_pod(pod.name, "container"))
    case = Case(box, "lc-killed")
    words = ("create", "--bundle", str(folder), "--pid-file", str(folder / "pid"), case.name)

    def clean(number):
        case.ok("delete", "--force", case.name)
        reap(box, (sandbox,))
        expect(state_directories(box), [pod.name], f"after step {number}")
        expect(cgroups(), [])
        expect(box.status(pod.name), "running")

    def run(number):
        killed, _ = steps.kill_command(case.command(*words), number, case.log.fileno())
        state = case.recorded()
        if killed and (state is None or state["status"] == "creating"):
            reap(box, (sandbox,))
        clean(number)
        return killed

    def run_stand_in(number):
        pid, killed, _ = steps.kill_child(case.command(*words), number, case.log.fileno(), until=(7,))
        _, status = os.waitpid(pid, 0)
        failed = os.waitstatus_to_exitcode(status) != 0
        # At its last step it has said already that all is well.
        expect(failed, case.recorded() is None, "failure of create")
        clean(number)
        return killed
    expect(each_step(box, run) > 20, True, "steps")
    expect(each_step(box, run_stand_in) > 10, True, "steps of who stands for it")
    pod.nothing_left("the pod")


def in_poll(pid):
    """What a process waits in that waits for an answer."""
    poll = "7"
    try:
        return pathlib.Path(f"/proc/{pid}/syscall").read_text().split()[0] == poll
    except OSError:  # it has ended
        return False


@ours
def test_delete_when_nobody_stands_for_it(box):
    """The name is free as soon as delete has ended: the container is out of the pod's sandbox too. That is stopped
    meanwhile, so that it is not out before delete asks."""
    pod = Case(box, "lc-pod")
    pod_folder = bundle(box, ["sleep", "1000"], of_pod("unused", "sandbox"))
    make(pod, pod_folder, ("run", "--detach"))
    folder = bundle(box, change=of_pod(pod.name, "container"))
    case = Case(box, "lc-alone")
    sandbox = pid_of(pod_folder)
    for _ in range(2):
        make(case, folder, ("run", "--detach"))
        os.kill(sandbox, signal.SIGSTOP)
        try:
            os.kill(pid_of(folder), signal.SIGKILL)
            os.waitpid(pid_of(folder), 0)
            delete = box.start(case.command("delete", case.name), stdout=case.log, stderr=case.log)
            box.until(lambda: delete.poll() is not None or in_poll(delete.pid), "delete ends or waits")
            expect(delete.poll(), None, "delete without the sandbox")
        finally:
            os.kill(sandbox, signal.SIGCONT)
        expect(delete.wait(30 * box.slow), 0, "delete")
    pod.nothing_left("the pod")
