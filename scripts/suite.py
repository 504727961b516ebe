"""The steps of scripts/test: what runs, in which order, and what it adds to the count of passed and failed tests."""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[1]
COUNT = re.compile(r"^(\d+) passed, (\d+) failed$")
CATCH_PASSED = re.compile(r"^All tests passed \(.* in (\d+) test cases?\)")
CATCH_FAILED = re.compile(r"^test cases:\s*\d+ \|(?:\s*(\d+) passed \|)?\s*(\d+) failed")
MESON_COUNT = re.compile(r"^(Ok|Fail|Timeout|Unexpected Pass|Expected Fail|Skipped):\s+(\d+)")

QUICK, NORMAL, FULL = 0, 1, 2


class Step:
    """One command. Its tests are counted from its output; one that ends without a count is one failed test;
    a `program` is one test itself."""

    def __init__(self, name, command, level=QUICK, limit=600, needs=(), env=None, kind="tests"):
        self.name, self.command, self.level, self.limit = name, command, level, limit
        self.needs, self.env, self.kind = needs, env or {}, kind
        self.passed = self.failed = 0
        self.ok = False

    def run(self):
        begun = time.monotonic()
        lines, status, late = self._execute()
        self.passed, self.failed, counted = self._count(lines)
        if self.kind == "build":
            self.passed, self.failed = (0, 0) if status == 0 else (0, 1)
        elif self.kind == "program":
            self.passed, self.failed = (1, 0) if status == 0 else (0, 1)
        elif status != 0 and self.failed == 0 or not counted:
            self.failed += 1
        self.ok = self.failed == 0
        if not self.ok:
            print(f"---- {self.name}: output")
            for line in lines[-400:]:
                if not COUNT.match(line) and not line.startswith("PASS "):
                    print("    " + line)
            reason = f"not done within {self.limit} s" if late else f"exit status {status}"
            print(f"---- {self.name}: {reason}: {' '.join(self.command)}")
        # Known gaps are not run: told whatever the outcome, so that no green run hides them.
        for line in lines:
            if line.startswith("GAP "):
                print(f"    {line}")
        print(f"{'ok  ' if self.ok else 'FAIL'} {self.name}: {self._summary()}{time.monotonic() - begun:.0f} s", flush=True)

    def _summary(self):
        if self.kind == "build":
            return ""
        return f"{self.passed} of {self.passed + self.failed} tests, "

    def _execute(self):
        """(lines of output, exit status, whether it had to be stopped)."""
        try:
            process = subprocess.Popen(
                self.command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env={**os.environ, **self.env}, start_new_session=True)
        except OSError as error:
            return [str(error)], 127, False
        late = threading.Event()

        def stop():
            late.set()
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(self.limit, stop)
        timer.start()
        lines = [raw.decode(errors="replace").rstrip("\n") for raw in process.stdout]
        status = process.wait()
        timer.cancel()
        return lines, status, late.is_set()

    @staticmethod
    def _count(lines):
        """(passed, failed, whether there was a count at all)."""
        passed = failed = 0
        counted = False
        for line in lines:
            if found := COUNT.match(line):
                passed, failed, counted = passed + int(found[1]), failed + int(found[2]), True
            elif found := CATCH_PASSED.match(line):
                passed, counted = passed + int(found[1]), True
            elif found := CATCH_FAILED.match(line):
                passed, failed, counted = passed + int(found[1] or 0), failed + int(found[2]), True
            elif found := MESON_COUNT.match(line):
                counted = True
                if found[1] == "Ok":
                    passed += int(found[2])
                else:
                    failed += int(found[2])
        return passed, failed, counted


