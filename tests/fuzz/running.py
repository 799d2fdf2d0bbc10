"""Runs targets with mutated inputs in turn, until the time is up or a property breaks.

Mutations flip bits, cut, repeat, move and splice parts, and replace numbers and words. Written for this program:
coverage-guided fuzzers for Python need instrumentation by a C compiler, and Hypothesis, which the suite uses for
structured data, spends its time on drawing. Outcomes guide it in place of coverage: an input with a new outcome is
added to the pool of inputs to mutate. The current input is in the file `current`, so that even one that kills the
interpreter is not lost. Deterministic for a given random generator.
"""

from __future__ import annotations

import os
import re
import signal
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType

from engine.compute.memory import peak_bytes
from engine.errors import TweetgenError
from tests.hostile import obeyed

TURN_SECONDS = 0.3
_HANG_SECONDS = 20
_MAX_KEPT = 400
_MEBIBYTE = 1 << 20
MAX_BYTES = 64 * 1024
_NUMBERS = (0, 1, -1, 2**15, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**60, 2**63 - 1, 2**63, 2**64 - 1)
TOKENS = (
    *(str(number).encode() for number in _NUMBERS),
    *(b"-0.0", b"1e308", b"-1e308", b"1e-320", b"1e999", b"NaN", b"Infinity", b"9" * 400, b"0x" + b"f" * 400),
    *(b"null", b"true", b'""', b"[]", b"{}", b"[[[[[[[[", b'{"a":{"a":', b'"\\u001b[31m"', b'"\\ud800"', b'"\\u202e"'),
    *(b"\0", b"\x1b[2J", b"\x1b]52;c;x\x07", b"\xc2\x9b31m", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80"),
    *(b"\r", b"\n", b"\r\n", b"\t", b'"', b"'", b",", b"\\", b"\xcc\x81" * 40, b"\xe2\x80\x8d" * 40, b"\0" * 600),
    b"\xe2\x80\xae",
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORD = re.compile(rb'"[^"\\]{0,60}"')
_NUM_MUTATIONS = 11
_VARYING = re.compile(r"\d+|'.*?'|\".*?\"|`.*?`|/\S+")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A part of the program that reads untrusted input."""

    name: str
    seeds: tuple[bytes, ...]
    """Valid inputs, and invalid ones that once broke something."""
    check: Callable[[bytes], str]
    """Process an input and return a short description of the outcome; raise what the user would see as a traceback."""
    tokens: tuple[bytes, ...] = ()
    """Tokens of the input's format."""
    max_seconds: float = 1.0
    """Limit of CPU time per input."""
    max_mebibytes: int = 200
    """Limit of growth of the peak memory per input."""


def require_plain(*texts: str) -> None:
    """Raise `AssertionError` if a text contains characters that a terminal would obey."""
    for text in texts:
        assert not obeyed(text), f"{obeyed(text)[:5]} in {text[:80]!a}"


def refusal(call: Callable[[], object]) -> str:
    """Call a function; return the message of its documented error, which must be plain, or nothing."""
    try:
        call()
    except TweetgenError as error:
        require_plain(error.message, error.hint)
        return error.message
    return ""


class Broken(Exception):  # noqa: N818 - a broken property
    """A target's property does not hold for an input."""

    def __init__(self, target: Target, data: bytes, cause: str) -> None:
        """`cause` describes the failure."""
        super().__init__(f"{target.name}: {cause}")
        self.target = target
        self.data = data


class HangError(BaseException):
    """An input exceeds `_HANG_SECONDS`. Not an `Exception`, which the target may catch."""


@dataclass
class Driver:
    """Runs one target, with its pool of inputs and its counts."""

    target: Target
    chance: Random
    num_inputs: int = 0
    seconds: float = 0.0
    slowest_seconds: float = 0.0
    kept: list[bytes] = field(default_factory=list)
    outcomes: set[str] = field(default_factory=set)

    def take_turn(self, keep: Callable[[bytes], None]) -> None:
        """Run inputs for `TURN_SECONDS`: each seed unchanged, then mutations of the pool. Raises `Broken`."""
        began, seeds = time.monotonic(), self.target.seeds
        while time.monotonic() - began < TURN_SECONDS:
            data = seeds[self.num_inputs] if self.num_inputs < len(seeds) else self._mutated()
            keep(data)
            outcome, seconds = run_input(self.target, data)
            self.num_inputs += 1
            self.slowest_seconds = max(self.slowest_seconds, seconds)
            kind = _VARYING.sub("#", outcome)[:100]
            if kind not in self.outcomes and len(self.kept) < _MAX_KEPT:
                self.outcomes.add(kind)
                self.kept.append(data)
        self.seconds += time.monotonic() - began

    def _mutated(self) -> bytes:
        pool = (*self.target.seeds, *self.kept)
        return mutated(self.chance, self.chance.choice(pool), self.chance.choice(pool), self.target.tokens)


def run_input(target: Target, data: bytes) -> tuple[str, float]:
    """Run an input; return its outcome and its CPU time. Raises `Broken`."""
    memory_before, began = peak_bytes(), time.process_time()
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
    grown = (peak_bytes() - memory_before) // _MEBIBYTE
    if seconds > target.max_seconds or grown > target.max_mebibytes:
        raise Broken(target, data, f"took {seconds:.1f} seconds and {grown} MiB")
    return outcome, seconds


def _hang(_: int, __: FrameType | None) -> None:
    raise HangError(f"no end after {_HANG_SECONDS} seconds")


def drive(targets: Sequence[Target], seconds: float, seed: int, folder: Path) -> list[Driver]:
    """Run the targets for `seconds`; return their drivers with the counts. Raises `Broken`.

    The n-th input of a target depends on the seed alone.
    """
    drivers = [Driver(target, Random(f"{seed} {target.name}")) for target in targets]  # noqa: S311 - no secrets
    end = time.monotonic() + seconds
    with (folder / "current").open("wb", buffering=0) as current:

        def keep(data: bytes) -> None:
            os.pwrite(current.fileno(), data, 0)
            current.truncate(len(data))

        while time.monotonic() < end:
            min(drivers, key=lambda driver: driver.seconds).take_turn(keep)
    return drivers


def mutated(chance: Random, data: bytes, other: bytes, tokens: Sequence[bytes]) -> bytes:
    """Apply one to six mutations to `data`; parts of `other` may be spliced in, and `tokens` inserted."""
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 6))):
        data = _mutated_once(chance, data, other, chance.choice((*tokens, *TOKENS)))[:MAX_BYTES]
    return data


