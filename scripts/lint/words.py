#!/usr/bin/env python3
"""No left-over marks in the tree, a README.md in each room, and no file that was saved badly."""

import pathlib
import re

import tree

MARKS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")


def check(name):
    try:
        text = tree.read(name)
    except UnicodeDecodeError:
        return
    if text and not text.endswith("\n"):
        yield f"{name}: no newline at the end"
    for number, line in enumerate(text.splitlines(), 1):
        found = MARKS.search(line)
        if found:
            yield f"{name}:{number}: {found.group(0)}: do it or file it"
        if re.search(r"[ \t]+$", line):
            yield f"{name}:{number}: blanks at the end of the line"


def main():
    names = [name for name in tree.tracked() if name != "LICENSE"]
    problems = [problem for name in names for problem in check(name)]
    # A room within a room may be described by the outer one's.
    for room in tree.Rooms().allowed:
        folders = [room, *(str(parent) for parent in pathlib.PurePath(room).parents)][:-1]
        if any(name.startswith(room + "/") and name.endswith((".cc", ".h", ".c")) for name in names) and room != "tests":
            if not any(f"{folder}/README.md" in names for folder in folders):
                problems.append(f"{room}: no README.md")
    tree.finish(problems, f"words of {len(names)} files")


main()
