"""Letters are classified by script, other characters by kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.corpus.ingest.unicode_scripts import LINE_BREAKS, SYMBOLS, by_kind, count_scripts, kind_of
from engine.text import LINE_BREAK


@pytest.mark.parametrize(
    ("chars", "kind"),
    [
        ("aéøßÆﬁＡªºn", "Latin"),
        ("寿司々〆", "Han"),
        ("カーﾊﾝ", "Katakana"),
        ("한ㅋﾡ", "Hangul"),
        ("سلام", "Arabic"),
        ("ไท", "Thai"),
        ("𝓱𝕙ℝℓ", "mathematical letters"),
        ("𐌀", "Old Italic"),
        ("☺❤🐱🏽🇫©", SYMBOLS),
        (" \u3000", "spaces"),
        ("12½³", "digits"),
        (".,@#_¿", "punctuation"),
        ("$+<~", "other signs"),
        ("\u0301\ufe0f", "marks"),
        ("\u200d", "joiners"),
        (LINE_BREAK, LINE_BREAKS),
    ],
)
def test_a_letter_is_of_its_script_and_every_other_character_of_a_kind(chars: str, kind: str) -> None:
    assert {char: kind_of(char) for char in chars} == dict.fromkeys(chars, kind)


@given(counts=st.dictionaries(st.characters(), st.integers(1, 1000), max_size=40))
def test_the_kinds_contain_every_character_once_and_are_sorted_by_use(counts: dict[str, int]) -> None:
    kinds = by_kind(counts)
    assert {char: count for chars in kinds.values() for char, count in chars.items()} == counts
    assert sum(map(len, kinds.values())) == len(counts)
    totals = [sum(chars.values()) for chars in kinds.values()]
    assert totals == sorted(totals, reverse=True)


def test_scripts_are_counted_in_characters_the_most_used_first() -> None:
    counts = count_scripts({"ж": 3, "a": 2, "é": 4, " ": 90, "1": 5, "☺": 1})
    assert list(counts.items()) == [("Latin", 6), ("Cyrillic", 3), (SYMBOLS, 1)]
