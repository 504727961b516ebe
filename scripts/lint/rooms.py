#!/usr/bin/env python3
"""Includes go only where rooms.txt lets them, and the dual rooms take only what works without a C library."""

import re

import tree

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def check(name, rooms):
    room = rooms.room_of(name)
    for number, line in enumerate(tree.read(name).splitlines(), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        kind, target = found.groups()
        where = f"{name}:{number}: "
        if kind == '"':
            # A name without a folder is the header that the build picks for the mode, or a neighbour.
            if "/" not in target:
                continue
            goal = rooms.room_of(target)
            if goal is None:
                yield where + f"{target} is in no room"
            elif goal == "tests" and tree.is_test(name):
                continue
            elif room is not None and goal != room and not {goal, target} & set(rooms.allowed[room]):
                yield where + f"{room} must not include {goal} ({target})"
        elif rooms.is_dual(name):
            if not any(target == std or (std.endswith("/") and target.startswith(std)) for std in rooms.std):
                yield where + f"<{target}> is not for the dual rooms"


def main():
    rooms = tree.Rooms()
    names = tree.tracked("*.cc", "*.h", "*.S")
    problems = [problem for name in names for problem in check(name, rooms)]
    tree.finish(problems, f"includes of {len(names)} files")


main()
