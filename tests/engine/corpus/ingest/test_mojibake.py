"""Mojibake is repaired if the whole text round-trips and has a sign of it; other text is never changed."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.corpus.ingest.mojibake import repair
from tests.strategies import hostile_text

LETTERS = "abcdefghijklmnopqrstuvwxyzàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþ"
AFTER_A_WORD = ("", "", "", ",", ".", "!", "…", "’", "”", "™", "®", "»", "\xa0!", "–", " – ", "’s", "…”", "…»", "\xa0»")


def misdecoded(text: str, rounds: int = 1) -> str:
    """Return UTF-8 decoded as Windows-1252, whose five undefined bytes are decoded as Latin-1."""
    for _ in range(rounds):
        data = text.encode()
        text = "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in data)
    return text


def real_words() -> st.SearchStrategy[str]:
    """Return Western European words in lower, upper or title case, with the punctuation that follows words."""
    bare = st.text(LETTERS, min_size=2, max_size=9)
    cased = st.builds(lambda word, case: str(case(word)), bare, st.sampled_from([str.lower, str.upper, str.capitalize]))
    return st.builds(str.__add__, cased, st.sampled_from(AFTER_A_WORD))


LATIN = ("don’t", "café", "CAFÉ", "voilà", "£5 and 20° and ½", "I ♥ you", "żółw być wiele")
OTHERS = ("Привет, мир", "我去北京和天津玩儿", "👩\u200d🚀", "\ufeffmark", "a\x81b")


@pytest.mark.parametrize("text", LATIN + OTHERS)
def test_mojibake_is_repaired(text: str) -> None:
    wrong = misdecoded(text)
    if text != "a\x81b":
        assert wrong != text
    assert repair(wrong) == text


@pytest.mark.parametrize("text", ["don’t", "café", "😀"])
def test_double_triple_and_latin_1_mojibake_is_repaired(text: str) -> None:
    assert repair(misdecoded(text, 2)) == text
    assert repair(misdecoded(text, 3)) == text
    assert repair(misdecoded_as_latin_1(text)) == text


MIXED = "donâ€™t, she said… and left"


@pytest.mark.parametrize("text", ["CAFÉ…", "CAFÉ\xa0!", "AMANHÃ…", "É…", "São Paulo", MIXED, "Ã", "â€", ""])
def test_text_that_is_not_mojibake_is_unchanged(text: str) -> None:
    assert repair(text) == text


@given(words=st.lists(real_words(), min_size=1, max_size=12))
@example(words=["groß…", "CAFÉ…"])
def test_no_text_of_western_europe_is_touched(words: list[str]) -> None:
    text = " ".join(words)
    assert repair(text) == text


@given(text=st.text(st.characters(min_codepoint=0x250, blacklist_categories=["Cs"])))
def test_no_text_beyond_the_latin_letters_is_touched(text: str) -> None:
    if not set(text) & set("ˆ˜–—‘’‚“”„†‡•…‰‹›€™"):
        assert repair(text) == text


@given(text=hostile_text())
def test_any_text_is_repaired_or_as_it_was(text: str) -> None:
    after = repair(text)
    assert after == text or text in {misdecoded(after, rounds) for rounds in (1, 2, 3)} | {misdecoded_as_latin_1(after)}


def misdecoded_as_latin_1(text: str) -> str:
    return text.encode().decode("latin-1")
