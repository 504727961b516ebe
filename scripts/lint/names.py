#!/usr/bin/env python3
"""Names: files and functions snake_case, types PascalCase, constants kName."""

import re

import tree

FILE = re.compile(r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")
TYPE = re.compile(r"^\s*(?:template\s*<.*>\s*)?(?:class|struct|union|enum(?:\s+class)?)\s+(?:\[\[\w+\]\]\s*|[A-Z_]+(?:\(.*?\))?\s+)?"
                  r"(\w+)\s*(?:final\s*)?(?::[^:;]*)?\{")
CONSTANT = re.compile(r"^\s*(?:static\s+|inline\s+)*constexpr\s+(?!auto\s+operator)[\w:<>, *&]+?\s(\w+)(?:\[[^\]]*\])?\s*(?:=|\{)")
FUNCTION = re.compile(r"^(?:\[\[nodiscard\]\]\s+)?(?:static\s+|inline\s+|constexpr\s+)*[\w:<>, *&]+?[\s*&](?:\w+::)*(\w+)\((?!\))[^;]*\)[^;]*\{")
PASCAL = re.compile(r"^[A-Z][A-Za-z0-9]*$")
SNAKE = re.compile(r"^[a-z_][a-z0-9_]*$")
# kName, or like Errno::badf where a scope already says what family it belongs to.
CONSTANT_NAME = re.compile(r"^(k[A-Z0-9][A-Za-z0-9_]*|[a-z][a-z0-9_]*)$")
MACRO = re.compile(r"^[A-Z][A-Z0-9_]+$")
WORDS = {"if", "for", "while", "switch", "return"}


def check(name):
    if not FILE.match(name.rsplit("/", 1)[1] if "/" in name else name):
        yield f"{name}: file names are snake_case"
    for number, line in enumerate(tree.read(name).splitlines(), 1):
        where = f"{name}:{number}: "
        if (found := TYPE.match(line)) and not PASCAL.match(found[1]):
            yield where + f"type {found[1]} is not PascalCase"
        elif (found := CONSTANT.match(line)) and "(" not in line[: found.start(1)] and not CONSTANT_NAME.match(found[1]):
            yield where + f"constant {found[1]} is not kName"
        elif (found := FUNCTION.match(line)) and found[1] not in WORDS and not MACRO.match(found[1]):
            if not SNAKE.match(found[1]) and not PASCAL.match(found[1]):
                yield where + f"function {found[1]} is not snake_case"


def main():
    names = tree.tracked("*.cc", "*.h")
    tree.finish([problem for name in names for problem in check(name)], f"names in {len(names)} files")


main()
