"""Mutates inputs: flips bits, cuts, repeats, moves and splices parts, replaces numbers and words.

Written for this program: coverage-guided fuzzers for Python need instrumentation by a C compiler, and Hypothesis, which
the suite uses for structured data, spends its time on drawing. Outcomes guide it in place of coverage
(`tests.fuzz.running`). Deterministic for a given random generator.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from random import Random

MAX_BYTES = 64 * 1024
_NUMBERS = (0, 1, -1, 2**15, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**60, 2**63 - 1, 2**63, 2**64 - 1)
_WORDS = (
    *(str(number).encode() for number in _NUMBERS),
    *(b"-0.0", b"1e308", b"-1e308", b"1e-320", b"1e999", b"NaN", b"Infinity", b"9" * 400, b"0x" + b"f" * 400),
    *(b"null", b"true", b'""', b"[]", b"{}", b"[[[[[[[[", b'{"a":{"a":', b'"\\u001b[31m"', b'"\\ud800"', b'"\\u202e"'),
)
_BYTES = (
    *(
        b"\0",
        b"\x1b[2J",
        b"\x1b]52;c;x\x07",
        b"\xc2\x9b31m",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xe2\x80\xae",
    ),
    *(b"\r", b"\n", b"\r\n", b"\t", b'"', b"'", b",", b"\\", b"\xcc\x81" * 40, b"\xe2\x80\x8d" * 40, b"\0" * 600),
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORD = re.compile(rb'"[^"\\]{0,60}"')


class Mutator:
    """Mutates the inputs of one target."""

    def __init__(self, random: Random, tokens: Sequence[bytes]) -> None:
        """`tokens` are inserted unchanged."""
        self._random = random
        self._tokens = (*tokens, *_BYTES, *_WORDS)
        self._mutations: tuple[Callable[[bytes, bytes], bytes], ...] = (
            self._flip,
            self._overwrite,
            self._cut,
            self._insert,
            self._repeat,
            self._move,
            self._splice,
            self._with_other_number,
            self._with_other_number,
            self._with_other_word,
            self._truncate,
        )

    def mutated(self, data: bytes, other: bytes) -> bytes:
        """Apply one to six mutations to `data`; parts of `other` may be spliced in."""
        for _ in range(self._random.choice((1, 1, 1, 2, 2, 3, 6))):
            data = self._random.choice(self._mutations)(data, other)[:MAX_BYTES]
        return data

    def _place(self, data: bytes) -> int:
        return self._random.randint(0, len(data))

    def _part(self, data: bytes, longest: int = 64) -> tuple[int, int]:
        """Return start and end of a random part of the data, usually a short one."""
        first = self._place(data)
        length = self._random.randint(0, longest if self._random.random() < 0.9 else len(data))
        return first, min(len(data), first + length)

    def _flip(self, data: bytes, _: bytes) -> bytes:
        changed = bytearray(data)
        for _number in range(self._random.randint(1, 4) if changed else 0):
            changed[self._random.randrange(len(changed))] ^= 1 << self._random.randrange(8)
        return bytes(changed)

    def _overwrite(self, data: bytes, _: bytes) -> bytes:
        value = struct.pack("<Q", self._random.choice(_NUMBERS) % 2**64)[: self._random.choice((1, 2, 4, 8))]
        first = self._place(data)
        return data[:first] + value + data[first + len(value) :]

    def _cut(self, data: bytes, _: bytes) -> bytes:
        first, last = self._part(data)
        return data[:first] + data[last:]

    def _insert(self, data: bytes, _: bytes) -> bytes:
        first = self._place(data)
        return data[:first] + self._random.choice(self._tokens) + data[first:]

    def _repeat(self, data: bytes, _: bytes) -> bytes:
        first, last = self._part(data)
        times = self._random.choice((2, 2, 3, 10, 100, 2000))
        return data[:first] + data[first:last] * min(times, MAX_BYTES) + data[last:]

    def _move(self, data: bytes, _: bytes) -> bytes:
        first, last = self._part(data)
        rest, place = data[:first] + data[last:], self._place(data)
        return rest[:place] + data[first:last] + rest[place:]

    def _splice(self, data: bytes, other: bytes) -> bytes:
        first, last = self._part(other, longest=400)
        place = self._place(data)
        return data[:place] + other[first:last] + data[self._random.choice((place, len(data))) :]

    def _truncate(self, data: bytes, _: bytes) -> bytes:
        return data[: self._place(data)]

    def _with_other_number(self, data: bytes, _: bytes) -> bytes:
        return self._replaced(_NUMBER, data)

    def _with_other_word(self, data: bytes, _: bytes) -> bytes:
        return self._replaced(_WORD, data)

    def _replaced(self, pattern: re.Pattern[bytes], data: bytes) -> bytes:
        """Replace one match of a pattern: the next one after a random position."""
        found = pattern.search(data, self._place(data)) or pattern.search(data)
        if found is None:
            return data
        return data[: found.start()] + self._random.choice(self._tokens) + data[found.end() :]
