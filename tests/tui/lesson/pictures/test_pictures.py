"""The pictures of the lesson show its numbers at every size, in ASCII too, and fit."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from engine.config.run import ModelConfig
from engine.model.vocab import UNK
from engine.protocol.events import CharChance, LadderTweet
from tests.fakes import text_traced
from tui.lesson.pictures.batch_picture import Measured, comparison_picture, noise_of
from tui.lesson.pictures.chars_picture import chars_picture
from tui.lesson.pictures.loss_scale import Place, place_of, scale_picture, sentence_on
from tui.lesson.pictures.shapes_picture import Sizes, parts, shapes_picture
from tui.lesson.pictures.temperature_picture import at_temperature, bars_picture, ladder_picture, repeated
from tui.run.levels import levels_from
from tui.xray.glyphs import ASCII, UNICODE, Glyphs
from tui.xray.spans import Picture, plain

SIZES = Sizes(model=ModelConfig(embedding_size=64, hidden_size=48), vocab_size=117, num_tweets=32, num_columns=72)
CHANCES = tuple(
    CharChance(char=char, probability=share) for char, share in (("e", 0.5), (" ", 0.25), ("x", 0.2), ("", 0.05))
)
LEVELS = levels_from(("uniform", "unigram", "2-gram"), (6.87, 4.6, 3.6))


def rung(text: str, temperature: float = 1.0) -> LadderTweet:
    return LadderTweet(temperature=temperature, text=text, reached_eos=True, bits_per_char=2.0, novelty="new")


def test_a_row_of_a_tweet_has_its_id_and_a_1_in_the_column_of_the_id() -> None:
    shown = plain(chars_picture("a~", [6, UNK], 117, 60, 12, UNICODE)).splitlines()
    assert shown[1].startswith("<BOS>    1 ·1··")
    assert shown[2].startswith("a        6 ······1·")
    assert shown[3].startswith("~        3 ···1····")
    assert shown[4].startswith("<EOS>    2 ··1·")
    assert shown[5] == "3 inputs from <BOS> on, 1 of them <UNK>: a matrix of 3 x 117"


def test_a_1_beyond_the_window_is_named_and_a_long_tweet_shows_its_end() -> None:
    shown = plain(chars_picture("b" * 50, [100] * 50, 117, 40, 10, ASCII)).splitlines()
    assert len(shown) == 10
    assert shown[1].startswith("<BOS>")
    assert shown[-3].endswith("1 in 100")
    assert shown[-2].startswith("<EOS>")


def test_the_shapes_and_parameters_are_those_of_the_model() -> None:
    assert [part.shape for part in parts(SIZES)] == [(32, 72), (32, 72, 64), (32, 72, 48), (32, 72, 117)]
    total = sum(part.num_parameters for part in parts(SIZES))
    assert total == SIZES.model.num_parameters(117)
    shown = plain(shapes_picture(SIZES, 4, 100, 20, UNICODE))
    assert "(32, 72, 117)" in shown
    assert f"{total:,} parameters in all" in shown


def test_a_part_shows_its_numbers_only_once_the_batch_was_sent_through_it() -> None:
    shown = plain(shapes_picture(SIZES, 2, 100, 20, UNICODE))
    assert "(32, 72, 64)" in shown
    assert "7,488 parameters" in shown
    assert "(32, 72, 48)" not in shown
    assert "in all" not in shown


def test_temperature_1_leaves_the_distribution_0_takes_the_likeliest_and_5_flattens_it() -> None:
    log_probs = tuple(math.log(chance.probability) for chance in CHANCES)
    assert at_temperature(log_probs, 1.0) == pytest.approx((0.5, 0.25, 0.2, 0.05))
    assert at_temperature(log_probs, 0.0) == (1.0, 0.0, 0.0, 0.0)
    cold, hot = at_temperature(log_probs, 0.1), at_temperature(log_probs, 5.0)
    assert cold[0] > 0.99
    assert max(hot) < 0.32
    assert sum(hot) == pytest.approx(1)
    assert at_temperature(log_probs, 2.0) == pytest.approx(
        [math.sqrt(p) / sum(math.sqrt(q) for q in (0.5, 0.25, 0.2, 0.05)) for p in (0.5, 0.25, 0.2, 0.05)]
    )
    assert at_temperature((), 1.0) == ()


@pytest.mark.parametrize(("width", "height"), [(118, 12), (70, 12), (38, 6)])
def test_the_bars_are_shares_of_all_characters_and_those_without_a_bar_are_summed(width: int, height: int) -> None:
    log_probs = tuple(math.log(p) for p in (0.5, 0.25, 0.2, *[0.05 / 110] * 110))
    last = replace(text_traced("hi").chars[-1], likeliest=CHANCES[:3])
    trace = text_traced("hi", next_log_probs=log_probs, chars=(last,))
    usual = plain(bars_picture(trace, 1.0, width, height, UNICODE))
    assert "50 %" in usual
    assert re.search(r"rest .*5.0 % 110 other", usual)
    hot = plain(bars_picture(trace, 5.0, width, height, UNICODE))
    assert re.search(r"rest .*91 % 110 other", hot)
    assert "3.4 %" in hot


def test_a_loop_is_found_where_a_block_is_repeated_three_times() -> None:
    assert repeated("so the the the the end") in {" the", "the "}
    assert repeated("good morning to all of you") == ""
    assert repeated("aaaaaaaa") == ""  # one letter long drawn is no loop
    note = "Greedy is caught in a loop"
    assert note in plain(ladder_picture([rung("I love the love the love the", 0.0)], 70, 5, UNICODE))
    assert note not in plain(ladder_picture([rung("I love the love the love the", 1.0)], 70, 5, UNICODE))


def test_the_noise_ignores_the_trend_of_the_loss() -> None:
    assert noise_of([3.0, 3.0, 3.0]) == 0
    assert noise_of([1.0, 2.0, 1.0, 2.0]) == pytest.approx(math.sqrt(0.5))
    assert noise_of([3 - 0.001 * step for step in range(100)]) < 0.001
    assert noise_of([]) == noise_of([1.0]) == 0


def test_two_batch_sizes_are_compared_in_words() -> None:
    measured = [
        (1, Measured(num_steps=40, chars_per_second=9_000, noise=0.4)),
        (32, Measured(num_steps=40, chars_per_second=90_000, noise=0.1)),
    ]
    shown = plain(comparison_picture(measured, 32, 100, 9, UNICODE))
    assert "32 against 1: 10.0 times the characters a second, 1/4.0 of the noise" in shown
    assert "against" not in plain(comparison_picture(measured[:1], 1, 100, 9, UNICODE))


def test_the_model_is_placed_among_the_levels() -> None:
    places = [place_of(level) for level in LEVELS]
    places.append(Place(name="validation", bits=4.0, kind="good"))
    lines = plain(scale_picture(places, sentence_on(4.0, LEVELS), 100, 9, UNICODE)).splitlines()
    assert [line.split()[0] for line in lines] == ["log2", "unigram:", "validation", "bigram:", "It"]
    assert "6.87 bits" in lines[0]
    assert lines[-1] == "It has passed the unigram; next is the bigram."


def test_a_low_scale_leaves_out_levels_and_never_the_losses_of_the_model() -> None:
    places = [replace(place_of(level), meaning="") for level in LEVELS]
    places.append(Place(name="validation", bits=2.0, kind="good"))
    lines = plain(scale_picture(places, "Step 1.", 38, 3, UNICODE)).splitlines()
    assert [line.split()[0] for line in lines] == ["log2", "validation", "Step"]


@pytest.mark.parametrize(
    ("bits", "said"),
    [
        (None, "No validation yet"),
        (6.9, "none of them"),
        (4.7, "passed the uniform; next is the unigram"),
        (2.0, "passed the bigram: it uses more of the tweet"),
    ],
)
def test_a_sentence_says_which_levels_are_passed(bits: float | None, said: str) -> None:
    assert said in sentence_on(bits, LEVELS)
    assert sentence_on(bits, ()) == "The levels are being measured."


def all_pictures(width: int, height: int, glyphs: Glyphs) -> list[Picture]:
    hostile = "\x1b[2J\u202e 👨‍👩‍👧 e\u0301" * 9
    measured = [(size, Measured(num_steps=40, chars_per_second=9_000, noise=0.4)) for size in (1, 32)]
    places = [place_of(level) for level in LEVELS]
    return [
        chars_picture(hostile, [UNK] * len(hostile), 117, width, height, glyphs),
        *(shapes_picture(SIZES, seen, width, height, glyphs) for seen in range(5)),
        bars_picture(text_traced(hostile), 0.5, width, height, glyphs),
        ladder_picture([rung(hostile, temperature) for temperature in (0.0, 1.0, 5.0)], width, height, glyphs),
        comparison_picture(measured, 1, width, height, glyphs),
        scale_picture(places, sentence_on(4.0, LEVELS), width, height, glyphs),
    ]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (10, 3), (38, 9), (78, 12), (70, 35), (200, 60)])
def test_every_picture_fits_and_is_harmless(width: int, height: int, glyphs: Glyphs) -> None:
    for picture in all_pictures(width, height, glyphs):
        assert len(picture) <= height
        for line in picture:
            text = "".join(span.text for span in line)
            assert cell_len(text) <= width
            assert not set(text) & {"\x1b", "\u202e", "\n"}