def steps():
    asan = {"ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=0:abort_on_error=0:exitcode=99",
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    tsan = {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"}
    rootfs = subprocess.run([TOP / "scripts/rootfs", "--dir"], stdout=subprocess.PIPE, text=True).stdout.strip()
    hosted = ["--on", "hosted", "--rootfs", rootfs or "/nonexistent"]
    ring0 = ["--on", "ring0", "--rootfs", "/rootfs"]
    vm = ["scripts/vm", "--timeout"]
    return [
        Step("build", ["scripts/build"], kind="build", limit=3600),
        Step("lint", ["meson", "test", "-C", "build", "--no-rebuild", "--suite", "lint", "--print-errorlogs"]),
        Step("unit", ["scripts/units", "build"], needs=["build"]),
        Step("abi on linux", ["tests/abi/run", "--on", "linux"], needs=["build"]),
        Step("abi hosted", ["tests/abi/run", *hosted], needs=["build"], limit=900),
        Step("abi ring0", [*vm, "900", "tests/abi/run", *ring0], needs=["build"], limit=960),
        Step("lifecycle hosted", ["tests/lifecycle/run", *hosted], needs=["build"], limit=900),
        Step("lifecycle ring0", [*vm, "1200", "tests/lifecycle/run", *ring0, "--part", "cheap"], NORMAL, needs=["build"],
             limit=1260),
        Step("containerd with runc", ["tests/containerd/run"], NORMAL, needs=["build"]),
        Step("containerd with runsc", ["tests/containerd/run", "--runtime", str(TOP / "build/runsc")],
             NORMAL, needs=["build"]),
        Step("network hosted, short", ["tests/network/run", "--on", "hosted", "--short"], NORMAL, needs=["build"], limit=900),
        Step("install", ["tests/install/run"], NORMAL, needs=["build"]),
        Step("docker", ["tests/docker/run"], NORMAL, needs=["build"]),
        Step("hostile hosted", ["tests/hostile/run", *hosted], NORMAL, needs=["build"], limit=1200),
        Step("hostile ring0", [*vm, "1200", "tests/hostile/run", *ring0, "--configs", "20"], NORMAL, needs=["build"],
             limit=1260),
        Step("seam ring0", [*vm, "300", "build/kvm/arch/ring0/selftest/ring0_selftest"], needs=["build"], limit=360,
             kind="program"),
        Step("stress hosted, short", ["tests/stress/run", "--on", "hosted", "--short", "--seconds", "1"], NORMAL,
             needs=["build"], limit=600),
        Step("vm", ["tests/vm/check"], NORMAL, limit=300),
        Step("build asan", ["scripts/build", "--asan", "runsc", "units"], NORMAL, kind="build", limit=3600),
        Step("unit asan", ["scripts/units", "build-asan"], NORMAL, needs=["build asan"], env=asan),
        Step("work under asan", ["tests/lifecycle/run", *hosted, "--runsc", "build-asan/runsc", "work"], NORMAL,
             needs=["build asan"], limit=1200, env=asan),
        Step("build tsan", ["scripts/build", "--tsan", "units"], NORMAL, kind="build", limit=3600),
        Step("unit tsan", ["scripts/units", "build-tsan"], NORMAL, needs=["build tsan"], env=tsan),
        Step("abi under asan", ["tests/abi/run", *hosted, "--runsc", "build-asan/runsc"], FULL,
             needs=["build asan"], limit=2400, env=asan),
        Step("hostile under asan", ["tests/hostile/run", *hosted, "--runsc", "build-asan/runsc"], FULL,
             needs=["build asan"], limit=2400, env=asan),
        Step("lifecycle ring0, dear", [*vm, "5400", "tests/lifecycle/run", *ring0, "--part", "dear"], FULL, needs=["build"],
             limit=5460),
        Step("release for a bare node", ["tests/install/run", "--bare-node"], FULL, needs=["build"], limit=3600),
        Step("abi ring0 in parallel", ["scripts/vm", "--parallel", "--timeout", "900", "tests/abi/run", *ring0], FULL,
             needs=["build"], limit=960),
        Step("userland hosted", ["tests/userland/run", "--on", "hosted"], FULL, needs=["build"], limit=3600),
        Step("userland ring0", ["scripts/vm", "--large", "--timeout", "5400", "tests/userland/run", *ring0], FULL,
             needs=["build", "userland hosted"], limit=5460),
        Step("network on runc", ["tests/network/run", "--on", "runc"], FULL, needs=["build"], limit=1800),
        Step("network hosted", ["tests/network/run", "--on", "hosted"], FULL, needs=["build"], limit=3600),
        Step("network ring0", ["scripts/vm", "--large", "--timeout", "5400", "tests/network/run", *ring0], FULL, needs=["build"],
             limit=5460),
        Step("stress hosted", ["tests/stress/run", "--on", "hosted"], FULL, needs=["build"], limit=1800),
        Step("stress ring0", ["scripts/vm", "--large", "--timeout", "3000", "tests/stress/run", *ring0, "--seconds", "2"],
             FULL, needs=["build"], limit=3060),
        Step("cpython hosted", ["tests/cpython/run", "--on", "hosted"], FULL, needs=["build"], limit=3600),
        Step("cpython ring0", ["scripts/vm", "--large", "--timeout", "9000", "tests/cpython/run", *ring0], FULL,
             needs=["build", "cpython hosted"], limit=9060),
        Step("bench hosted", ["tests/bench/run", "--turns", "1", "--rounds", "1"], FULL, needs=["build"], limit=900),
        Step("bench ring0", ["tests/bench/run", "--on", "ring0", "--turns", "1", "--rounds", "1"], FULL, needs=["build"],
             limit=900),
        Step("bench icount", ["tests/bench/run", "--icount"], FULL, needs=["build"], limit=900),
        Step("bench network", ["tests/bench/network", "--turns", "1", "--seconds", "1"], FULL, needs=["build"], limit=900),
        Step("random calls hosted", ["tests/hostile/run", *hosted, "--seconds", "600", "random_calls"], FULL,
             needs=["build"], limit=2400),
        Step("random calls ring0", [*vm, "3600", "tests/hostile/run", *ring0, "--seconds", "900", "random_calls"], FULL,
             needs=["build"], limit=3660),
        Step("random calls under asan", ["tests/hostile/run", *hosted, "--runsc", "build-asan/runsc", "--seconds", "1800",
                                         "--calls", "60000", "random_calls"], FULL,
             needs=["build asan"], limit=7800, env=asan),
    ]


def main():
    parser = argparse.ArgumentParser(prog="scripts/test")
    level = parser.add_mutually_exclusive_group()
    level.add_argument("--quick", action="store_const", dest="level", const=QUICK)
    level.add_argument("--full", action="store_const", dest="level", const=FULL)
    parser.add_argument("--list", action="store_true", help="name the steps and stop")
    parser.add_argument("--no-build", action="store_true", help="test what was built before")
    parser.add_argument("words", nargs="*", metavar="STEP")
    options = parser.parse_args()
    limit = NORMAL if options.level is None else options.level

    every = steps()
    if options.list:
        print("\n".join(step.name for step in every))
        return 0
    chosen = [step for step in every if step.level <= limit]
    if options.words:
        chosen = [step for step in every if any(word in step.name for word in options.words)]
        needed = {name for step in chosen for name in step.needs}
        chosen = [step for step in every if step in chosen or step.name in needed]
    if options.no_build:
        chosen = [step for step in chosen if step.kind != "build"]
    broken = set()
    for step in chosen:
        if broken.intersection(step.needs):
            step.failed = 1
            print(f"FAIL {step.name}: not run, it needs: {', '.join(step.needs)}", flush=True)
            continue
        step.run()
        if step.kind == "build" and not step.ok:
            broken.add(step.name)
    passed, failed = sum(step.passed for step in chosen), sum(step.failed for step in chosen)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
