"""Every word stands out from its background in every theme, and nothing is shown by a colour alone.

Without colours are people who see none, screens in grey and `NO_COLOR`: what means something else differs in its text,
in bold, italics or underlining, or is by a fifth lighter or darker.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np
import pytest
from rich.color import ColorSystem
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from textual.color import Color
from textual.theme import Theme
from textual.widgets import OptionList

from engine.protocol import events as e
from tests.fakes import FakeSession, eval_finished, steps_finished, tweet_sampled
from tests.tui import transcripts
from tests.tui.conftest import Running, Stage, drawn
from tests.tui.test_states import (
    PLAYS,
    PREVIEW,
    SCENES,
    Picture,
    _files,  # noqa: F401 - a fixture of every test
    opened,
    usual,
)
from tests.tui.transcripts import set_up
from tests.tui.widgets.plot.test_picture import Case, view_of
from tui.app.app import TweetgenApp
from tui.run.new_run import OverlayCurve
from tui.terminal import theme as themes
from tui.terminal.capabilities import GlyphSet
from tui.text.tweets import NOVELTY_GLYPHS
from tui.widgets.feed.columns import PIN_GLYPH, STEP_BITS
from tui.widgets.key_bar import KeyBar
from tui.widgets.plot.cells import STYLE_NAMES
from tui.widgets.plot.pane import PlotOptions

HIGH = {themes.HIGH_CONTRAST_THEME.name, themes.HIGH_CONTRAST_LIGHT_THEME.name}
NOVELTIES = itertools.cycle(sorted(NOVELTY_GLYPHS))
SCRIPT: tuple[e.Event, ...] = (
    steps_finished(1, [4.5 - 0.03 * step for step in range(80)]),
    eval_finished(40, 3.2, is_best=True),
    *(
        tweet_sampled("abcdef", step, char_bits=(0.0, *STEP_BITS, 9.0), novelty=novelty)
        for step, novelty in zip(range(81, 94), NOVELTIES, strict=False)
    ),
    tweet_sampled("old words", 94, novelty="near-copy", reached_eos=False),
)


def linear(color: Color) -> tuple[float, float, float]:
    """Return red, green and blue as light."""
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in color.normalized
    )
    return red, green, blue


def contrast(color: Color, other: Color) -> float:
    """Return the contrast ratio of WCAG 2.2."""
    low, high = sorted(
        sum(share * light for share, light in zip((0.2126, 0.7152, 0.0722), linear(each), strict=True))
        for each in (color, other)
    )
    return (high + 0.05) / (low + 0.05)


def pairs(app: TweetgenApp, selector: str) -> set[tuple[str, Style]]:
    """Return the words of a widget with their styles as drawn."""
    region = app.screen.query_one(selector).region
    strips = (strip.crop(region.x, region.right) for strip in drawn(app)[region.y : region.bottom])
    segments = (segment for strip in strips for segment in strip)
    return {(text, style) for text, style, _ in segments if style and any(char.isalnum() for char in text)}


def colours_of(style: Style) -> tuple[Color, Color]:
    """Return the two colours of a style as drawn."""
    assert style.color and style.bgcolor, style  # noqa: PT018 - one claim
    ink, paper = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
    return (paper, ink) if style.reverse else (ink, paper)


INKS = ("foreground", "text-muted", "text-disabled", "text-primary", "text-secondary", "text-accent")
TELLING_INKS = ("text-success", "text-warning", "text-error", "success", "warning", "error")


@pytest.mark.parametrize("theme", themes.OWN_THEMES, ids=lambda theme: theme.name)
def test_every_text_colour_contrasts_with_every_background(theme: Theme) -> None:
    least = 7.0 if theme.name in HIGH else 4.5
    variables = {**theme.to_color_system().generate(), **theme.variables}
    inks = {name: Color.parse(variables[name]) for name in (*INKS, *TELLING_INKS)}
    for paper in ("background", "surface", "panel"):
        ratios = {name: contrast(ink, Color.parse(variables[paper])) for name, ink in inks.items()}
        assert {name: ratio for name, ratio in ratios.items() if ratio < least} == {}, paper


STATES = (
    ("", "Panels", 20),  # with a pinned and a selected tweet
    ("c", "TweetFeed", 20),  # in surprise colours
    ("s", "#box", 2),  # what a dialog covers is dimmed on purpose
)
"""Keys, the widget to look at, and how many different words it has at least."""


async def test_every_word_of_screen_feed_and_dialog_stands_out_from_its_background_in_every_theme(stage: Stage) -> None:
    async with stage.running(FakeSession(SCRIPT), (120, 40)) as at:
        assert set(at.app.available_themes) == {theme.name for theme in themes.THEMES}
        await at.press("up", "up", "k", shows=("old words…", "best ◆", PIN_GLYPH, "step 93 selected"))
        for theme in themes.THEMES:
            at.app.theme = theme.name
            for keys, selector, at_least in STATES:
                await at.press(*keys)
                await at.settle()
                words = pairs(at.app, selector)
                least = 7.0 if theme.name in HIGH else 4.5
                ratios = {text: round(contrast(*colours_of(style)), 1) for text, style in words}
                assert len(words) > at_least
                assert {text: ratio for text, ratio in ratios.items() if ratio < least} == {}, theme.name
                if theme is themes.SIXTEEN_COLOURS_THEME:
                    assert {text for text, style in words if contrast(*in_16_colours(style)) < 4.5} == set()
            await at.press("escape", "c")


def in_16_colours(style: Style) -> list[Color]:
    """Return the two colours of a style as a terminal with 16 colours shows them."""
    numbers = [colour.rich_color.downgrade(ColorSystem.STANDARD) for colour in colours_of(style)]
    return [Color(*number.get_truecolor(DEFAULT_TERMINAL_THEME)) for number in numbers]


async def test_no_color_leaves_greys_of_the_same_contrast(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with stage.running(FakeSession(SCRIPT), (120, 40)) as at:
        for keys, selector, _ in STATES:
            await at.press(*keys)
            for text, style in pairs(at.app, selector):
                assert all(colour.r == colour.g == colour.b for colour in colours_of(style)), text
                assert contrast(*colours_of(style)) >= 4.5, text


# Colours through the eyes of those who lack one kind of cone, after Machado, Oliveira and Fernandes (2009), in full.
LACKING = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def seen_with(matrix: tuple[tuple[float, ...], ...], colour: str) -> tuple[float, float, float]:
    """Return a colour as such eyes see it, in CIE L*a*b*."""
    light = linear(Color.parse(colour))
    red, green, blue = (min(max(sum(map(float.__mul__, row, light)), 0.0), 1.0) for row in matrix)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    fx, fy, fz = (value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("lacking", LACKING)
def test_good_and_bad_look_different_to_colour_blind_eyes(lacking: str) -> None:
    theme = themes.COLOUR_BLIND_THEME
    seen = [seen_with(LACKING[lacking], colour or "") for colour in (theme.success, theme.warning, theme.error)]
    for one, other in itertools.combinations(seen, 2):
        assert math.dist(one, other) > 25  # 2.3 is a difference that can just be seen


DISABLED = 3.0
"""Of keys that can't act: WCAG asks for no contrast, but they can be read."""


