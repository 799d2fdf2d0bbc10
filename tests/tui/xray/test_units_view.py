"""The units that track concepts, in honest words, and what one of them causes while it is held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from engine.protocol.events import CharChance, CharRead, UnitScore
from tests import hostile
from tests.fakes import chars_read, unit_held, units_scored
from tui.xray import units_view
from tui.xray.glyphs import ASCII, UNICODE
from tui.xray.layout import line_width
from tui.xray.spans import plain
from tui.xray.units_view import UnitAnswers, selectable

TEXT = "hi @anna"
UNITS = (
    UnitScore(layer=0, unit=3, concept="after a space", correlation=-0.62),
    UnitScore(layer=0, unit=87, concept="in an @name", correlation=0.81),
    UnitScore(layer=0, unit=12, concept="in an @name", correlation=-0.6),
    UnitScore(layer=0, unit=87, concept="in a link", correlation=0.21),
    UnitScore(layer=0, unit=5, concept="in a link", correlation=-0.11),
)
SCORED = units_scored(units=UNITS)


def read(char: str, **chances: float) -> CharRead:
    """Return the prediction of `char`, which gets 1 bit."""
    likeliest = tuple(CharChance(char=each, probability=chance) for each, chance in chances.items())
    return CharRead(char=char, bits=1.0, likeliest=likeliest)


def answers(unit: int = 87, value: float | None = None, **chances: Mapping[str, float]) -> UnitAnswers:
    """Return the unit's answer; `free` and `held` are the probabilities at every character."""
    free = tuple(read("e", **chances["free"]) for _ in TEXT) if "free" in chances else chars_read(TEXT)
    held = tuple(read("e", **chances["held"]) for _ in TEXT) if "held" in chances else chars_read(TEXT)
    return UnitAnswers(scored=SCORED, held=unit_held(TEXT, unit, value, chars=held), free_chars=free)


def lines_of(event: UnitAnswers, width: int = 80, height: int = 16, cursor: int = 2) -> list[str]:
    return plain(units_view.render(event, cursor, width, height, UNICODE)).split("\n")


def test_a_row_per_concept_ranks_its_units_and_the_clearest_concept_comes_first() -> None:
    assert lines_of(UnitAnswers(scored=SCORED)) == [
        "correlation over 37,000 characters of 500 held-out tweets",
        "in an @name               ████████▏    87 +0.81   12 -0.60",
        "after a space             ██████▎       3 -0.62",
        "in a link                 ██▏          87 +0.21 no unit clearly",
    ]


def test_a_single_tweet_is_the_one_that_the_model_is_trained_on() -> None:
    alone = UnitAnswers(scored=replace(SCORED, num_tweets=1, num_chars=84))
    assert lines_of(alone)[0] == "correlation over 84 characters of the one tweet it is trained on"
    assert lines_of(alone, 40)[0] == "correlation in the trained tweet"


def test_units_are_selected_in_the_order_of_the_table_each_once() -> None:
    assert selectable(SCORED) == ((0, 87), (0, 12), (0, 3), (0, 5))
    assert selectable(units_scored(units=())) == ()


def test_the_selected_unit_is_marked_wherever_it_is_listed() -> None:
    picture = units_view.render(answers(87), 2, 80, 16, UNICODE)
    marked = [span.text for line in picture for span in line if span.kind == "cursor"]
    assert marked == ["▸ 87 +0.81", "▸ 87 +0.21"]


def test_units_of_several_layers_are_named_with_their_layer() -> None:
    scored = units_scored(units=(*UNITS, UnitScore(layer=1, unit=9, concept="vowel next", correlation=0.9)))
    held = unit_held(TEXT, 9, layer=1)
    lines = lines_of(UnitAnswers(scored=scored, held=held))
    assert "▸2/9   +0.90" in lines[1]
    assert lines[5].startswith("unit 2/9 free")
    sentence = units_view.sentence(UnitAnswers(scored=scored, held=held), 2, UNICODE)
    assert sentence == "Unit 9 of layer 2 tracks ‘vowel next’: correlation 0.90"


def test_a_low_screen_shows_the_concept_of_the_selected_unit() -> None:
    lines = lines_of(answers(87), height=5)
    assert lines[1].startswith("in an @name")
    assert lines_of(answers(3), height=5)[1].startswith("in an @name")
    last = units_view.render(UnitAnswers(scored=SCORED, held=unit_held(TEXT, 5)), 2, 80, 5, UNICODE)
    assert any("in a link" in plain((line,)) for line in last)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (87, "Unit 87 tracks ‘in an @name’: correlation 0.81"),
        (3, "Unit 3 tracks ‘after a space’ with the opposite sign: correlation -0.62"),
        (5, "No unit tracks ‘in a link’ clearly: the correlation of unit 5 is -0.11"),
    ],
)
def test_the_sentence_says_what_the_selected_unit_tracks_and_admits_when_that_is_nothing(
    unit: int, expected: str
) -> None:
    assert units_view.sentence(answers(unit), 2, UNICODE) == expected


