#!/usr/bin/env python3
"""Locks are held where the annotations say so: clang's analysis over the sources of the sentry.

g++ builds the project; clang only reads it here. A file whose preprocessed text was found in order once is not
looked at again: the results are kept by content in the cache folder.
"""

import concurrent.futures
import hashlib
import os
import pathlib
import subprocess

import tree

FLAGS = [
    "-std=c++2b", "-fsyntax-only", "-Wno-everything", "-Wthread-safety", "-Werror=thread-safety",
    # clang 16 is the first that takes std::expected of libstdc++ 12, once told of a newer concepts version.
    "-D__cpp_concepts=202002L",
    "-fno-exceptions", "-fno-rtti", "-I.", "-Ikvm/arch/hosted",
]


def cache_folder():
    base = os.environ.get("RUNSC_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME", "/var/cache"), "runsc-build")
    folder = pathlib.Path(base) / "thread-safety"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def check(name, folder):
    # Without line markers: what moves within a file, or in another checkout, is the same text.
    text = subprocess.run(["clang++-16", "-E", "-P", *FLAGS, name], cwd=tree.TOP, capture_output=True)
    key = hashlib.sha256(repr(FLAGS).encode() + text.stdout).hexdigest()
    if text.returncode == 0 and (folder / key).exists():
        return None
    run = subprocess.run(["clang++-16", *FLAGS, name], cwd=tree.TOP, capture_output=True, text=True)
    if run.returncode == 0:
        (folder / key).touch()
        return None
    return run.stderr


def main():
    rooms = tree.Rooms()
    names = [name for name in tree.tracked("*.cc")
             if (rooms.is_dual(name) or name.startswith("kvm/arch/hosted/")) and not name.startswith("kvm/arch/ring0/")]
    folder = cache_folder()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda name: check(name, folder), names))
    tree.finish([result for result in results if result], f"locks of {len(names)} files")


main()
