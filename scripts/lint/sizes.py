#!/usr/bin/env python3
"""Ceilings: .cc 600 lines, .h 300, a room's README.md 120, a function 60."""

import re

import tree

LIMITS = {".cc": 600, ".c": 600, ".h": 300, ".S": 600, ".py": 300}
FUNCTION_LIMIT = 60
README_LIMIT = 120

TOKENS = re.compile(
    r"""//[^\n]*|/\*.*?\*/                     # comments
      |R"([^\s()\\]{0,16})\(.*?\)\1"           # raw strings
      |"(?:\\.|[^"\\\n])*"                     # strings
      |(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'     # characters, not digit separators
      |^[ \t]*\#(?:\\\n|[^\n])*                # preprocessor lines
    """,
    re.S | re.M | re.X,
)
NOT_A_FUNCTION = re.compile(r"\b(namespace|class|struct|union|enum|concept)\b[^()]*$|\bextern\s*$|=\s*$|^\s*$")
NAME = re.compile(r"([~\w:]+|operator\s*[^\s(]+)\s*\(")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def functions(text):
    """(name, first line, lines) of each function with a body in namespace or class scope."""
    text = TOKENS.sub(blank, text)
    scopes = []  # of each open brace: (is function, name, first line)
    head = 0
    for match in re.finditer(r"[{};]", text):
        char, at = match.group(0), match.start()
        inside = any(scope[0] for scope in scopes)
        if char == "{":
            before = text[head:at]
            start = head + len(before) - len(before.lstrip())
            # Only a body's text has parentheses and is no declaration of a type or a braced value.
            is_function = not inside and "(" in before and not NOT_A_FUNCTION.search(before)
            name = NAME.search(before)
            scopes.append((is_function, name.group(1) if name else "?", text.count("\n", 0, start) + 1))
        elif char == "}" and scopes:
            is_function, name, first = scopes.pop()
            if is_function:
                yield name, first, text.count("\n", 0, at) + 2 - first
        if not (char == ";" and inside):
            head = at + 1


def check(name):
    text = tree.read(name)
    lines = text.count("\n")
    limit = README_LIMIT if name.endswith("/README.md") else next(
        (limit for suffix, limit in LIMITS.items() if name.endswith(suffix)), None)
    if limit and lines > limit:
        yield f"{name}: {lines} lines, the ceiling is {limit}"
    if name.endswith((".cc", ".h")):
        for function, first, length in functions(text):
            if length > FUNCTION_LIMIT:
                yield f"{name}:{first}: {function} has {length} lines, the ceiling is {FUNCTION_LIMIT}"


def main():
    names = tree.tracked("*.cc", "*.h", "*.c", "*.S", "*.py", "*/README.md")
    tree.finish([problem for name in names for problem in check(name)], f"sizes of {len(names)} files")


main()
