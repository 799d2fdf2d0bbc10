"""Drives targets with mutated inputs, the targets by turns, until the time is up or one breaks.

An input that led to something new (another outcome than any before) becomes one that others are made of. The input in
hand lies in the file `current`, so that even one that ends the interpreter is kept.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType

from engine.peak_memory import peak_bytes
from tests.fuzz.mutation import Mutator
from tests.fuzz.target import Target

TURN_SECONDS = 0.3
_HANG_SECONDS = 20
_MAX_KEPT = 400
_MEBIBYTE = 1 << 20
_VARYING = re.compile(r"\d+|'.*?'|\".*?\"|`.*?`|/\S+")


class Broken(Exception):  # noqa: N818 - what a property is
    """An input for which a target's property does not hold."""

    def __init__(self, target: Target, data: bytes, cause: str) -> None:
        """Keep the input and what was wrong."""
        super().__init__(f"{target.name}: {cause}")
        self.target = target
        self.data = data


class HangError(BaseException):
    """An input takes no end of time. No `Exception`, for what is tried may catch those."""


@dataclass
class Driver:
    """Drives one target."""

    target: Target
    random: Random
    num_inputs: int = 0
    seconds: float = 0.0
    slowest_seconds: float = 0.0
    kept: list[bytes] = field(default_factory=list)
    outcomes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Make the mutator."""
        self._mutator = Mutator(self.random, self.target.tokens)

    def next_input(self) -> bytes:
        """Return the next input: each seed as it is, then what is made of them and of what was kept."""
        if self.num_inputs < len(self.target.seeds):
            return self.target.seeds[self.num_inputs]
        pool = (*self.target.seeds, *self.kept)
        return self._mutator.mutated(self.random.choice(pool), self.random.choice(pool))

    def take_turn(self, keep: Callable[[bytes], None]) -> None:
        """Try inputs for a little while. Raises `Broken`."""
        began = time.monotonic()
        while time.monotonic() - began < TURN_SECONDS:
            data = self.next_input()
            keep(data)
            outcome, seconds = tried(self.target, data)
            self.num_inputs += 1
            self.slowest_seconds = max(self.slowest_seconds, seconds)
            kind = _VARYING.sub("#", outcome)[:100]
            if kind not in self.outcomes and len(self.kept) < _MAX_KEPT:
                self.outcomes.add(kind)
                self.kept.append(data)
        self.seconds += time.monotonic() - began


def tried(target: Target, data: bytes) -> tuple[str, float]:
    """Return what a target makes of an input, and the processor time that it took. Raises `Broken`."""
    memory_before = peak_bytes()
    began = time.process_time()
    signal.signal(signal.SIGALRM, _hang)
    signal.alarm(_HANG_SECONDS)
    try:
        outcome = target.check(data)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise Broken(target, data, f"{type(error).__name__}: {error}"[:500]) from error
    finally:
        signal.alarm(0)
    seconds = time.process_time() - began
    if seconds > target.max_seconds:
        raise Broken(target, data, f"took {seconds:.1f} seconds")
    grown = (peak_bytes() - memory_before) // _MEBIBYTE
    if grown > target.max_mebibytes:
        raise Broken(target, data, f"took {grown} MiB")
    return outcome, seconds


def _hang(_: int, __: FrameType | None) -> None:
    raise HangError(f"no end after {_HANG_SECONDS} seconds")


def drive(targets: Sequence[Target], seconds: float, seed: int, folder: Path) -> list[Driver]:
    """Try inputs for that long; returns what was done. Raises `Broken`.

    Each target's inputs depend on the seed alone: the n-th is always the same.
    """
    drivers = [Driver(target, Random(f"{seed} {target.name}")) for target in targets]  # noqa: S311 - no secrets
    descriptor = os.open(folder / "current", os.O_RDWR | os.O_CREAT, 0o644)

    def keep(data: bytes) -> None:
        os.pwrite(descriptor, data, 0)
        os.ftruncate(descriptor, len(data))

    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            min(drivers, key=lambda driver: driver.seconds).take_turn(keep)
    finally:
        os.close(descriptor)
    return drivers
