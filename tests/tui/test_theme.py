"""Every theme can be read: by contrast, with colour-blind eyes, in 16 colours, and without colour."""

from __future__ import annotations

import itertools

import pytest
from rich.color import ColorSystem
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from textual.color import Color
from textual.theme import Theme

from tests.fakes import FakeSession, eval_finished, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, drawn
from tui.app.app import TweetgenApp
from tui.settings.theme import (
    COLOUR_BLIND_THEME,
    HIGH_CONTRAST_LIGHT_THEME,
    HIGH_CONTRAST_THEME,
    NOVELTY_GLYPHS,
    OWN_THEMES,
    SIXTEEN_COLOURS_THEME,
    THEMES,
)
from tui.widgets.feed.layout import PIN_GLYPH
from tui.widgets.feed.surprise import STEP_BITS

HIGH = {HIGH_CONTRAST_THEME.name, HIGH_CONTRAST_LIGHT_THEME.name}
NOVELTIES = itertools.cycle(sorted(NOVELTY_GLYPHS))
SCRIPT = (
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


Pair = tuple[str, Style]


def pairs(app: TweetgenApp, selector: str) -> set[Pair]:
    """Return the words of a widget with their styles as drawn."""
    region = app.screen.query_one(selector).region
    strips = drawn(app)[region.y : region.bottom]
    return {
        (text, style)
        for strip in strips
        for text, style, _ in strip.crop(region.x, region.right)
        if style is not None and any(char.isalnum() for char in text)
    }


def colours_of(style: Style) -> tuple[Color, Color]:
    """Return the two colours of a style as drawn."""
    assert style.color is not None
    assert style.bgcolor is not None
    ink, paper = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
    return (paper, ink) if style.reverse else (ink, paper)


INKS = ("foreground", "text-muted", "text-disabled", "text-primary", "text-secondary", "text-accent")
TELLING_INKS = ("text-success", "text-warning", "text-error", "success", "warning", "error")


@pytest.mark.parametrize("theme", OWN_THEMES, ids=lambda theme: theme.name)
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
        assert set(at.app.available_themes) == {theme.name for theme in THEMES}
        await at.press("up", "up", "k", shows=("old words…", "best ◆", PIN_GLYPH, "step 93 selected"))
        for theme in THEMES:
            at.app.theme = theme.name
            for keys, selector, at_least in STATES:
                await at.press(*keys)
                await at.settle()
                words = pairs(at.app, selector)
                least = 7.0 if theme.name in HIGH else 4.5
                ratios = {text: round(contrast(*colours_of(style)), 1) for text, style in words}
                assert len(words) > at_least
                assert {text: ratio for text, ratio in ratios.items() if ratio < least} == {}, theme.name
                if theme is SIXTEEN_COLOURS_THEME:
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
    theme = COLOUR_BLIND_THEME
    assert theme.success
    assert theme.warning
    assert theme.error
    seen = [seen_with(LACKING[lacking], colour) for colour in (theme.success, theme.warning, theme.error)]
    for one, other in itertools.combinations(seen, 2):
        distance = sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5
        assert distance > 25  # 2.3 is a difference that can just be seen
