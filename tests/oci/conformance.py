"""docs/oci-conformance.md: the requirements of the OCI runtime specification with the tests that show them, and their results."""

import ast
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path.insert(0, str(HERE))

from requirements_linux import LINUX  # noqa: E402
from requirements_runtime import CONFIG, RUNTIME  # noqa: E402

DOCUMENT = TOP / "docs/oci-conformance.md"
PASSES, FAILS = "passes", "FAILS"
ROW = re.compile(r"^\| \d+ \|.*\| `([^|]*)` \| (\w+) \|", re.M)

HEAD = """# The OCI runtime specification

Made by scripts/oci-conformance from tests/oci/requirements_*.py and what the tests gave: do not edit. Of specification
1.2.1 and what its main branch has added since; parts for other platforms are left out, and what is asked of
those who write config.json. One row is one requirement, in our words. A row with a reason in the last column is not met.

{summary}

| | section | | requirement | shown by | result | not met |
| --- | --- | --- | --- | --- | --- | --- |
"""


def requirements():
    """(section, strength, text, [tests], reason why it is not met or "")"""
    for section, strength, text, tests, *reason in RUNTIME + CONFIG + LINUX:
        yield section, strength, text, tests.split(), reason[0] if reason else ""


def known_tests():
    names = set()
    for path in (TOP / "tests/lifecycle").glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                names.add(f"{path.stem}.{node.name[5:]}")
    return names


def problems():
    """What is wrong with the requirements themselves."""
    known, seen = known_tests(), set()
    for section, strength, text, tests, reason in requirements():
        where = f"{section}: {text}"
        if strength not in ("MUST", "SHOULD"):
            yield f"{where}: strength {strength}"
        if (section, text) in seen:
            yield f"{where}: is there twice"
        seen.add((section, text))
        if not tests and not reason:
            yield f"{where}: no test"
        for test in tests:
            if test not in known:
                yield f"{where}: there is no test {test}"


def wanted_tests():
    return sorted({test for *_, tests, _ in requirements() for test in tests})


def written_results():
    """{test: result} as the document has them."""
    results = {}
    for tests, result in ROW.findall(DOCUMENT.read_text()):
        for test in tests.split():
            results[test] = result
    return results


def render(results):
    rows, met, unmet = [], 0, 0
    for number, (section, strength, text, tests, reason) in enumerate(requirements(), 1):
        result = "-" if not tests else PASSES if all(results.get(test) == PASSES for test in tests) else FAILS
        met, unmet = met + (not reason), unmet + bool(reason)
        rows.append(f"| {number} | {section} | {strength} | {text} | {'`' + ' '.join(tests) + '`' if tests else ''} | {result} | {reason} |")
    summary = f"{met + unmet} requirements: {met} are met, {unmet} are not, or not as the specification has it."
    return HEAD.format(summary=summary) + "\n".join(rows) + "\n"