def words_of(at: Running) -> set[tuple[str, Style]]:
    """Return the words of the screen or the dialog on top with their styles as drawn."""
    box = at.app.screen.query("#box")
    region = box.first().region if box else at.app.screen.region
    lines = drawn(at.app, is_whole=False)[region.y : region.bottom]
    segments = itertools.chain(*(line.crop(region.x, region.right) for line in lines))
    return {(text.strip(), style) for text, style, _ in segments if style and any(map(str.isalnum, text))}


def too_faint(at: Running) -> dict[str, float]:
    """Return the words that stand out too little, with their ratios."""
    off = {bar.style_of("off").color for bar in at.app.screen.query(KeyBar)}
    least = 7.0 if at.app.theme in HIGH else 4.5
    ratios = {(text, style): contrast(*colours_of(style)) for text, style in words_of(at)}
    is_off = {key: key[1].color in off and not key[1].bold for key in ratios}
    return {key[0]: round(ratio, 2) for key, ratio in ratios.items() if ratio < (DISABLED if is_off[key] else least)}


COMPARED = (themes.TWEETGEN_THEME.name, "rose-pine")
"""One of our themes, and one of Textual's, whose variables differ where ours are equal."""
SEEN: set[tuple[str, Color, Color]] = set()
"""The pairs of colours, by theme, that a recorded state had; each is looked at in all themes once."""


