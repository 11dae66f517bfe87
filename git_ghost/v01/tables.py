"""The lists that v0.1's `list` and `delete` print: scripts take them apart line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

_COLUMNS = {
    "commits": ("Base", "Remote Base", "Local Base"),
    "diff": ("Mod", "Local Base", "Local Mod"),
}
ONLY = {"only-from": 0, "only-to": 1}
"""The values of `-o`, and the column each leaves."""


def table(
    kind: str,
    ends: Sequence[tuple[str, str]],
    *,
    did: str = "",
    only: str | None = None,
    headers: bool = True,
    shown: Callable[[str], str] = str,
) -> Iterator[str]:
    """The lines of a list of ghosts: titles, a header in columns of 40, a row for each ghost.

    ``kind`` is ``commits`` or ``diff``; ``ends`` are where each ghost starts and what it leads to;
    ``did`` goes into the title (``Deleted ``); ``shown`` prints an id, in columns of its width.
    """
    noun, *columns = _COLUMNS[kind]
    wanted = slice(ONLY[only], ONLY[only] + 1) if only else slice(2)
    width = len(shown("0" * 40))
    if headers:
        yield f"{did}Local {noun} Branches:"
        yield ""
        yield " ".join(f"{column:<{width}}" for column in columns[wanted])
    for row in ends:
        yield " ".join(map(shown, row[wanted]))
    if headers:
        yield ""
