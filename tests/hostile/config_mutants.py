"""Broken config.json texts, the same for the same number."""

import copy
import json
import random

VALUES = [None, True, False, 0, -1, 1, 65535, 1 << 31, 1 << 32, 1 << 63, 1 << 64, -(1 << 63), 10 ** 40, 0.5, -1e308, "", " ", "x",
          "/", "//", "..", "/../..", "/proc/self/fd/3", "a\x00b", "\ud800", "\u202e", "é" * 3000, "x" * 200000, "/" * 5000,
          [], {}, [[]], [None], [0], [""], {"": 0}, {"a": {"b": [1]}}, ["x"] * 5000, [{}], "true", "1"]
KEYS = ["", "x", "args", "type", "path", "source", "process", "\x00", "é", "destination", "linux", "hooks", "seccomp"]


def places(value, path=()):
    """Every place in a JSON value but the top."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, path + (key,))


def holder_of(config, path):
    for key in path[:-1]:
        config = config[key]
    return config


def value_mutant(config, dice):
    for _ in range(dice.randint(1, 2)):
        path = dice.choice(list(places(config)))
        holder, action = holder_of(config, path), dice.randrange(6)
        if action == 0:
            del holder[path[-1]]
        elif action == 1 and isinstance(holder, list):
            holder.extend(copy.deepcopy(holder) * dice.choice([1, 1, 100]))
        elif action == 1:
            holder[dice.choice(KEYS)] = copy.deepcopy(holder[path[-1]])
        elif action == 2:
            other = dice.choice(list(places(config)))
            holder[path[-1]] = copy.deepcopy(holder_of(config, other)[other[-1]])
        else:
            holder[path[-1]] = dice.choice(VALUES)
    return json.dumps(config).encode()


def text_mutant(config, dice):
    text = json.dumps(config, indent=dice.choice([None, 2])).encode()
    at = dice.randrange(len(text))
    return dice.choice([
        lambda: text[:at],
        lambda: b"",
        lambda: b"\xef\xbb\xbf" + text,
        lambda: text + dice.choice([b"{}", b"x", b"\0", b"]", b"\xff"]),
        lambda: text[:at] + bytes([dice.randrange(256)]) + text[at + 1:],
        lambda: text[:at] + dice.choice([b'"', b"{", b"}", b"[", b",", b":", b"\\", b"\\u12", b"\xc3", b"/* */", b"NaN"]) + text[at:],
        lambda: b"[" * dice.choice([1000, 100000, 2000000]),
        lambda: b'{"a":' * dice.choice([1000, 100000]) + b"1",
        lambda: b'{"process":' * 5 + text + b"}" * 5,
        lambda: text.replace(b'"ociVersion"', b'"process":{},"ociVersion"'),  # a name twice
        lambda: text.replace(b"1024", dice.choice([b"1e3", b"1e400", b"-0", b"01024", b"+1", b"0x10", b"1.", b"18446744073709551616"])),
        lambda: text.replace(b'"abi"', b'"' + b"\\u0000" * 10 + b'"'),
        lambda: text.encode("utf-16") if isinstance(text, str) else text.decode().encode("utf-16"),
        lambda: bytes(dice.randrange(256) for _ in range(2000)),
    ])()


def mutant(config, number):
    dice = random.Random(number)
    config = copy.deepcopy(config)
    return text_mutant(config, dice) if number % 5 == 4 else value_mutant(config, dice)
