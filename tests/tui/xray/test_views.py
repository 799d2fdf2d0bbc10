"""The five views and the batch: recorded at named sizes and in both glyph sets, and what holds for every text and size.

A recorded text has the strip with the values of the view and their legend, the view itself, and its sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from math import log
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from syrupy.assertion import SnapshotAssertion

from engine.model.vocab import EOS, UNK, UNKNOWN_CHAR_BITS
from engine.protocol import events as e
from engine.protocol import insight
from engine.session import questions as questions_module
from tests import fakes, hostile
from tests.fakes import batch_shown, chars_read, embeddings_mapped, text_traced, unit_held, units_scored
from tests.strategies import hostile_text
from tui.text.cells import num_cells, plain
from tui.xray import batch, units
from tui.xray.drawing import ASCII, UNICODE, Glyphs, Picture
from tui.xray.gates import GATE_NAMES
from tui.xray.state import Answers, Shown, ViewName, XrayState
from tui.xray.text_strip import TextStrip
from tui.xray.views import VIEWS

HI = "hi @anna"
"""The text beside the answers about units and embeddings."""


def shown(view: ViewName, events: Any, cursor: int, glyphs: Glyphs = UNICODE, **choices: Any) -> Shown:
    """Return what a view shows of answers, and of one with own draws from where these begin."""
    answers, texts = Answers(), list[str]()
    for event in events if isinstance(events, tuple) else (events,):
        command: dict[str, Any] = {"text": event.text} if hasattr(event, "text") else {}
        texts += command.values()
        if isinstance(event, insight.TextTraced) and event.own is not None:
            command["own_from"] = choices["own_from"] = event.own.first
        if isinstance(event, insight.ReachMeasured):
            command["position"] = event.position
        if isinstance(event, insight.UnitHeld):
            command |= {"layer": event.layer, "unit": event.unit}
        answers.add(event.question(**command), event)
    state = XrayState(choices.pop("text", (texts or [HI])[0]), cursor, view, **choices)
    found = VIEWS[view].show(state, answers, glyphs)
    assert found is not None
    return found


def text_of(view: ViewName, events: Any, cursor: int, size: str, glyphs: Glyphs = UNICODE, **choices: Any) -> str:
    """Return the text with what a view shows along it, its picture and its sentence."""
    width, height = map(int, size.split("x"))
    found = shown(view, events, cursor, glyphs, **choices)
    text = getattr(events, "text", HI)
    legend = () if found.shades is None else (found.shades.legend(glyphs),)
    picture = (*TextStrip(text, width, glyphs).picture(cursor, 2, found.shades), *legend, *found.render(width, height))
    return f"{plain(picture)}\n{found.sentence}"


def case(about: str, view: ViewName, events: Any, cursor: int, size: str, *glyphs: Glyphs, **choices: Any) -> Any:
    """Return a case for `text_of`."""
    return pytest.param(partial(text_of, view, events, cursor, size, *glyphs, **choices), id=f"{about}, {size}")


LIKELIEST = tuple(e.CharChance(char=char, probability=0.5 / 2**rank) for rank, char in enumerate("i aeostn"))


def traced(text: str = "sing it", own_from: int | None = None, **changes: Any) -> insight.TextTraced:
    """Return a trace with eight most probable characters everywhere, "i" first."""
    event = text_traced(text, own_from, **changes)
    return replace(event, chars=tuple(replace(read, likeliest=LIKELIEST) for read in event.chars))


def costing(event: insight.TextTraced, *bits: float) -> insight.TextTraced:
    """Return a trace whose characters cost so many bits, with the surcharge of those that are unknown."""
    pairs = zip(event.chars, (*event.token_ids[1:], EOS), bits, strict=True)
    chars = tuple(replace(read, bits=cost + UNKNOWN_CHAR_BITS * (each == UNK)) for read, each, cost in pairs)
    loss = sum(bits) / len(bits) * log(2)
    return replace(event, chars=chars, stepwise_loss=loss, sequence_loss=loss)


def drawing(own: str, first: int = 1, *, reached_eos: bool = True) -> insight.TextTraced:
    """Return the trace of "abc" beside these own draws."""
    draw = insight.OwnDraw(first=first, text=own, reached_eos=reached_eos, chars=chars_read(own), hidden_bands=())
    return replace(traced("abc"), own=draw)


def with_gates(cursor: int, **figures: float) -> insight.TextTraced:
    """Return a trace in which the gates differ at the cursor."""
    gates = list(text_traced("good morning").gates)
    gates[cursor] = replace(gates[cursor], **figures)
    return text_traced("good morning", gates=tuple(gates))


def overwriting(share: float) -> insight.TextTraced:
    """Return a trace in which the gates overwrite this share of the state at the first character."""
    return with_gates(1, overwritten_share=share)


def measured(*scores: float, text: str = "hi @anna how", **changes: object) -> insight.ReachMeasured:
    return fakes.reach_measured(text, len(scores) - 1, scores=scores, **changes)


def likely(**chances: float) -> tuple[e.CharRead, ...]:
    """Return the same prediction of "e", which gets 1 bit, at every place of `HI`."""
    likeliest = tuple(e.CharChance(char=char, probability=chance) for char, chance in chances.items())
    return (e.CharRead(char="e", bits=1.0, likeliest=likeliest),) * (len(HI) + 1)


Events = tuple[insight.InsightEvent, ...]
FREE = likely(a=0.4, b=0.1)


def selected(unit: int, value: float | None = None, held: tuple[e.CharRead, ...] | None = None) -> Events:
    """Return the answers on a unit, free or held, and the predictions without it held."""
    chars = likely(a=0.1, c=0.2) if held is None else held
    free = replace(text_traced(HI), chars=FREE)
    return SCORED, unit_held(HI, unit, value, chars=chars), free


def crowded(unit: int, highest: float) -> Events:
    """Return eight units of one concept, of which one is selected."""
    row = (
        insight.UnitScore(layer=0, unit=20 + n, concept="vowel next", correlation=highest - n / 20) for n in range(8)
    )
    return units_scored(units=tuple(row)), unit_held(HI, unit)


def spread(chars: str, **places: tuple[float, float]) -> tuple[insight.CharPoint, ...]:
    """Return characters far from their neighbours in `chars`, those of `places` at theirs."""
    found = (places.get(char, (2.4 * number % 3.1, 2.4 * number % 1.7)) for number, char in enumerate(chars))
    return tuple(insight.CharPoint(char=char, x=x, y=y) for char, (x, y) in zip(chars, found, strict=True))


SING, OWN, MORNING = traced(), traced(own_from=3), text_traced("good morning")
UNKNOWN = costing(text_traced("aß", token_ids=(1, 4, UNK)), 2, 4, 6)
UNENDED, CUT_OFF = drawing("abcd", reached_eos=False), drawing("ab", reached_eos=False)
RARE = replace(SING, chars=(e.CharRead(char="g", bits=6.0, likeliest=LIKELIEST),) * 8)
LONG = text_traced("abcdefghijklmnopqrstuvwxyz" * 4)
BANDS = text_traced("ab", candidate_bands=((0.0, 0.2), (-0.1, 0.1), (-0.2, 0.0)))
STILL = text_traced("", gates=(replace(MORNING.gates[0], hidden_change=0.0),))
SCORES = measured(0.0, 0.5, -1.0, 0.0, 2.0)
UNITS = (
    insight.UnitScore(layer=0, unit=3, concept="after a space", correlation=-0.62),
    insight.UnitScore(layer=0, unit=87, concept="in an @name", correlation=0.81),
    insight.UnitScore(layer=0, unit=12, concept="in an @name", correlation=-0.6),
    insight.UnitScore(layer=0, unit=87, concept="in a link", correlation=0.21),
    insight.UnitScore(layer=0, unit=5, concept="in a link", correlation=-0.11),
)
SCORED = units_scored(units=UNITS)
ONE_TWEET = replace(SCORED, num_tweets=1, num_chars=84)
DEEP = units_scored(units=(*UNITS, insight.UnitScore(layer=1, unit=9, concept="vowel next", correlation=0.9)))
DIGITS = {char: (-3.0, -2.0 + number / 100) for number, char in enumerate("0123456789")}
VOWELS = {char: (2.0 + number / 10, 2.0) for number, char in enumerate("aeiou")}
CHARS = "aeioubcdfghjklmnpqrstABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?"
ALL = embeddings_mapped(points=spread(CHARS))
HIDDEN = embeddings_mapped(points=tuple(insight.CharPoint(char=chr(33 + number), x=0.0, y=0.0) for number in range(90)))


@pytest.mark.parametrize(
    "draw",
    [
        case("step", "step", SING, 1, "80x20"),
        case("step at the start, all eight bars", "step", SING, 0, "40x24"),
        case("step, the most important lines", "step", SING, 3, "40x9"),
        case("step, a true character that is none of the likeliest", "step", RARE, 1, "40x4"),
        case("step, the mean without the surcharge of unknown characters", "step", UNKNOWN, 1, "40x16"),
        case("step at the end, the mean of the text", "step", costing(text_traced("ab"), 1, 2, 6), 2, "80x8"),
        case("step of 2 layers in ASCII", "step", replace(SING, num_layers=2), 7, "80x16", ASCII),
        case(
            "step, losses that agree in fewer digits",
            "step",
            traced(stepwise_loss=1.529394, sequence_loss=1.529395),
            1,
            "80x12",
        ),
        case("step, losses that differ", "step", traced(stepwise_loss=1.732868, sequence_loss=1.732953), 1, "80x12"),
        case("own draws", "step", OWN, 2, "80x16"),
        case("own draws that have ended before the cursor", "step", drawing("a", 0), 3, "40x12"),
        case("gates, one for each height below 11", "gates", MORNING, 3, "40x8"),
        case("gates, averages beside", "gates", with_gates(3, update_mean=0.05, hidden_change=0.6), 4, "120x20"),
        case("gates, a share beside a long name", "gates", overwriting(0.996), 1, "120x8"),
        case("gates at the start of a long text", "gates", LONG, 0, "40x8"),
        case("gates in the middle of a long text", "gates", LONG, 50, "40x8"),
        case("gates, a wide character", "gates", text_traced("a漢b"), 3, "40x8"),
        case("gates, the candidate scaled by its largest band", "gates", BANDS, 1, "80x9", gate="candidate"),
        case("reach, strongest first", "reach", SCORES, 4, "40x7"),
        case("reach, shares within a distance", "reach", measured(0.0, 0.5, 0.0, 0.5, 1.0), 4, "80x7"),
        case("reach, a share of almost all", "reach", measured(0.001, *(0.0,) * 5, 1.0), 6, "80x9"),
        case("reach, no effect", "reach", measured(0.0, 0.0, 0.0), 2, "80x7"),
        case("units, none selected", "units", SCORED, 2, "80x16"),
        case("units, one is free", "units", selected(87), 2, "80x16"),
        case("units, the table beside", "units", selected(87), 2, "150x16"),
        case("units, one is held", "units", selected(87, 1.0), 2, "80x16"),
        case("units, no clear one", "units", selected(5), 2, "80x5"),
        case("units of two layers", "units", (DEEP, unit_held(HI, 9, layer=1)), 2, "80x16"),
        case("units over the trained tweet", "units", ONE_TWEET, 2, "80x2"),
        case("units, none scored", "units", units_scored(units=()), 2, "80x2"),
        case("units, the selected one of a full row", "units", crowded(21, 0.9), 2, "60x5"),
        case("units, the selected one takes the last place", "units", crowded(27, 0.9), 2, "60x5"),
        case("units, the best one where none is clear", "units", crowded(27, 0.2), 2, "80x5"),
        case("map, the nearest of the selected character", "map", embeddings_mapped(), 5, "80x12"),
        case("map of many characters", "map", ALL, 5, "80x20"),
        case("map, characters before legends", "map", ALL, 5, "40x5"),
        case("map, covered characters are counted, in ASCII", "map", HIDDEN, 0, "40x12", ASCII),
        case("map, unsafe characters", "map", embeddings_mapped(points=spread("\x1b\u202e\u0301a漢")), 0, "40x9"),
    ],
)
def test_a_view_is_drawn_as_recorded(draw: Callable[[], str], snapshot: SnapshotAssertion) -> None:
    assert draw() == snapshot


SENTENCES: dict[str, tuple[ViewName, int, tuple[Any, ...]]] = {
    "own draws": ("step", 0, (drawing("x", 0), *map(drawing, ("axc", "ab", "abc", "abcd")), UNENDED, CUT_OFF)),
    "gates of a text without characters": ("gates", 0, (STILL,)),
    "gates that overwrite more and more": ("gates", 1, tuple(map(overwriting, (0.0, 0.001, 0.025, 0.11, 0.41)))),
    "gates that mix": ("gates", 1, (with_gates(1, overwritten_share=0.0, kept_share=0.0),)),
    "reach, better without a character": ("reach", 1, (measured(0.3, -0.6),)),
    "reach of the end": ("reach", 2, (measured(0.0, 0.1, 0.9, text="hi"),)),
    "reach of a space": ("reach", 3, (measured(0.0, 0.0, 0.0, 1.0),)),
    "reach far back": ("reach", 7, (measured(0, 0, 0.1, 0, 1.8, 0.1, 0, 0),)),
    "units that hold": ("units", 2, (selected(87, -1.0, held=likely(z=0.9)), selected(87, 0.5, held=FREE))),
}


def test_sentences_are_as_recorded(snapshot: SnapshotAssertion) -> None:
    lines = []
    for about, (view, cursor, events) in SENTENCES.items():
        lines += [f"# {about}", *(shown(view, event, cursor).sentence for event in events)]
    for places in (VOWELS, VOWELS | DIGITS):
        mapped = embeddings_mapped(points=spread(CHARS, **places))
        lines += [f"# map, {len(places)} characters lie together", shown("map", mapped, 0).sentence]
    assert "\n".join(lines) == snapshot


def test_what_only_colours_show_and_the_order_in_which_units_are_selected() -> None:
    reach = shown("reach", SCORES, 4)
    assert reach.shades is not None
    assert reach.shades.values[:5] == (0.0, 0.25, -0.5, 0.0, 1.0), "the sign is the hue"
    assert [line[-1].style for line in reach.render(60, 3)[1:]] == ["bar", "bad"]
    spans = [span for line in shown("map", ALL, HI.index("a") + 1).render(80, 20) for span in line]
    assert [span.text for span in spans if span.style == "cursor"] == ["a"]
    select, answers, state = units.VIEW.select, Answers(), XrayState(view="units")
    assert select is not None
    for scored, expected in ((units_scored(units=()), [None]), (SCORED, [(0, 87), (0, 12), (0, 3), (0, 5), (0, 5)])):
        answers.add(insight.ScoreUnits(), scored)
        selected_units = []
        for step in range(len(expected)):
            state = select(state, answers, min(step, 1))
            selected_units.append(state.unit)
        assert selected_units == expected


grid = partial(batch.batch_picture, glyphs=UNICODE)
TWO = batch_shown(("good morning", "hi"))
MANY = batch_shown((f"tweet number {number} " + "x" * number for number in range(40)), num_tweets=100)
CUT = batch_shown("x" * (batch.MAX_ROW_CHARS + extra) for extra in (0, 9))
WIDE, LACKING = "a漢b", "fewer characters than ids"
UNUSUAL = replace(
    batch_shown((WIDE, "a寿b", LACKING + "xxx")),
    rows=(
        insight.BatchRow(text=WIDE, token_ids=(1, 4, 14, 5)),
        insight.BatchRow(text="a寿b", token_ids=(1, 4, UNK, 5)),
        insight.BatchRow(text=LACKING, token_ids=(1, *[4] * 28)),
    ),
)


@pytest.mark.parametrize(
    ("batch", "size", "options"),
    [
        pytest.param(TWO, (120, 12), {}, id="120x12: <BOS>, characters, <EOS>, padding; ids of the first"),
        pytest.param(TWO, (80, 40), {"selected": 1}, id="80x40: no empty lines; ids of the second"),
        pytest.param(TWO, (76, 12), {}, id="76x12: fewer words"),
        pytest.param(TWO, (40, 8), {}, id="40x8"),
        pytest.param(TWO, (80, 12), {"glyphs": ASCII}, id="80x12 in ASCII"),
        pytest.param(MANY, (80, 12), {"first_row": 30, "first_column": 6, "selected": 31}, id="80x12: scrolled"),
        pytest.param(MANY, (80, 6), {"first_column": 1000}, id="80x6: beyond the last column"),
        pytest.param(CUT, (80, 9), {"first_column": 260}, id="80x9: a tweet cut at the limit"),
        pytest.param(UNUSUAL, (80, 12), {}, id="80x12: wide, unknown and missing characters"),
    ],
)
def test_a_batch_is_drawn_as_recorded(
    batch: insight.BatchShown, size: tuple[int, int], options: dict[str, Any], snapshot: SnapshotAssertion
) -> None:
    assert plain(grid(batch, width=size[0], height=size[1], **options)) == snapshot


def test_a_row_is_cut_where_the_session_cuts_it_and_padding_is_darker_than_characters() -> None:
    assert batch.MAX_ROW_CHARS == questions_module.MAX_CHARS
    _, *spans = grid(TWO, width=80, height=12)[3]
    assert [(span.text, span.shade) for span in spans] == [
        *((text, batch.CHAR_SHADE) for text in ("▸", "hi", "■")),
        ("·" * 10, None),
    ]


def test_rows_of_the_grid_are_drawn_in_the_lines_that_are_named() -> None:
    tall = batch_shown(("good morning",) * 20)
    for width, height in product((40, 76, 100), (8, 12, 30)):
        lines = plain(grid(tall, width=width, height=height)).split("\n")
        with_rows = [y for y, line in enumerate(lines) if "▸good morning■" in line]
        assert with_rows == list(batch.grid_lines(tall, width, height))[:20]


def test_the_last_first_column_leaves_no_column_out_at_the_right_also_with_wide_characters() -> None:
    wide = batch_shown(("🥳" * 30, "x" * 40))
    for width in (20, 40, 60):
        first = batch.last_first_column(wide, width)
        ends = ["x■" in plain(grid(wide, width=width, height=12, first_column=first - n)) for n in (0, 1)]
        assert ends == [True, False], width


def test_the_explanation_names_every_glyph_of_the_grid(snapshot: SnapshotAssertion) -> None:
    assert "\n".join((*batch.explanation(UNICODE), "", *batch.explanation(ASCII))) == snapshot


def drawn(text: str, cursor: int, width: int, height: int, glyphs: Glyphs) -> Iterator[tuple[Picture, str]]:
    """Yield picture and sentence of every view of a text, in each variant, and the picture of a batch."""
    trace = text_traced(text)
    scored = units_scored(units=(replace(UNITS[0], concept=text or " "), *UNITS[1:]))
    points = tuple(
        insight.CharPoint(char=char, x=ord(char) % 7, y=ord(char) % 5) for char in dict.fromkeys(text or " ")
    )
    shown_by: tuple[tuple[ViewName, Any, dict[str, Any]], ...] = (
        ("step", trace, {}),
        ("step", text_traced(text, own_from=cursor), {}),
        *(("gates", trace, {"gate": gate}) for gate in (None, *GATE_NAMES)),
        *(("reach", fakes.reach_measured(text, cursor, method=method), {}) for method in ("occlusion", "gradient")),
        *(("units", (scored, unit_held(text, 3, value, tweets=(text, text)), trace), {}) for value in (None, 0.25)),
        ("map", embeddings_mapped(points=points), {"text": text}),
    )
    for view, events, choices in shown_by:
        found = shown(view, events, cursor, glyphs, **choices)
        yield found.render(width, height), found.sentence
    shown_batch = batch_shown((text, "another tweet"), num_tweets=100)
    place = {"first_row": cursor % 2, "first_column": cursor, "selected": cursor % 3}
    yield batch.batch_picture(shown_batch, width=width, height=height, glyphs=glyphs, **place), ""


@given(hostile_text(), st.integers(1, 160), st.integers(0, 40), st.sampled_from([UNICODE, ASCII]), st.data())
def test_pictures_fit_and_are_harmless(text: str, width: int, height: int, glyphs: Glyphs, data: st.DataObject) -> None:
    for picture, sentence in drawn(text, data.draw(st.integers(0, len(text))), width, height, glyphs):
        assert len(picture) <= height
        assert all(num_cells(line) <= width for line in picture)
        for line in (*plain(picture).split("\n"), sentence):
            assert hostile.obeyed(line) == []


def test_ascii_draws_ascii_only() -> None:
    for width, height in ((1, 1), (20, 4), (40, 12), (80, 24), (120, 40)):
        for cursor in range(len(HI) + 1):
            for picture, sentence in drawn(HI, cursor, width, height, ASCII):
                assert f"{plain(picture)}{sentence}".isascii()


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_every_shade_of_gates_and_states_has_the_glyph_of_its_value(glyphs: Glyphs) -> None:
    pictures = [(shown("step", OWN, 3, glyphs).render(80, 24), -1.0)]
    for gate in GATE_NAMES:
        low = -1.0 if gate == "candidate" else 0.0
        pictures.append((shown("gates", MORNING, 3, glyphs, gate=gate).render(80, 24), low))
    for picture, low in pictures:
        shaded = [span for line in picture for span in line if span.shade is not None]
        assert len(shaded) >= 12
        assert all(set(span.text) == {glyphs.level(span.shade, low)} for span in shaded if span.shade is not None)
