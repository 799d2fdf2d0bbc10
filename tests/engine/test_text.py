"""Text is cleaned for the model and sanitized for the terminal; every error is two such lines and an exit code."""

from __future__ import annotations

import html
import re
import sys
import unicodedata
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine import errors
from engine import text as text_module
from engine.errors import TweetgenError
from engine.text import (
    LINE_BREAK,
    MAX_CHARS,
    MAX_COMBINING_RUN,
    clean,
    is_harmless,
    sanitize,
    sanitize_line,
    with_single_blanks,
)
from tests import hostile
from tests.engine.corpus.reading import cases, repeated, unescaped
from tests.hostile import most_marks_on_one, obeyed
from tests.strategies import hostile_text


@given(raw=hostile_text(), max_chars=st.integers(1, 60))
@example(raw="a" + "\u0344" * 4, max_chars=60)  # NFC makes eight marks of four
@example(raw="a\u0301" + "\u200d\u0301" * 9, max_chars=60)
def test_cleaned_text_is_harmless(raw: str, max_chars: int) -> None:
    text, shown = clean(raw), sanitize_line(raw, max_chars)
    for each in (text, shown):
        assert obeyed(each) == []
        assert len(each.splitlines()) <= 1
        assert most_marks_on_one(each) <= MAX_COMBINING_RUN
    assert text == text.strip(f" {LINE_BREAK}")
    assert not re.search(f"  | {LINE_BREAK}|{LINE_BREAK} |{LINE_BREAK}{{2}}", text)
    assert unicodedata.is_normalized("NFC", text)
    assert html.unescape(text) != text or clean(text) == text
    assert len(shown) <= max_chars
    assert sanitize_line(shown, max_chars) == shown


def test_raw_tweets_are_cleaned_as_listed_and_joiners_selectors_of_emoji_accents_and_brackets_stay() -> None:
    *cleaned, kept = cases("cleaned")
    for case in cleaned:
        for row in case.rows:
            raw, _, expected = unescaped(repeated(row)).partition(" ->")
            assert clean(raw) == expected[1:], case.name
    for text in map(unescaped, kept.rows):
        assert clean(text) == unicodedata.normalize("NFC", text)
        assert sanitize_line(text) == text


def test_escape_sequences_are_removed_completely_long_text_cut_and_blanks_made_single() -> None:
    for sequence in ("\x1b[38;5;196m", "\x1b]0;title\x07", "\x1b]8;;http://example.org\x1b\\", "\x1bc"):
        assert sanitize_line(f"before{sequence} after") == clean(f"before{sequence} after") == "before after"
    assert sanitize_line("abcdef", 6) == "abcdef"
    assert sanitize_line("abcdefg", 6) == "abcde…"
    assert with_single_blanks(" a \u3000 b \n\n c ") == "a b↵c"
    assert with_single_blanks(" a \u3000 b \n\n c ", keeps_line_breaks=False) == "a b c"


def test_the_ranges_of_the_fast_path_contain_no_combining_mark() -> None:
    assert not [
        char
        for char in map(chr, range(sys.maxunicode + 1))
        if text_module.WITHOUT_MARKS.fullmatch(char) and unicodedata.category(char)[0] == "M"
    ]


@given(raw=st.text("ab1#\n❤☀🏳\ufe0f\ufe0e\u20e3\u0301\u200d\u202e\x07é今、🎉 ", max_size=12))
@example(raw="a\u0301\ufe0f\u0301\u0301\u0301\u0301")
def test_cleaning_twice_is_cleaning_once_and_the_fast_path_equals_the_slow_one(raw: str) -> None:
    text = clean(raw)
    assert clean(text) == text
    assert not re.search("(?:^|[a \u0301\u200d↵])[\ufe0e\ufe0f]|[\ufe0e\ufe0f]{2}", text)
    with mock.patch.object(text_module, "_WITH_SINGLE_SELECTORS", re.compile("(?!)")):
        assert clean(raw) == text


@given(text=hostile_text())
@example(text="a" + "\u0301" * 9 + "\u200d\u200d b")
def test_text_made_harmless_in_place_has_every_safe_character_where_it_was(text: str) -> None:
    shown = text_module.sanitize_in_place(text)
    assert len(shown) == len(text)
    assert is_harmless(shown)
    assert all(after in (before, "\ufffd") for before, after in zip(text, shown, strict=True))
    assert not is_harmless(f"{text}.") or shown == text


@given(text=hostile_text())
def test_harmless_text_is_left_unchanged_blanks_included(text: str) -> None:
    for shown in (sanitize_line(text), clean(text)[:MAX_CHARS], f" {sanitize_line(text)}  "):
        assert sanitize(shown) == shown or shown.startswith("\u200d")
    assert is_harmless(sanitize(text)) or len(text) == 1


def test_each_unsafe_character_is_replaced() -> None:
    expected = {
        " a  b ": " a  b ",
        "a\tb\nc": "a b c",
        "a\x1b[31mb": "a\ufffd[31mb",
        "\x9b31m\u202e": "\ufffd31m\ufffd",
        "\ud800": "\ufffd",
        "\u200d": "\u200d",
        "x" * (MAX_CHARS + 1): "x" * (MAX_CHARS - 1) + "…",
    }
    assert {raw: sanitize(raw) for raw in expected} == expected


@pytest.mark.parametrize("name", hostile.MEGABYTE)
def test_a_hostile_megabyte_on_one_line_is_cleaned(name: str) -> None:
    """Normalizing the combining marks of one of them would take minutes and block the program."""
    text = hostile.MEGABYTE[name]
    for made in (clean(text), sanitize_line(text), sanitize(text)):
        assert obeyed(made) == []
        assert most_marks_on_one(made) <= MAX_COMBINING_RUN


# Errors ---------------------------------------------------------------------------------------------------------------

CODES: dict[type, int] = {errors.InternalError: 3, errors.RankLostError: 75, errors.WeightsDifferError: 75}
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TweetgenError)]


@given(message=hostile_text(), hint=hostile_text())
@example(message="x" * 1_000_000, hint="y" * 1_000_000)
@example(message="wrong", hint="")
def test_both_lines_are_harmless_and_bounded_and_the_hint_is_optional(message: str, hint: str) -> None:
    error = TweetgenError(message, hint) if hint else TweetgenError(message)
    assert error.message == sanitize_line(error.message) == str(error)
    assert error.hint == sanitize_line(error.hint)
    assert hint or error.hint == ""
    assert max(len(error.message), len(error.hint)) <= 4000


def test_every_class_has_its_own_title_and_its_exit_code() -> None:
    assert len({kind.title for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert kind.exit_code == errors.exit_code_for(kind.title) == CODES.get(kind, 1)
