"""A log comes through byte for byte, wherever its stream breaks off."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, strategies as st

from git_ghost.workloads.cluster.logs import Position

LINES = [b"one", b"", b"two words", b"\xff\x00binary", b"2026-01-01T00:00:00Z looks like a stamp"]


def served(lines: list[bytes], since: str, *, ended: bool = True) -> bytes:
    """What a server sends that stamps lines: three in the same moment, from ``since`` on."""
    whole = []
    for number, line in enumerate(lines):
        second, fraction = divmod(number // 3, 4)
        stamp = f"2026-01-01T00:00:{second:02}.{fraction or ''}".rstrip(".") + "Z"
        if stamp[:19] >= since[:19]:
            whole.append(stamp.encode() + b" " + line)
    return b"\n".join(whole) + (b"\n" if ended and whole else b"")


@given(
    st.lists(st.sampled_from(LINES), max_size=40),
    st.lists(st.integers(0, 900), max_size=8),
    st.integers(1, 50),
    st.booleans(),
)
def test_a_log_that_breaks_off_anywhere_is_delivered_once(
    lines: list[bytes], breaks: list[int], size: int, ended: bool
) -> None:
    position, got = Position(), b""
    for cut in [*breaks, None]:
        position.resume()
        sent = served(lines, position.since(), ended=ended)[:cut]
        for at in range(0, len(sent), size):
            got += position.take(sent[at : at + size])
    got += position.finish()
    assert got == b"\n".join(lines) + (b"\n" if ended and lines else b"")


@given(st.permutations(range(9)), st.lists(st.integers(0, 400), max_size=5), st.booleans())
def test_lines_that_two_writers_stamp_out_of_order_are_delivered_once(
    fractions: list[int], breaks: list[int], rotated: bool
) -> None:
    stamped = [f"2026-01-01T00:00:07.{n}Z line {n}\n".encode() for n in fractions]
    position, got = Position(), b""
    for number, cut in enumerate([*breaks, None]):
        position.resume()
        first = 1 if rotated and number and got.count(b"\n") else 0
        for byte in b"".join(stamped[first:])[:cut]:
            got += position.take(bytes([byte]))
    got += position.finish()
    assert got == b"".join(f"line {n}\n".encode() for n in fractions)


def test_a_line_without_an_end_is_not_kept_back_for_ever() -> None:
    position = Position()
    noise = random.Random(1).randbytes(1 << 20).replace(b"\n", b" ")
    stamped = b"2026-01-01T00:00:00Z " + noise
    got = position.take(stamped[:500_000])
    assert len(got) > 400_000
    position.resume()
    assert got + position.take(stamped) + position.finish() == noise


def test_a_server_that_writes_no_stamps_is_counted_by_bytes() -> None:
    position = Position()
    got = position.take(b"hello wor")
    position.resume()
    assert position.since() == ""
    assert got + position.take(b"hello world\nbye") + position.finish() == b"hello world\nbye"


@pytest.mark.parametrize("zone", ["Z", "+02:00", "-11:30"])
def test_the_next_request_begins_at_the_second_of_the_last_line(zone: str) -> None:
    position = Position()
    position.take(f"2026-01-01T00:00:07.123456789{zone} a\n".encode())
    assert position.since() == f"2026-01-01T00:00:07{zone}"
