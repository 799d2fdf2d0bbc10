"""`config.toml`: invalid entries become defaults, foreign content is never lost; and every theme can be read."""

from __future__ import annotations

import itertools
import math
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.color import ColorSystem
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from syrupy.assertion import SnapshotAssertion
from textual.color import Color
from textual.theme import Theme

from engine.errors import ConfigError, StorageError
from engine.protocol import events as e
from tests.fakes import FakeSession, eval_finished, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, drawn
from tui.app.app import TweetgenApp
from tui.settings.preferences import Preferences, PreferencesStore, preferences_path, read_preferences, save_changes
from tui.terminal import theme as themes
from tui.text.tweets import NOVELTY_GLYPHS
from tui.widgets.feed.columns import PIN_GLYPH, STEP_BITS

FULL = Path(__file__).with_name("full_config.toml").read_text(encoding="utf-8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def read(path: Path, text: str) -> tuple[Preferences, tuple[str, ...]]:
    path.write_text(text, encoding="utf-8")
    return read_preferences(path)


def test_every_entry_of_a_full_file_is_used(path: Path) -> None:
    tables = tomllib.loads(FULL)
    fields = {"theme": tables["theme"], **tables["screen"], **tables["notices"], **tables["intervals"]}
    keys = {"pause": "z", "temperature_up": "greater_than_sign,f5"}
    preferences, problems = read(path, FULL)
    assert (preferences, problems) == (Preferences(**fields, keys=keys), ())
    assert preferences.intervals == tables["intervals"]
    defaults = Preferences()
    assert [name for name in vars(defaults) if getattr(preferences, name) == getattr(defaults, name)] == []


INVALID = Path(__file__).with_name("invalid_configs.txt").read_text(encoding="utf-8").strip().split("\n\n")


def test_an_invalid_entry_is_reported_with_file_key_and_valid_values(path: Path, snapshot: SnapshotAssertion) -> None:
    lines = []
    for text in (*INVALID, "[intervals]\neval_every = 0x" + 4000 * "f"):
        preferences, (problem,) = read(path, text)
        assert preferences == Preferences()
        assert problem.isprintable()
        lines += [f"# {text[:60]!r}", problem]
    assert "\n".join(lines) == snapshot


@pytest.mark.parametrize("content", [b"theme = ", b"\xff\xfe\x00", b"a" * 100, b"bell = true\r", None])
def test_a_file_that_is_not_toml_or_a_folder_is_reported_and_not_replaced(path: Path, content: bytes | None) -> None:
    path.mkdir() if content is None else path.write_bytes(content)
    preferences, (problem,) = read_preferences(path)
    assert preferences == Preferences()
    assert problem.startswith("config.toml can't be read: " if content is None else "config.toml is not valid TOML: ")
    with pytest.raises(ConfigError) as raised:
        save_changes(path, {"bell": True})
    assert "correct the file" in raised.value.hint
    assert content is None or path.read_bytes() == content


def test_the_config_file_is_in_tweetgen_home_or_else_in_the_config_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWEETGEN_HOME", "/tmp/elsewhere")
    assert preferences_path() == Path("/tmp/elsewhere/config.toml")
    monkeypatch.delenv("TWEETGEN_HOME")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/tmp/configs")
    assert preferences_path().parts[-2:] == ("tweetgen-tui", "config.toml")


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_saving_changes_one_entry_and_no_other_character(path: Path, line_end: str) -> None:
    own = (FULL + '\n[mine]\nnotes = "stay"\n').replace("\n", line_end).encode()
    path.write_bytes(own)
    save_changes(path, {"bell": True})
    assert path.read_bytes() == own.replace(b"bell = false", b"bell = true")


def test_saved_changes_are_read_and_a_restored_default_is_removed_from_the_file(path: Path) -> None:
    path.write_text("[screen]\nmouse = false")  # without a last line break
    save_changes(path, {"theme": "tweetgen", "eval_every": 7})
    assert read_preferences(path) == (Preferences(theme="tweetgen", mouse=False, eval_every=7), ())
    save_changes(path, {"theme": None, "bell": None, "eval_every": None})
    assert tomllib.loads(path.read_text()) == {"screen": {"mouse": False}, "intervals": {}, "notices": {}}


def test_a_value_in_place_of_a_table_is_not_overwritten(path: Path) -> None:
    for text in ("screen = 3\n", "[[screen]]\nx = 1\n"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="screen is not a table"):
            save_changes(path, {"mouse": False})
        assert path.read_text() == text


@pytest.mark.parametrize("is_there", [True, False])
def test_a_symlink_is_kept_even_if_its_target_does_not_exist(path: Path, tmp_path: Path, is_there: bool) -> None:
    target = tmp_path / "dotfiles.toml"
    if is_there:
        target.write_text("# kept elsewhere\n")
    path.symlink_to(target)
    save_changes(path, {"bell": False})
    assert path.is_symlink()
    assert tomllib.loads(target.read_text()) == {"notices": {"bell": False}}
    assert target.read_text().startswith("# kept elsewhere\n") is is_there


@pytest.mark.parametrize("folder", ["x" * 300, "file"], ids=["too long a name", "no folder"])
def test_an_unusable_folder_is_a_config_or_storage_error(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((ConfigError, StorageError)):
        save_changes(tmp_path / folder / "config.toml", {"bell": False})


def test_a_store_that_does_not_save_reads_the_file_and_applies_changes_but_writes_none(path: Path) -> None:
    path.write_text('theme = "dracula"\n', encoding="utf-8")
    store = PreferencesStore(path, saves=False)
    assert store.preferences.theme == "dracula"
    store.change({"theme": "tweetgen"})
    store.save()
    assert store.preferences.theme == "tweetgen"
    assert path.read_text(encoding="utf-8") == 'theme = "dracula"\n'


def test_changes_are_written_in_their_order_and_one_that_could_not_be_written_with_the_next(path: Path) -> None:
    store = PreferencesStore(path)
    for theme in ("tweetgen", "dracula", "tweetgen-light"):
        store.change({"theme": theme})
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: store.save(), range(3)))
    assert read_preferences(path)[0].theme == "tweetgen-light"
    path.write_text("theme = ")
    store.change({"bell": False})
    with pytest.raises(ConfigError):
        store.save()
    path.write_text("")
    store.change({"eval_every": 7})
    store.save()
    assert read_preferences(path)[0] == Preferences(bell=False, eval_every=7)


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
