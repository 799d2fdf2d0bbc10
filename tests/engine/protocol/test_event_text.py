"""Every string of a decoded event is harmless, whatever the journal or socket contains."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given

from engine.config.sampling import SamplingConfig
from engine.protocol import events as e
from engine.protocol.codec import DecodeError
from engine.text import MAX_CHARS, MAX_COMBINING_RUN, clean, defused, harmless, is_harmless
from tests import hostile
from tests.fakes import run_started, text_completed, tweet_read, tweet_sampled
from tests.strategies import hostile_text

TEXTS = [
    *(text.encode("utf-8", "ignore").decode() for text in [hostile.ALL_AT_ONCE, *hostile.TEXTS.values()]),
    *("a\u0301" * 3, "e" + "\u0301" * 40, "\u0301"),
]
NOW: dict[str, Any] = {"step": 1, "elapsed_seconds": 1.0}
EMITTED = (
    run_started(
        run="R", corpus="R", device="R", resumed_from="R", sampling=SamplingConfig(prime="R", max_length=10_000)
    ),
    tweet_sampled("R", prime="R"),
    e.LadderSampled(
        **NOW,
        prime="R",
        seed=1,
        rungs=(e.LadderTweet(temperature=1.0, text="R", reached_eos=True, bits_per_char=1.0, novelty="new"),),
    ),
    text_completed("R"),
    tweet_read("R"),
    e.Warned(**NOW, message="R"),
    e.CheckpointSaved(**NOW, name="R", path="R", bits_per_char=None, weights_step=1),
    e.CommandRefused(**NOW, command="R", title="R", detail="R", hint="R"),
    e.RunFailed(**NOW, title="R", detail="R", hint="R"),
)
"""Events with an R in place of any text."""


def strings_in(value: Any) -> list[str]:
    """Return all strings of an event, however nested."""
    if is_dataclass(value):
        value = tuple(getattr(value, each.name) for each in fields(value))
    if isinstance(value, tuple):
        return [text for each in value for text in strings_in(each)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("is_ascii", [True, False])
@pytest.mark.parametrize("event", EMITTED, ids=lambda event: type(event).__name__)
def test_all_text_of_a_decoded_event_is_harmless(event: e.Event, *, is_ascii: bool) -> None:
    for text in TEXTS:
        line = e.to_json(event).replace('"R"', json.dumps(text, ensure_ascii=is_ascii))
        found = e.from_json(line)
        assert e.from_json(line.encode()) == found
        for string in strings_in(found):
            assert is_harmless(string) or len(string) == 1
            assert hostile.obeyed(string) == []
            assert hostile.most_marks_on_one(string) <= MAX_COMBINING_RUN
            assert len(string) <= MAX_CHARS
        assert e.from_json(e.to_json(found)) == found


def test_too_deeply_nested_json_is_refused() -> None:
    for depth in (200, 600, 900, 100_000):
        with pytest.raises(DecodeError):
            e.from_json(e.to_json(EMITTED[0]).replace('"R"', "[" * depth + '"é"' + "]" * depth))


@given(text=hostile_text())
def test_harmless_text_is_left_unchanged_blanks_included(text: str) -> None:
    for shown in (harmless(text), clean(text)[:MAX_CHARS], f" {harmless(text)}  "):
        assert defused(shown) == shown or shown.startswith("\u200d")
    assert is_harmless(defused(text)) or len(text) == 1


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (" a  b ", " a  b "),
        ("a\tb\nc", "a b c"),
        ("a\x1b[31mb", "a\ufffd[31mb"),
        ("\x9b31m\u202e", "\ufffd31m\ufffd"),
        ("\ud800", "\ufffd"),
        ("\u200d", "\u200d"),
        ("x" * (MAX_CHARS + 1), "x" * (MAX_CHARS - 1) + "…"),
    ],
)
def test_each_unsafe_character_is_replaced(raw: str, text: str) -> None:
    assert defused(raw) == text


@pytest.mark.parametrize("name", hostile.MEGABYTE)
def test_a_hostile_megabyte_on_one_line_is_cleaned(name: str) -> None:
    """Normalizing the combining marks of one of them would take minutes and block the program."""
    text = hostile.MEGABYTE[name]
    for made in (clean(text), harmless(text), defused(text)):
        assert hostile.obeyed(made) == []
        assert hostile.most_marks_on_one(made) <= MAX_COMBINING_RUN
