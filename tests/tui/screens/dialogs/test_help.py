"""The help: a glossary and all keys, searched by typing."""

from __future__ import annotations

import pytest
from textual.command import CommandPalette, DiscoveryHit
from textual.events import Paste
from textual.screen import Screen

from tests.fakes import FakeSession, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, opened, screen_text, shows, wait_until
from tui.screens.command_palette import KeyCommands
from tui.screens.dialogs.checkpoint_browser import CheckpointBrowser
from tui.screens.dialogs.glossary import glossary
from tui.screens.dialogs.help import HelpScreen, key_entries
from tui.screens.dialogs.ladder import LadderDialog
from tui.screens.dialogs.tweet import TweetDialog
from tui.screens.main.screen import MainScreen
from tui.settings.key_table import KEY_TABLE
from tui.widgets.help_search import found
from tui.widgets.help_text import HelpText
from tui.widgets.plot.glyphs import PLOT_GLYPHS

SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3))
KEYS = {heading: key_entries(keys) for heading, keys in KEY_TABLE.items()}
WORDS = glossary(PLOT_GLYPHS["braille"])


def terms(query: str) -> list[str]:
    return [
        entry.term for entries in (*found(WORDS, query).values(), *found(KEYS, query).values()) for entry in entries
    ]


def test_a_single_character_finds_that_key_in_each_place_that_has_it() -> None:
    assert {heading: [entry.term for entry in entries] for heading, entries in found(KEYS, "k").items()} == {
        "Read and keep tweets": ["k"],
        "In an open tweet": ["k"],
        "In the list of checkpoints": ["k"],
    }
    assert terms("K") == ["K"]
    assert set(terms("↑")) == {"↑", "↑ ↓", "↑ or wheel"}


def test_words_find_entries_by_the_beginnings_of_their_words_in_any_order() -> None:
    assert terms("Temperature LADDER") == ["t", "t"]
    assert terms("ladder temp") == terms("temperature ladder")
    assert terms("overfit") == ["validation"]
    assert "x" in terms("x-ray"), "by the title of the action"
    assert "^p" in terms("ctrl+p"), "by Textual's name of the key"
    assert terms("emperature") == []
    assert set(terms("list of checkpoints")) >= {entry.term for entry in KEYS["In the list of checkpoints"]}


def test_an_empty_search_finds_everything() -> None:
    assert found(KEYS, " ") == KEYS


async def test_typed_and_pasted_characters_search_and_none_of_them_acts(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, "hello there")
        await pilot.press("?")
        await opened(app, HelpScreen)
        await shows(app, "type a key or a word", "Words", "loss")
        await pilot.press(*"quit")
        await shows(app, "› quit", "1 found", "The program")
        await wait_until(lambda: "bits/char" not in screen_text(app), "only what matches")
        await pilot.press("backspace", "backspace", "space", "z")
        await shows(app, "› qu z", "nothing found")
        await pilot.press("escape")
        await shows(app, "type a key or a word", "bits/char")
        app.post_message(Paste("pinned\nonly"))
        await shows(app, "› pinned", "Show only pinned tweets")
        await pilot.press("escape", "escape")
        await opened(app, MainScreen)
        assert session.received == []


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40), (200, 60)])
async def test_every_line_of_the_help_fits_at_every_size(stage: Stage, size: tuple[int, int]) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=size) as pilot:
        await shows(app, "hello there")
        await pilot.press("?")
        await opened(app, HelpScreen)
        await shows(app, "Words")
        assert ("Train" in screen_text(app)) == (size == (200, 60)), "two columns"
        text = app.screen.query_one(HelpText)
        width = text.scrollable_content_region.width
        for y in range(text.virtual_size.height):
            text.scroll_to(y=y, animate=False, immediate=True)
            assert text.render_line(0).crop(0, width).text.strip() == text.render_line(0).text.strip()


async def test_the_palette_over_the_help_finds_the_actions_of_the_main_screen(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, "hello there")
        await pilot.press("?")
        await opened(app, HelpScreen)
        await pilot.press("ctrl+p")
        await opened(app, CommandPalette)
        await pilot.press(*"ladder")
        await shows(app, "Temperature ladder", "Sample one tweet at each of seven temperatures")


@pytest.mark.parametrize(
    ("keys", "dialog", "heading"),
    [
        ("enter", TweetDialog, "In an open tweet"),
        ("l", CheckpointBrowser, "In the list of checkpoints"),
        ("t", LadderDialog, "In the other dialogs"),
    ],
)
async def test_in_a_dialog_the_help_begins_with_its_keys(
    stage: Stage, keys: str, dialog: type[Screen[object]], heading: str
) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, "hello there")
        await pilot.press(keys)
        await opened(app, dialog)
        await pilot.press("?")
        await opened(app, HelpScreen)
        text = app.screen.query_one(HelpText)
        assert list(text.glossary) == [heading, *WORDS]
        assert list(text.keys) == [each for each in KEYS if each != heading]
        await pilot.press("?")
        await opened(app, dialog)


async def test_the_palette_and_the_help_have_the_same_keys_and_sentences(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)):
        await shows(app, "hello there")
        shown = {(entry.term, entry.sentence) for entries in KEYS.values() for entry in entries}
        hits = [hit async for hit in KeyCommands(app.screen).discover() if isinstance(hit, DiscoveryHit)]
        for hit in hits:
            title, _, key = str(hit.display).removesuffix(")").partition(" (")
            assert (key or f"^p {title}", hit.help) in shown
