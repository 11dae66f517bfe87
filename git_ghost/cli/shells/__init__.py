"""Completion scripts, made from the commands: what there is to complete, and how a shell says it.

A shell starts no process but for hashes and the names of commits.
"""
