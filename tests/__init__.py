"""The tests of git ghost, a package so that `python -m tests.support.relay` works."""
