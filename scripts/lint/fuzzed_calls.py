#!/usr/bin/env python3
"""Every system call that the sentry serves is made by tests/fuzz, or left out for a reason that stands here."""

import re

import tree

LEFT_OUT = {}  # name: why
SERVED = re.compile(r'^\s*\{(\d+), "(\w+)", ', re.M)
MADE = re.compile(r"^\s*\{SYS_(\w+)\b", re.M)


def main():
    served = {}
    for name in tree.tracked("kernel/syscalls/table_*.cc"):
        served.update({call: name for _, call in SERVED.findall(tree.read(name))})
    made = set()
    for name in tree.tracked("tests/fuzz/calls_*.c"):
        made.update(MADE.findall(tree.read(name)))
    problems = [f"{name}: {call} has no row in tests/fuzz/calls_*.c and is not left out in scripts/lint/fuzzed_calls.py"
                for call, name in served.items() if call not in made and call not in LEFT_OUT]
    problems += [f"scripts/lint/fuzzed_calls.py: {call} is left out, but it is made or not served"
                 for call in LEFT_OUT if call in made or call not in served]
    if len(served) < 250:
        problems.append("kernel/syscalls/table_*.cc: rows are not found")
    tree.finish(problems, f"{len(served)} system calls that are served, {len(LEFT_OUT)} of them left out")


main()
