"""Records that are lost, and commands about one container beside each other."""

import os
import signal

from command import ours
from harness import expect
from kills import Case, bundle, cgroups, hook, make, reap, state_directories


@ours
def test_state_that_is_lost(box):
    for loss in ("missing", "empty", "nonsense", "all files"):
        case = Case(box, "lc-lost")
        folder = bundle(box)
        make(case, folder, ("run", "--detach"))
        home = box.work / "state" / case.name
        if loss in ("missing", "all files"):
            (home / "state.json").unlink()
        else:
            (home / "state.json").write_text("" if loss == "empty" else '{"id": 5}')
        if loss == "all files":
            (home / "config.json").unlink()
            (home / "control").unlink()
        expect(box.ask("delete", case.name).status, 1, f"delete without force, {loss}")
        if loss != "all files":  # without config.json nobody knows of the cgroup
            case.nothing_left(loss)
            continue
        case.ok("delete", "--force", case.name)
        reap(box)
        expect(state_directories(box), [])
        for path in cgroups():
            os.rmdir(path)


@ours
def test_one_of_two_creates_wins(box):
    case = Case(box, "lc-twice")
    folder = bundle(box)
    for _ in range(5):
        with open(os.devnull, "r+b") as nothing:
            both = [box.start(case.command("create", "--bundle", str(folder), case.name), stdin=nothing, stdout=nothing,
                              stderr=nothing) for _ in range(3)]
        expect(sorted(one.wait(60 * box.slow) for one in both), [0, 1, 1])
        expect(box.status(case.name), "created")
        case.nothing_left("two creates")


@ours
def test_one_of_many_takes_an_abandoned_name(box):
    case = Case(box, "lc-abandoned")
    folder = bundle(box)
    for _ in range(5):
        with open(os.devnull, "r+b") as nothing:
            owner = box.start(case.command("run", "--bundle", str(folder), case.name), stdin=nothing, stdout=nothing,
                              stderr=nothing)
            box.until(lambda: (case.recorded() or {}).get("status") == "running", "the first container runs")
            owner.kill()
            owner.wait()
            many = [box.start(case.command("create", "--bundle", str(folder), case.name), stdin=nothing, stdout=nothing,
                              stderr=nothing) for _ in range(4)]
        expect(sorted(one.wait(60 * box.slow) for one in many), [0, 1, 1, 1])
        expect(box.status(case.name), "created")
        case.nothing_left("creates of an abandoned name")


@ours
def test_deletes_beside_each_other(box):
    case = Case(box, "lc-twice")
    folder = bundle(box)
    for _ in range(5):
        make(case, folder)
        with open(os.devnull, "r+b") as nothing:
            all_of_them = [box.start(case.command("delete", "--force", case.name), stdin=nothing, stdout=nothing,
                                     stderr=nothing) for _ in range(3)]
        expect([one.wait(60 * box.slow) for one in all_of_them], [0, 0, 0])
        case.nothing_left("three deletes")


@ours
def test_delete_of_one_that_is_being_created(box):
    """createRuntime stops where it is; delete --force ends all of it."""
    case = Case(box, "lc-stuck")
    fifo = box.work / "fifo"
    os.mkfifo(fifo)
    folder = bundle(box, change=lambda config: config["hooks"].update(
        createRuntime=hook(box, "stuck", f"echo here > {fifo}; exec sleep 1000")))
    log = box.work / "kills.log"
    with open(os.devnull, "rb") as nothing, open(log, "wb") as out:
        creating = box.start(case.command("create", "--bundle", str(folder), case.name), stdin=nothing, stdout=out,
                             stderr=out)
    with open(fifo) as reader:
        expect(reader.readline(), "here\n")
    expect(box.status(case.name), "creating")
    expect(case.recorded()["pid"] > 0, True)
    expect(box.ask("delete", case.name).status, 1)
    case.ok("delete", "--force", case.name)
    expect(creating.wait(60 * box.slow), -signal.SIGKILL)
    case.nothing_left("delete of one that is being created")