def _mutated_once(chance: Random, data: bytes, other: bytes, token: bytes) -> bytes:
    first, last = _part(chance, data)
    place = chance.randint(0, len(data))
    match chance.randrange(_NUM_MUTATIONS):
        case 0:
            return _with_flipped_bits(chance, data)
        case 1:
            number = struct.pack("<Q", chance.choice(_NUMBERS) % 2**64)[: chance.choice((1, 2, 4, 8))]
            return data[:place] + number + data[place + len(number) :]
        case 2:
            return data[:first] + data[last:]
        case 3:
            return data[:first] + token + data[first:]
        case 4:
            return data[:first] + data[first:last] * chance.choice((2, 2, 3, 10, 100, 2000)) + data[last:]
        case 5:
            rest = data[:first] + data[last:]
            return rest[:place] + data[first:last] + rest[place:]
        case 6:
            start, end = _part(chance, other, longest=400)
            return data[:place] + other[start:end] + data[chance.choice((place, len(data))) :]
        case 7:
            return data[:place]
        case 8:
            return _with_token_at(_WORD, data, place, token)
        case _:
            return _with_token_at(_NUMBER, data, place, token)


def _part(chance: Random, data: bytes, longest: int = 64) -> tuple[int, int]:
    """Return start and end of a random part of the data, usually a short one."""
    first = chance.randint(0, len(data))
    length = chance.randint(0, longest if chance.random() < 0.9 else len(data))
    return first, min(len(data), first + length)


def _with_flipped_bits(chance: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4) if changed else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _with_token_at(pattern: re.Pattern[bytes], data: bytes, place: int, token: bytes) -> bytes:
    """Replace one match of a pattern: the next one after a place, or the first."""
    found = pattern.search(data, place) or pattern.search(data)
    return data if found is None else data[: found.start()] + token + data[found.end() :]
