"""A terminal that takes nothing, or has gone, holds up nobody who writes to it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from typing import IO

import pytest

from tests.fakes import FakeClock
from tui.patient_file import PatientFile

DEADLINE_SECONDS = 10.0
MUCH = "x" * 2_000_000
"""More than any pipe takes before it is read."""


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


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


def test_what_is_written_comes_out_in_order_and_is_counted_as_it_is_taken(pipe: tuple[int, IO[str]]) -> None:
    reading, writing = pipe
    file = PatientFile(writing)
    texts = [f"{number} ä↵\n" for number in range(500)]
    for text in texts:
        file.write(text)
        file.flush()
    expected = "".join(texts).encode()
    assert read_all(reading, len(expected)) == expected
    wait_until(lambda: file.num_bytes == len(expected))


def test_nobody_waits_for_a_terminal_that_takes_nothing(pipe: tuple[int, IO[str]]) -> None:
    file = PatientFile(pipe[1])
    for _ in range(3):
        file.write(MUCH)
        file.flush()
    assert file.num_bytes < len(MUCH)


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


def test_a_terminal_that_has_gone_is_no_error(pipe: tuple[int, IO[str]]) -> None:
    reading, writing = pipe
    file = PatientFile(writing)
    file.write(MUCH)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, reading)  # the pipe's only reader goes
    os.close(null)
    wait_until(lambda: file.num_bytes == len(MUCH))
    file.write("more")
    file.give_up_after(DEADLINE_SECONDS)
    file.flush()


def test_what_an_encoding_lacks_is_replaced_and_counted_as_it_is_written() -> None:
    reading, writing = os.pipe()
    with TextIOWrapper(os.fdopen(writing, "wb", buffering=0), encoding="ascii", write_through=True) as ascii_file:
        file = PatientFile(ascii_file)
        file.give_up_after(DEADLINE_SECONDS)
        file.write("⣿!")
        file.flush()
        assert (os.read(reading, 10), file.num_bytes) == (b"?!", 2)
    os.close(reading)
