"""What the runners of tests say of a thing that is wrong."""

import time


class Failed(Exception):
    """What a test found wrong."""


def expect(actual, wanted, what=""):
    if actual != wanted:
        raise Failed(f"{what or 'value'}: got {actual!r}, expected {wanted!r}")


def expect_in(part, whole, what=""):
    if part not in whole:
        raise Failed(f"{what or 'text'}: {part!r} is not in {whole!r}")


def wait_for(condition, what, limit=30):
    """Asks until the answer is true, and returns it."""
    end = time.monotonic() + limit
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"not within {limit} s: {what}")
        time.sleep(0.02)


class Ended:
    """A run that is over."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def ok(self):
        """The output of a run that must have gone well."""
        if self.status != 0:
            raise Failed(f"exit status {self.status}\nstdout: {self.out[-4000:]}\nstderr: {self.err[-4000:]}")
        return self.out
