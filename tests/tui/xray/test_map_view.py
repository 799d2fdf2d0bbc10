"""The map of the embeddings: it stays where it was, and shows each character at its place."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from engine.protocol.events import CharPoint, EmbeddingsMapped
from tests.fakes import embeddings_mapped
from tui.formatting.cells import cell_len
from tui.xray import map_view
from tui.xray.char_classes import class_of, closeness_of_classes
from tui.xray.glyphs import ASCII, UNICODE
from tui.xray.layout import line_width
from tui.xray.map_layout import CELL_ASPECT, aligned, placed
from tui.xray.spans import plain

CONSONANTS, VOWELS, OTHERS = "bcdfghjklmnpqrst", "aeiou", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?"


def scattered(chars: str, **places: tuple[float, float]) -> tuple[CharPoint, ...]:
    """Return characters at random places, those of `places` at theirs."""
    source = np.random.default_rng(1)
    found = ((char, places.get(char) or (source.normal(), source.normal())) for char in chars)
    return tuple(CharPoint(char=char, x=x, y=y) for char, (x, y) in found)


def changed(mapped: EmbeddingsMapped, *, swaps: bool, signs: tuple[int, int], noise: float) -> EmbeddingsMapped:
    """Return the same map as another computation of its components might give it, a little later in training."""
    source = np.random.default_rng(0)
    points = (
        CharPoint(
            char=point.char,
            x=signs[0] * ((point.y if swaps else point.x) + source.normal() * noise),
            y=signs[1] * ((point.x if swaps else point.y) + source.normal() * noise),
        )
        for point in mapped.points
    )
    shares = mapped.variance_shares
    return embeddings_mapped(points=tuple(points), variance_shares=shares[::-1] if swaps else shares)


@pytest.mark.parametrize(("swaps", "signs"), list(product((False, True), product((1, -1), repeat=2))))
def test_a_map_does_not_jump_when_axes_change_sign_or_order(swaps: bool, signs: tuple[int, int]) -> None:
    before = embeddings_mapped(points=scattered(VOWELS + CONSONANTS))
    after = aligned(changed(before, swaps=swaps, signs=signs, noise=0.1), before)
    assert after.variance_shares == before.variance_shares
    moves = [abs(new.x - old.x) + abs(new.y - old.y) for new, old in zip(after.points, before.points, strict=True)]
    assert max(moves) < 1.0


def test_the_first_map_and_one_without_common_characters_are_not_changed() -> None:
    mapped = embeddings_mapped()
    assert aligned(mapped, None) == mapped
    assert aligned(mapped, embeddings_mapped(points=scattered("xyz"))) == mapped


def test_distances_on_the_grid_are_those_of_the_map() -> None:
    points = scattered("abcd", a=(-1.0, 0.0), b=(1.0, 0.0), c=(0.0, 1.0), d=(0.0, -1.0))
    for width, height in ((81, 21), (30, 40)):
        grid = {each.char: each for each in placed(points, width, height, cell_len)}
        across, down = grid["b"].column - grid["a"].column, grid["d"].row - grid["c"].row
        assert across == pytest.approx(CELL_ASPECT * down, abs=1)
        assert across == width - 1 or down == height - 1


def test_the_more_frequent_of_two_coinciding_characters_keeps_its_place_and_the_other_moves_beside_it() -> None:
    points = scattered("xeqw", x=(-1.0, -1.0), e=(0.5, 0.5), q=(0.5, 0.5), w=(1.0, 1.0))
    grid = {each.char: each for each in placed(points, 41, 21, cell_len)}
    alone = {each.char: each for each in placed(points[:2] + points[3:], 41, 21, cell_len)}
    assert grid["e"] == alone["e"]
    assert (abs(grid["q"].row - grid["e"].row), abs(grid["q"].column - grid["e"].column)) in {(0, 1), (1, 0)}


def test_no_two_characters_share_a_cell_however_small_the_map() -> None:
    points = scattered("".join(map(chr, range(33, 127))) + "漢字仮名")
    for width, height in ((40, 8), (10, 4), (2, 2), (1, 1)):
        found = placed(points, width, height, cell_len)
        cells = [(each.row, each.column + n) for each in found for n in range(cell_len(each.char))]
        assert len(cells) == len(set(cells))
        assert all(0 <= row < height and 0 <= column < width for row, column in cells)
        assert found[0].char == "!"


def test_all_points_in_one_place_are_printed_around_the_middle() -> None:
    points = tuple(CharPoint(char=char, x=0.5, y=0.5) for char in "abc")
    first, *_ = placed(points, 21, 11, cell_len)
    assert (first.row, first.column) == (5, 10)


def test_the_map_prints_each_character_as_itself_a_space_as_a_sign_and_names_the_classes() -> None:
    picture = plain(map_view.render(embeddings_mapped(), "", 80, 20, UNICODE))
    assert all(picture.count(char) for char in "␣ea7T")
    assert "ea vowels 2" in picture
    assert "T capitals 1" in picture
    assert "covered" not in picture


def test_characters_without_room_are_counted() -> None:
    points = tuple(CharPoint(char=chr(33 + number), x=0.0, y=0.0) for number in range(90))
    picture = map_view.render(embeddings_mapped(points=points), "", 40, 12, ASCII)
    printed = sum(not span.text.isspace() for line in picture[:-2] for span in line)
    assert picture[-2][0].text == f"{90 - printed} covered by others"


def test_a_selected_character_is_marked_and_its_nearest_are_listed() -> None:
    picture = map_view.render(embeddings_mapped(), "e", 80, 20, UNICODE)
    assert [span.text for line in picture for span in line if span.kind == "cursor"] == ["e"]
    assert "nearest to ‘e’ (1: mean): ‘a’ 0.12, a space 0.94, ‘T’ 1.06, ‘7’ 1.88" in plain(picture)
    unknown = map_view.render(embeddings_mapped(), "寿", 80, 20, UNICODE)
    assert "nearest" not in plain(unknown)


@pytest.mark.parametrize(("width", "height"), [(120, 40), (40, 8), (20, 4), (1, 1)])
def test_the_map_fits_its_size(width: int, height: int) -> None:
    mapped = embeddings_mapped(points=scattered("".join(map(chr, range(32, 127)))))
    for glyphs in (UNICODE, ASCII):
        picture = map_view.render(mapped, "e", width, height, glyphs)
        assert len(picture) <= height
        assert max(map(line_width, picture)) <= width


def test_a_low_screen_shows_characters_before_legends() -> None:
    mapped = embeddings_mapped(points=scattered(VOWELS + CONSONANTS + OTHERS))
    low = map_view.render(mapped, "e", 40, 5, ASCII)
    assert "nearest" not in plain(low)
    assert sum(len(span.text) for line in low[:4] for span in line if not span.text.isspace()) > 20
    assert sum(len(line) > 0 for line in low[:4]) == 4


def test_unsafe_and_invisible_characters_are_not_printed() -> None:
    picture = plain(map_view.render(embeddings_mapped(points=scattered("\x1b\u202e\u0301a")), "", 40, 12, UNICODE))
    assert not {"\x1b", "\u202e", "\u0301"} & set(picture)
    assert picture.count("�") >= 3


def test_the_sentence_says_that_vowels_lie_together_only_if_they_do() -> None:
    near = {char: (2.0 + number / 10, 2.0) for number, char in enumerate(VOWELS)}
    together = embeddings_mapped(
        points=scattered(VOWELS + CONSONANTS + OTHERS, **near), variance_shares=(0.2, 0.11, 0.1)
    )
    ratio = closeness_of_classes(together.points)[0].distance_ratio
    assert map_view.sentence(together) == (
        f"The vowels lie closer together than chance: mean distance {ratio:.1f} times that of all; "
        "the two directions hold 31 % of the variance"
    )
    digits = {char: (-3.0, -2.0 + number / 100) for number, char in enumerate("0123456789")}
    both = embeddings_mapped(points=scattered(VOWELS + CONSONANTS + OTHERS, **near, **digits))
    assert map_view.sentence(both).startswith("The digits and vowels lie closer together than chance: ")
    assert len(map_view.sentence(both)) <= 2 * 78
    apart = embeddings_mapped(points=scattered(VOWELS + CONSONANTS + OTHERS))
    assert map_view.sentence(apart).startswith("No class of characters lies closer together than chance; ")
    assert map_view.sentence(embeddings_mapped(points=())).startswith("No class")


@pytest.mark.parametrize(
    ("char", "expected"),
    [
        *(("a", "vowels"), ("é", "vowels"), ("z", "consonants"), ("ß", "consonants"), ("T", "capitals")),
        *(("7", "digits"), ("!", "punctuation"), ("+", "punctuation"), ("’", "punctuation")),
        *((" ", "other"), ("😀", "other"), ("漢", "other"), ("↵", "other")),
    ],
)
def test_characters_are_classed(char: str, expected: str) -> None:
    assert class_of(char) == expected
