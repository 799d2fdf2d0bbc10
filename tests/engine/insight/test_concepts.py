"""Each concept is true at exactly the characters that its rule names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from engine.insight.concepts import CONCEPTS, label
from tests.strategies import hostile_text


@pytest.mark.parametrize(
    ("concept", "text", "marks"),
    [
        ("in an @name", "hi @mia_k! @ me@home @a", "...@@@@@@............@@"),
        ("in a link", "see http://t.co/a1, HTTPS://b www.c.de", "....lllllllllllllll.lllllllll.llllllll"),
        ("in a hashtag", "#one two#three # #4", "####..............."),
        ("after a space", " a b  c", "s.s.ss."),
        ("inside quotes or brackets", 'a "bc" (d [e] f) :) (g', "..qqq..qqqqqqqq......."),
        ("inside quotes or brackets", '“a” «b» ) ( " {c}', "qq..qq........qq."),
        ("in an upper-case stretch", "A BIG Dog SAYS HI, I", "..uuu.....uuuu.uu..."),
        ("in an upper-case stretch", "ÄÖ1B", "uu.."),
        ("vowel next", "Tea Éé y", "vv.vv..."),
        ("vowel next", "a", "."),
    ],
)
def test_a_concept_is_true_at_these_characters(concept: str, text: str, marks: str) -> None:
    expected = [0.0 if mark == "." else 1.0 for mark in marks.ljust(len(text), ".")]

    assert label(text)[CONCEPTS.index(concept)].tolist() == expected


def test_the_position_counts_characters_from_the_start() -> None:
    assert label("abc")[CONCEPTS.index("position")].tolist() == [0, 1, 2]


@given(text=hostile_text())
def test_any_text_has_a_finite_label_per_concept_and_character(text: str) -> None:
    labels = label(text)

    assert labels.shape == (len(CONCEPTS), len(text))
    assert np.isfinite(labels).all()
