"""The ghost repository: make ghosts, send them, find them, fetch them, delete them.

Its layout is described in ``docs/format.md``. No command copies it: every one asks for exactly the
refs it needs.
"""
