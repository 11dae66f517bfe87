"""Talking to git servers: git's network commands, the shared ssh connection, credentials."""
