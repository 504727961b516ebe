"""What the lint checks share: the tracked files, the rooms, and how a check ends."""

import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]


def tracked(*patterns):
    """Tracked files that match the patterns and exist, as paths relative to the top."""
    names = subprocess.run(
        ["git", "-C", str(TOP), "ls-files", "-z", "--", *patterns], check=True, capture_output=True, text=True
    ).stdout
    return [name for name in names.split("\0") if name and (TOP / name).is_file()]


def read(name):
    return (TOP / name).read_text(encoding="utf-8")


def is_test(path):
    return path.endswith("_test.cc") or "/testing/" in path


class Rooms:
    """rooms.txt."""

    def __init__(self):
        self.allowed = {}
        self.dual, self.std = [], []
        for line in read("scripts/lint/rooms.txt").splitlines():
            line = line.split("#")[0].strip()
            if not line:
                continue
            key, _, rest = line.partition(":")
            if key in ("dual", "std"):
                getattr(self, key).extend(rest.split())
            else:
                self.allowed[key] = rest.split()
        self._by_length = sorted(self.allowed, key=len, reverse=True)

    def room_of(self, path):
        for room in self._by_length:
            if path.startswith(room + "/"):
                return room
        return None

    def is_dual(self, path):
        """Whether the file is compiled for ring 0 or included by what is."""
        return self.room_of(path) in self.dual and not is_test(path)


def finish(problems, what):
    """Prints the problems, or what was found in order, and ends the check."""
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems" if problems else f"in order: {what}")
    sys.exit(1 if problems else 0)
