"""A terminal gets the last output if it accepts it in time; a stalled one does not delay the exit."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from io import TextIOWrapper
from typing import IO

import pytest

from tests.fakes import FakeClock
from tui.terminal.output_thread import OutputThread

DEADLINE_SECONDS = 60.0
MUCH = "x" * 2_000_000
"""More than any pipe accepts before it is read."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, IO[str]]]:
    """The reading descriptor and the writing file of a pipe."""
    reading, writing = os.pipe()
    with TextIOWrapper(os.fdopen(writing, "wb", buffering=0), encoding="utf-8", write_through=True) as file:
        yield reading, file
    os.close(reading)


def read_all(reading: int, num_bytes: int) -> bytes:
    data = b""
    while len(data) < num_bytes:
        data += os.read(reading, 65536)
    return data


def test_a_flush_with_a_deadline_waits_for_a_terminal_that_reads(pipe: tuple[int, IO[str]]) -> None:
    reading, writing = pipe
    file = OutputThread(writing)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(read_all(reading, len(MUCH))))
    reader.start()
    file.set_deadline(DEADLINE_SECONDS)
    file.write(MUCH)
    file.flush()
    assert file.num_sent_bytes == len(MUCH)
    reader.join()
    assert received == [MUCH.encode()]


def test_a_flush_drops_the_output_of_a_stalled_terminal_at_the_deadline(pipe: tuple[int, IO[str]]) -> None:
    clock = FakeClock()
    file = OutputThread(pipe[1], clock)
    file.write(MUCH)
    file.set_deadline(1.0)
    clock.advance(1.5)
    file.flush()
    assert file.num_sent_bytes == len(MUCH)


def test_unencodable_characters_are_replaced_and_counted_as_sent() -> None:
    reading, writing = os.pipe()
    with TextIOWrapper(os.fdopen(writing, "wb", buffering=0), encoding="ascii", write_through=True) as ascii_file:
        file = OutputThread(ascii_file)
        file.set_deadline(DEADLINE_SECONDS)
        file.write("⣿!")
        file.flush()
        assert (os.read(reading, 10), file.num_sent_bytes) == (b"?!", 2)
    os.close(reading)
