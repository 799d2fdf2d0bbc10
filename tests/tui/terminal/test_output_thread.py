"""A terminal gets the last words if it takes them in time, and one that takes nothing holds nobody up."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from io import TextIOWrapper
from typing import IO

import pytest

from tests.fakes import FakeClock
from tui.terminal.output_thread import PatientFile

DEADLINE_SECONDS = 10.0
MUCH = "x" * 2_000_000
"""More than any pipe takes before it is read."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, IO[str]]]:
    """The end that is read, and the end that is written to."""
    reading, writing = os.pipe()
    with TextIOWrapper(os.fdopen(writing, "wb", buffering=0), encoding="utf-8", write_through=True) as file:
        yield reading, file
    os.close(reading)


def read_all(reading: int, num_bytes: int) -> bytes:
    data = b""
    while len(data) < num_bytes:
        data += os.read(reading, 65536)
    return data


def test_at_the_end_a_flush_waits_for_a_terminal_that_takes_what_it_is_given(pipe: tuple[int, IO[str]]) -> None:
    reading, writing = pipe
    file = PatientFile(writing)
    taken: list[bytes] = []
    reader = threading.Thread(target=lambda: taken.append(read_all(reading, len(MUCH))))
    reader.start()
    file.give_up_after(DEADLINE_SECONDS)
    file.write(MUCH)
    file.flush()
    assert file.num_bytes == len(MUCH)
    reader.join()
    assert taken == [MUCH.encode()]


def test_at_the_end_patience_with_a_terminal_that_takes_nothing_ends(pipe: tuple[int, IO[str]]) -> None:
    clock = FakeClock()
    file = PatientFile(pipe[1], clock)
    file.write(MUCH)
    file.give_up_after(1.0)
    clock.advance(1.5)
    file.flush()
    assert file.num_bytes == len(MUCH)


def test_what_an_encoding_lacks_is_replaced_and_counted_as_it_is_written() -> None:
    reading, writing = os.pipe()
    with TextIOWrapper(os.fdopen(writing, "wb", buffering=0), encoding="ascii", write_through=True) as ascii_file:
        file = PatientFile(ascii_file)
        file.give_up_after(DEADLINE_SECONDS)
        file.write("⣿!")
        file.flush()
        assert (os.read(reading, 10), file.num_bytes) == (b"?!", 2)
    os.close(reading)
