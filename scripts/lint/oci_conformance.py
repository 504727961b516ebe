#!/usr/bin/env python3
"""docs/oci-conformance.md is what scripts/oci-conformance makes of tests/oci, and no test of it failed."""

import sys

import tree

sys.dont_write_bytecode = True
sys.path.insert(0, str(tree.TOP / "tests/oci"))

import conformance  # noqa: E402


def main():
    found = list(conformance.problems())
    results = conformance.written_results()
    found += [f"docs/oci-conformance.md: {test} fails" for test, result in results.items() if result != conformance.PASSES]
    if not found and conformance.DOCUMENT.read_text() != conformance.render(results):
        found.append("docs/oci-conformance.md is not of these requirements: run scripts/oci-conformance")
    tree.finish(found, f"{len(list(conformance.requirements()))} requirements of the OCI runtime specification")


main()
