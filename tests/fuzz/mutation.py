"""Mutates inputs: flips bits, cuts, repeats, moves and splices parts, replaces numbers and words.

Written for this program: coverage-guided fuzzers for Python need instrumentation by a C compiler, and Hypothesis, which
the suite uses for structured data, spends its time on drawing. Outcomes guide it in place of coverage
(`tests.fuzz.running`). Deterministic for a given random generator.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from random import Random

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
