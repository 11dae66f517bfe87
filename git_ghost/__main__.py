"""``python -m git_ghost``, and the console script: ^C shows no traceback, however early."""

import os


def entry() -> None:
    """Run the command that the arguments name; the process ends here."""
    try:
        from git_ghost.cli import signals  # loads some of Python's own modules: 3 ms

        signals.leave_at_once()
    except KeyboardInterrupt:
        os.write(2, b"error: interrupted\n")
        os._exit(130)
    from git_ghost.cli import main  # most of what a start costs

    main.entry()


if __name__ == "__main__":
    entry()