def test_without_a_selected_unit_the_sentence_is_about_the_best_one() -> None:
    assert units_view.sentence(UnitAnswers(scored=SCORED), 0, UNICODE).startswith("Unit 87 tracks")
    assert units_view.sentence(UnitAnswers(scored=units_scored(units=())), 0, UNICODE) == "No unit was scored"


def test_the_state_of_the_unit_colours_the_text_with_its_sign() -> None:
    shades = units_view.shades(answers(87), 2)
    assert shades is not None
    assert shades.values == (-0.5, 0.5, -0.5, 0.5, -0.5, 0.5, -0.5, 0.5, -0.5, None)
    assert shades.is_signed
    assert shades.meaning == "state of unit 87"
    assert units_view.shades(UnitAnswers(scored=SCORED), 2) is None


def test_the_slider_shows_the_value_and_the_units_own_state() -> None:
    [free] = [line for line in lines_of(answers(87)) if line.startswith("unit")]
    assert free == "unit 87 free  -1 ·····│··············· 1  its own state -0.50"
    [held] = [line for line in lines_of(answers(87, value=1.0)) if line.startswith("unit")]
    assert held == "unit 87 held +1.00  -1 ·····│··············■ 1  its own state -0.50"


def test_probabilities_while_held_stand_beside_those_while_free() -> None:
    event = answers(87, value=1.0, free={"a": 0.4, "b": 0.1}, held={"a": 0.1, "c": 0.2})
    rows = {line[:4].strip(): line for line in lines_of(event)[5:]}
    percentages = {char: [word for word in rows[char].split() if "%" in word or word == "–"] for char in "aebc"}
    assert percentages == {"a": ["40%", "10%"], "e": ["50%", "50%"], "b": ["10%", "–"], "c": ["–", "20%"]}


def test_the_sentence_names_the_character_whose_probability_changes_most() -> None:
    event = answers(87, value=1.0, free={"a": 0.4, "b": 0.1}, held={"a": 0.1, "c": 0.2})
    assert units_view.sentence(event, 2, UNICODE).endswith("; held at +1.00, ‘a’ has 10 % here; free, 40 %")
    event = answers(87, value=-1.0, free={"a": 0.4, "b": 0.1}, held={"z": 0.9})
    assert units_view.sentence(event, 2, UNICODE).endswith("; held at -1.00, ‘z’ has 90 % here; free, less than 10 %")
    same = answers(87, value=0.5)
    assert units_view.sentence(same, 2, UNICODE).endswith(
        "; held at +0.50, it changes no probability here by 1 % or more"
    )


def test_sampled_tweets_are_listed_below_how_they_were_sampled() -> None:
    assert lines_of(answers(87))[-3:] == ["tweets sampled while it is free:", "a first tweet", "a second tweet"]
    assert "tweets sampled while it is held at +1.00:" in lines_of(answers(87, value=1.0))


@pytest.mark.parametrize("unit", [20, 21, 22, 27])
def test_a_selected_unit_is_listed_where_its_row_has_no_room_for_all(unit: int) -> None:
    row = [UnitScore(layer=0, unit=20 + n, concept="vowel next", correlation=0.9 - 0.05 * n) for n in range(8)]
    event = UnitAnswers(scored=units_scored(units=tuple(row)), held=unit_held(TEXT, unit))
    (line,) = (line for line in lines_of(event, width=60) if line.startswith("vowel next"))
    assert f"▸ {unit} +" in line
    assert len(line) <= 60


def test_where_no_unit_is_clear_the_best_one_is_listed_whichever_is_selected() -> None:
    row = [UnitScore(layer=0, unit=20 + n, concept="in a link", correlation=0.2 - 0.01 * n) for n in range(8)]
    event = UnitAnswers(scored=units_scored(units=tuple(row)), held=unit_held(TEXT, 27))
    (line,) = (line for line in lines_of(event) if line.startswith("in a link"))
    assert line.endswith("  20 +0.20 no unit clearly")


def test_a_wide_screen_shows_the_table_beside_the_selected_unit() -> None:
    lines = lines_of(answers(87), width=150)
    assert "in an @name" in lines[1]
    assert "unit 87 free" in lines[0]


@pytest.mark.parametrize(("width", "height"), [(120, 40), (100, 6), (80, 12), (40, 7), (20, 3), (1, 1)])
def test_the_view_fits_its_size(width: int, height: int) -> None:
    for event in (answers(87), answers(87, value=0.25), UnitAnswers(scored=SCORED)):
        for glyphs in (UNICODE, ASCII):
            picture = units_view.render(event, 2, width, height, glyphs)
            assert len(picture) <= height
            assert max(map(line_width, picture)) <= width


def test_hostile_tweets_and_concepts_are_shown_harmless() -> None:
    bad = hostile.ALL_AT_ONCE
    scored = units_scored(units=(replace(UNITS[0], concept=bad[:200]),))
    event = UnitAnswers(scored=scored, held=unit_held(TEXT, 3, tweets=(bad, bad)))
    for line in (*lines_of(event, width=500), units_view.sentence(event, 0, UNICODE)):
        assert hostile.obeyed(line) == []
