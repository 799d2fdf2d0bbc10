"""The pictures of the lesson: recorded at named sizes, in ASCII too; they fit every size and are harmless."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.run import ModelConfig
from engine.model.vocab import UNK
from engine.protocol.events import CharChance, LadderTweet
from tests import hostile
from tests.fakes import text_traced
from tui.lesson.pictures.batch_picture import Measured, comparison_picture, noise_of
from tui.lesson.pictures.chars_picture import chars_picture
from tui.lesson.pictures.loss_scale import Place, place_of, scale_picture, sentence_on
from tui.lesson.pictures.shapes_picture import Sizes, parts, shapes_picture
from tui.lesson.pictures.temperature_picture import at_temperature, bars_picture, ladder_picture, repeated
from tui.run.levels import levels_from
from tui.xray.glyphs import ASCII, UNICODE, Glyphs
from tui.xray.layout import line_width
from tui.xray.spans import Picture, plain

Draw: TypeAlias = Callable[[int, int, Glyphs], Picture]
SIZES = Sizes(model=ModelConfig(embedding_size=64, hidden_size=48), vocab_size=117, num_tweets=32, num_columns=72)
CHANCES = tuple(CharChance(char=char, probability=share) for char, share in (("e", 0.5), (" ", 0.25), ("x", 0.2)))
NEXT = text_traced(
    "hi",
    next_log_probs=tuple(math.log(share) for share in (0.5, 0.25, 0.2, *[0.05 / 110] * 110)),
    chars=(replace(text_traced("hi").chars[-1], likeliest=CHANCES),),
)
LEVELS = levels_from(("uniform", "unigram", "2-gram"), (6.87, 4.6, 3.6))
LOOP = "I love the love the love the"
MEASURED = [
    (1, Measured(num_steps=40, chars_per_second=9_000, noise=0.4)),
    (32, Measured(num_steps=40, chars_per_second=90_000, noise=0.1)),
]


def rungs(text: str, *temperatures: float) -> list[LadderTweet]:
    return [
        LadderTweet(temperature=each, text=text, reached_eos=True, bits_per_char=2.0, novelty="new")
        for each in temperatures
    ]


def scale(validation: float) -> Draw:
    places = [*map(place_of, LEVELS), Place(name="validation", bits=validation, kind="good")]
    return lambda *size: scale_picture(places, sentence_on(validation, LEVELS), *size)


PICTURES: dict[str, tuple[Draw, str]] = {
    "ids and one-hot rows": (lambda *size: chars_picture("a~", [6, UNK], 117, *size), "60x12"),
    "the end of a long tweet": (lambda *size: chars_picture("b" * 50, [100] * 50, 117, *size), "40x10"),
    "no part seen": (lambda *size: shapes_picture(SIZES, 0, *size), "100x20"),
    "two parts": (lambda *size: shapes_picture(SIZES, 2, *size), "100x20"),
    "all parts": (lambda *size: shapes_picture(SIZES, 4, *size), "100x20"),
    "temperature 1": (lambda *size: bars_picture(NEXT, 1.0, *size), "70x12"),
    "temperature 5": (lambda *size: bars_picture(NEXT, 5.0, *size), "38x6"),
    "a loop at 0": (lambda *size: ladder_picture(rungs(LOOP, 0.0, 1.0), *size), "70x8"),
    "no loop at 1": (lambda *size: ladder_picture(rungs(LOOP, 0.1, 1.0), *size), "70x8"),
    "one batch size": (lambda *size: comparison_picture(MEASURED[:1], 1, *size), "100x9"),
    "two batch sizes": (lambda *size: comparison_picture(MEASURED, 32, *size), "100x9"),
    "losses and levels": (scale(4.0), "100x9"),
    "a low scale without the levels": (scale(2.0), "38x3"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_as_recorded(name: str, snapshot: SnapshotAssertion) -> None:
    draw, size = PICTURES[name]
    width, height = map(int, size.split("x"))
    assert plain(draw(width, height, UNICODE)) == snapshot(name=size)
    assert plain(draw(width, height, ASCII)) == snapshot(name=f"{size} in ASCII")


def test_sentences_name_the_passed_levels_and_parameters_are_those_of_the_model(snapshot: SnapshotAssertion) -> None:
    said = [f"{bits}: {sentence_on(bits, LEVELS)}" for bits in (None, 6.9, 4.7, 4.0, 2.0)]
    assert "\n".join([*said, f"before: {sentence_on(2.0, ())}"]) == snapshot
    assert sum(part.num_parameters for part in parts(SIZES)) == SIZES.model.num_parameters(117)


def test_temperature_1_leaves_the_distribution_0_takes_the_likeliest_and_5_flattens_it() -> None:
    shares = (0.5, 0.25, 0.2, 0.05)
    log_probs = tuple(map(math.log, shares))
    assert at_temperature(log_probs, 1.0) == pytest.approx(shares)
    assert at_temperature(log_probs, 0.0) == (1.0, 0.0, 0.0, 0.0)
    roots = [math.sqrt(share) for share in shares]
    assert at_temperature(log_probs, 2.0) == pytest.approx([root / sum(roots) for root in roots])
    assert at_temperature(log_probs, 0.1)[0] > 0.99
    assert max(at_temperature(log_probs, 5.0)) < 0.32
    assert at_temperature((), 1.0) == ()


def test_a_loop_is_a_block_that_is_repeated_three_times_and_noise_ignores_the_trend_of_the_loss() -> None:
    assert repeated("so the the the the end") in {" the", "the "}
    assert repeated("good morning to all of you") == ""
    assert repeated("aaaaaaaa") == ""  # one letter long drawn is no loop
    assert noise_of([]) == noise_of([1.0]) == noise_of([3.0, 3.0, 3.0]) == 0
    assert noise_of([1.0, 2.0, 1.0, 2.0]) == pytest.approx(math.sqrt(0.5))
    assert noise_of([3 - 0.001 * step for step in range(100)]) < 0.001


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (10, 3), (38, 9), (78, 12), (70, 35), (200, 60)])
def test_every_picture_fits_and_is_harmless(width: int, height: int, glyphs: Glyphs) -> None:
    bad = "\x1b[2J\u202e 👨‍👩‍👧 e\u0301" * 9
    drawn = [draw(width, height, glyphs) for draw, _ in PICTURES.values()]
    drawn += [
        chars_picture(bad, [UNK] * len(bad), 117, width, height, glyphs),
        bars_picture(text_traced(bad), 0.5, width, height, glyphs),
        ladder_picture(rungs(bad, 0.0, 1.0, 5.0), width, height, glyphs),
    ]
    for picture in drawn:
        assert len(picture) <= height
        assert all(line_width(line) <= width for line in picture)
        assert hostile.obeyed(plain(picture).replace("\n", "")) == []
