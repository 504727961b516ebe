"""Runs one module of CPython's tests and says, on a line of its own each, how every test case ended. Runs in the container.

usage: inside.py MODULE SECONDS: a test case that takes longer ends the program, with a traceback of all threads.
"""

import faulthandler
import importlib
import os
import sys
import unittest

# TLS, with limits of time that an emulated CPU does not keep.
LEFT_OUT = ("test.test_asyncio.test_ssl.", "test.test_asyncio.test_sslproto.")

report = os.dup(1)
os.dup2(2, 1)  # what the tests print is not ours
ours = os.getpid()


def tell(outcome, name):
    if os.getpid() == ours:  # not a child of a test that came back here
        os.write(report, f"@ {outcome} {name}\n".encode())


def without_left_out(suite):
    """The suite with the tests that are run."""
    kept = unittest.TestSuite()
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            kept.addTest(without_left_out(test))
        elif not test.id().startswith(LEFT_OUT):
            kept.addTest(test)
    return kept


class Result(unittest.TestResult):
    limit = 0

    def startTest(self, test):
        super().startTest(test)
        faulthandler.dump_traceback_later(self.limit, exit=True)
        tell("begun", test.id())
        self.bad = None

    def stopTest(self, test):
        super().stopTest(test)
        if self.bad:
            tell(self.bad, test.id())
        # Between two tests too, and in what tears the module down.
        faulthandler.dump_traceback_later(self.limit, exit=True)

    def addSuccess(self, test):
        tell("ok", test.id())

    def addSkip(self, test, reason):
        tell("skipped", test.id())

    def addExpectedFailure(self, test, error):
        tell("expected-failure", test.id())

    def addUnexpectedSuccess(self, test):
        tell("unexpected-success", test.id())

    def addFailure(self, test, error):
        self.worse("failed", test, error)

    def addError(self, test, error):
        self.worse("error", test, error)

    def addSubTest(self, test, subtest, error):
        if error:
            self.worse("failed" if issubclass(error[0], test.failureException) else "error", test, error)

    def worse(self, outcome, test, error):
        print(f"---- {test.id()}: {outcome}\n{self._exc_info_to_string(error, test)}", file=sys.stderr, flush=True)
        if isinstance(test, unittest.TestCase):
            self.bad = outcome  # told at its end: parts of it may fail one by one
        else:
            tell(outcome, test.id())


def main():
    name, Result.limit = "test." + sys.argv[1], int(sys.argv[2])
    from test import support
    from test.support import os_helper

    support.use_resources = []
    support.verbose = 1
    with os_helper.temp_cwd("cpython", quiet=True):
        try:
            suite = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(name))
        except unittest.SkipTest:
            tell("skipped", name)
            return
        without_left_out(suite).run(Result())
        support.reap_children()
    faulthandler.cancel_dump_traceback_later()
    tell("end", name)


if __name__ == "__main__":  # not in the processes that multiprocessing spawns
    main()