@pytest.mark.ci
@pytest.mark.parametrize("claim", PLAYS)
async def test_every_word_of_every_recorded_state_stands_out_in_every_theme(stage: Stage, claim: str) -> None:
    stage.previews["second.csv"] = PREVIEW

    async def look_in(at: Running, name: str) -> set[tuple[str, Color, Color]]:
        at.app.theme = name
        await at.settle()
        assert too_faint(at) == {}, f"{step.name}, {name}"
        return {(name, *colours_of(style)) for _, style in words_of(at)}

    async with opened(stage, set_up(SCENES, claim, usual)()) as at:
        for step in PLAYS[claim]:
            if not isinstance(step, Picture):
                await transcripts.take(at, step)
                continue
            before = at.app.theme
            found = set().union(*[await look_in(at, name) for name in COMPARED])
            if not found <= SEEN:
                for theme in themes.THEMES:
                    await look_in(at, theme.name)
            SEEN.update(found)
            at.app.theme = before


# Without colours ------------------------------------------------------------------------------------------------------

Look = tuple[str, tuple[bool, ...], float]
"""What is seen without colours: text, bold, italics and underlining, and how light it is."""


def look_of(text: str, style: Style) -> Look:
    ink, paper = colours_of(style)
    seen = paper if text.isspace() else ink
    return text, (bool(style.bold), bool(style.italic), bool(style.underline)), contrast(seen, Color(0, 0, 0))


def differ(one: Look, other: Look) -> bool:
    low, high = sorted((one[2], other[2]))
    return one[:2] != other[:2] or high / low >= 1.2


def lookalikes(looks: Iterable[Look]) -> list[tuple[Look, Look]]:
    return [pair for pair in itertools.combinations(looks, 2) if not differ(*pair)]


async def test_the_steps_of_surprise_look_different_without_colours_in_every_theme(stage: Stage) -> None:
    async with stage.running(FakeSession(SCRIPT), (120, 40)) as at:
        await at.press("c", shows="likely")
        for theme in themes.THEMES:
            at.app.theme = theme.name
            await at.settle()
            rule = at.app.screen.query_one("PanelRule").region
            row = [(text, style) for text, style, _ in drawn(at.app)[rule.y] if style]
            steps = [look_of("a", style) for text, style in row if set(text) == {"a"}]
            assert len(steps) == len(STEP_BITS) + 1, theme.name
            assert lookalikes(steps) == [], theme.name


@pytest.mark.parametrize("glyphs", ["braille", "block", "ascii"])
def test_the_curves_of_the_plot_have_shapes_of_their_own(glyphs: GlyphSet) -> None:
    """In a flat part of each: the dots of each cell, counted, or its glyph."""
    high_then_low, flat = [3.0] * 4000 + [1.9] * 1000, [2.0] * 5000
    views = {
        "line": (view_of(flat), None),
        "overlay": (view_of(high_then_low), OverlayCurve("other", view_of(flat).train_losses)),
        "validation": (view_of(high_then_low, *[2.0 / math.log(2)] * 80), None),
    }
    shapes = set()
    for name, (view, overlay) in views.items():
        cells, _ = Case(view=view, options=PlotOptions(glyph_set=glyphs, overlay=overlay), size=(100, 10)).draw()
        is_own = (cells.styles == STYLE_NAMES.index(name))[1:-2, 10:40]
        row = int(is_own.sum(axis=1).argmax())
        chars = np.where(is_own, cells.chars[1:-2, 10:40], ord(" "))[row].tolist()
        shapes.add("".join(str((char & 255).bit_count()) if char > 0x2800 else chr(char) for char in chars))
    assert len(shapes - {" " * 30}) == len(views), shapes


async def test_the_entry_under_the_cursor_of_a_list_differs_from_the_others_without_colours(stage: Stage) -> None:
    def entries(at: Running) -> list[list[tuple[str, bool | None]]]:
        region = at.app.screen.query_one(OptionList).region
        lines = (line.crop(region.x, region.right) for line in drawn(at.app)[region.y : region.bottom])
        return [[(text, style.bold if style else None) for text, style, _ in line] for line in lines]

    async with opened(stage, SCENES["checkpoints"]()) as at:
        for keys in ("/", ",", "l", "o", "ctrl+p"):
            await at.press(keys)
            before = entries(at)
            await at.press("down")
            changed = [
                number for number, pair in enumerate(zip(before, entries(at), strict=True)) if pair[0] != pair[1]
            ]
            assert len(changed) >= 2, f"{keys}: the one that had the cursor, and the one that has it"
            await at.press("escape")
