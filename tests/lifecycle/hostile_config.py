"""Broken configurations: an error in words, never a crash or a hang."""

import copy
import random

from command import ours
from harness import Failed

VALUES = [None, True, False, 0, -1, 1, 1 << 31, 1 << 63, 1 << 64, -(1 << 63), 1.5, "", "x", "/", "..", "/../..", "a\x00b",
          "é" * 5000, [], {}, [[]], [None], {"": 0}, {"a": {"b": [1]}}, ["x"] * 2000]


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, path + (key,))


def mutate(config, dice):
    for _ in range(dice.randint(1, 3)):
        path = dice.choice([path for path in places(config) if path])
        holder = config
        for key in path[:-1]:
            holder = holder[key]
        action = dice.randrange(4)
        if action == 0:
            del holder[path[-1]]
        elif action == 1 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[path[-1]]))
        elif action == 2 and isinstance(holder, dict):
            holder[dice.choice(["", "x", "args", "type", "path", "\u0000"])] = dice.choice(VALUES)
        else:
            holder[path[-1]] = dice.choice(VALUES)
    return config


def judge(ended, what):
    if ended.status < 0 or ended.status in (134, 139) or any(
            word in ended.err for word in ("panic", "terminate called", "Sanitizer", "Assertion")):
        raise Failed(f"{what}: exit status {ended.status}: {ended.err[-3000:]}")
    if ended.status != 0 and not ended.err.strip():
        raise Failed(f"{what}: exit status {ended.status} without a word")


@ours
def test_mutated_values(box):
    for seed in range(200 if box.mode == "hosted" else 40):
        config = mutate(box.config(["true"]), random.Random(seed))
        judge(box.finish(box.run_command(config), limit=20), f"seed {seed}: {config}")


@ours
def test_mutated_text(box):
    import json
    text = json.dumps(box.config(["true"]))
    for seed in range(60 if box.mode == "hosted" else 15):
        dice = random.Random(seed)
        at, end = sorted(dice.randrange(len(text)) for _ in range(2))
        broken = dice.choice([
            text[:at], text[at:], text[:at] + text[end:], text[:at] + dice.choice('{}[]",:\\') + text[at:], "[" * 100000,
            text[:at] + "\ufffe" + text[end:], ""])
        judge(box.finish(box.run_command(broken), limit=20), f"seed {seed}")
