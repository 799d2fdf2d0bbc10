"""How far back a prediction reaches: strongest characters, distances, shares, in numbers that add up."""

from __future__ import annotations

import pytest

from engine.protocol.events import ReachMeasured
from tests import hostile
from tests.fakes import reach_measured
from tui.xray import reach_view
from tui.xray.glyphs import ASCII, UNICODE
from tui.xray.layout import line_width
from tui.xray.spans import plain
from tui.xray.text_strip import TextStrip

TEXT = "hi @anna how"


def measured(scores: tuple[float, ...], text: str = TEXT, **changes: object) -> ReachMeasured:
    return reach_measured(text, len(scores) - 1, scores=scores, **changes)


def lines_of(event: ReachMeasured, width: int = 60, height: int = 10) -> list[str]:
    return plain(reach_view.render(event, event.position, width, height, UNICODE)).split("\n")


def test_the_strongest_characters_come_first_with_distance_number_and_bar() -> None:
    # inputs: <BOS> h i space @; the prediction is of the "a" after them
    lines = lines_of(measured((0.0, 0.5, -1.0, 0.0, 2.0)), width=40)
    assert lines[0] == "occlusion: what hiding it costs ‘a’"
    assert lines[1].startswith("@     1 back +2.00 bits ███")
    assert lines[2].startswith("i     3 back -1.00 bits ███")
    assert lines[3].startswith("h     4 back +0.50 bits ██")
    assert lines[2].count("█") == pytest.approx(lines[1].count("█") / 2, abs=1)
    assert lines[5] == "<BOS> 5 back +0.00 bits"


def test_a_character_that_helps_when_hidden_has_another_style() -> None:
    picture = reach_view.render(measured((0.0, 0.5, -1.0)), 2, 60, 10, UNICODE)
    assert [line[-1].kind for line in picture[1:3]] == ["bad", "bar"]


def test_the_shares_within_a_distance_add_up_to_all() -> None:
    lines = lines_of(measured((0.0, 0.5, 0.0, 0.5, 1.0)), width=80)
    shares = [line.split("last ")[1] for line in lines if "last " in line]
    assert [(share.split()[0], share[-6:].strip()) for share in shares] == [
        ("1", "50 %"),
        ("2", "75 %"),
        ("3", "75 %"),
        ("5", "100 %"),
    ]


def test_colours_are_shares_of_the_greatest_effect_up_to_the_prediction() -> None:
    shades = reach_view.shades(measured((0.0, 0.5, -1.0, 0.0, 2.0)), 4)
    assert shades.values == (0.0, 0.25, -0.5, 0.0, 1.0, *[None] * (len(TEXT) - 3))
    assert (shades.low, shades.high, shades.meaning) == ("0", "2", "change in bits if hidden")
    assert plain(TextStrip(TEXT, 40, UNICODE).picture(4, 2, shades)) == "▸hi @anna how■\n▁▃▅▁▲"


@pytest.mark.parametrize(
    ("scores", "effect", "share"),
    [
        (
            (0, 0, 0.1, 0, 1.8, 0.1, 0, 0),
            "the ‘@’ 4 characters back would cost ‘a’ 1.8 bits more",
            "4 characters carry 95 %",
        ),
        ((0.0, 0.1, 1.0), "the ‘i’ before it would cost a space 1.0 bits more", "character carries 91 %"),
        ((0.3, -0.6), "the ‘h’ before it would cost ‘i’ 0.6 bits less", "2 characters carry 100 %"),
    ],
)
def test_the_sentence_names_the_strongest_character_and_how_near_the_reach_is(
    scores: tuple[float, ...], effect: str, share: str
) -> None:
    expected = f"Hiding {effect}; the last {share} of the reach"
    assert reach_view.sentence(measured(scores), 0, UNICODE) == expected


def test_the_sentence_says_that_no_character_matters_where_none_does() -> None:
    none = "Hiding any single character would change ‘i’ by less than 0.05 bits"
    assert reach_view.sentence(measured((0.01, 0.04)), 0, UNICODE) == none


def test_at_the_start_a_sentence_says_that_nothing_is_before_the_prediction() -> None:
    event = measured((0.7,))
    assert reach_view.sentence(event, 0, UNICODE).startswith("At the start the model has read <BOS> only")
    assert "share" not in "\n".join(lines_of(event, width=80))


def test_a_share_of_almost_all_is_shown_whole() -> None:
    scores = (0.001, *(0.0,) * 5, 1.0)
    assert "99.9 %" in "\n".join(lines_of(measured(scores), width=80))


def test_the_reach_of_the_end_is_that_of_eos() -> None:
    event = measured((0.0, 0.1, 0.9), text="hi")
    assert "would cost the end 0.9 bits more" in reach_view.sentence(event, 2, UNICODE)
    assert reach_view.shades(event, 2).values[-1] is None


def test_a_space_is_named_in_the_sentence() -> None:
    assert reach_view.sentence(measured((0.0, 0.0, 0.0, 1.0)), 3, UNICODE).startswith("Hiding the space before it")


def test_the_gradient_is_a_norm_and_not_bits() -> None:
    event = measured((0.1, 0.4, 0.2), method="gradient")
    text = "\n".join(lines_of(event, width=100))
    assert "gradient of the bits of" in text
    assert "h     2 back 0.400" in text
    assert " bits " not in text.split("\n")[1]
    assert reach_view.sentence(event, 2, UNICODE).startswith("A space is most sensitive to the ‘h’ 2 characters back")
    assert reach_view.shades(event, 2).meaning == "norm of the gradient"


def test_without_any_effect_there_are_no_shares() -> None:
    assert not any("last" in line for line in lines_of(measured((0.0, 0.0, 0.0)), width=80))


@pytest.mark.parametrize(("width", "height"), [(120, 40), (80, 12), (40, 5), (20, 2), (1, 1)])
def test_the_view_fits_its_size(width: int, height: int) -> None:
    text = "a long text with @name and 漢字 " * 10
    for glyphs in (UNICODE, ASCII):
        picture = reach_view.render(reach_measured(text, len(text)), 3, width, height, glyphs)
        assert len(picture) <= height
        assert max(map(line_width, picture)) <= width


def test_hostile_text_is_shown_harmless() -> None:
    text = hostile.ALL_AT_ONCE[:300]
    for position in (len(text), 5):
        event = reach_measured(text, position)
        for shown in (plain(reach_view.render(event, 0, 100, 320, UNICODE)), reach_view.sentence(event, 0, UNICODE)):
            assert [found for line in shown.split("\n") for found in hostile.obeyed(line)] == []
