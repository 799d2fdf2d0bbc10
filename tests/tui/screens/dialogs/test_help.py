"""The help: a glossary and all keys, searched by typing."""

from __future__ import annotations

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.command import CommandPalette
from textual.events import Paste
from textual.screen import Screen

from tests.tui.conftest import Stage, text_of
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


def test_words_find_entries_by_the_beginnings_of_their_words_in_any_order_and_no_word_finds_all() -> None:
    assert terms("Temperature LADDER") == ["t", "t"]
    assert terms("ladder temp") == terms("temperature ladder")
    assert terms("overfit") == ["validation"]
    assert "x" in terms("x-ray"), "by the title of the action"
    assert "^p" in terms("ctrl+p"), "by Textual's name of the key"
    assert terms("emperature") == []
    assert set(terms("list of checkpoints")) >= {entry.term for entry in KEYS["In the list of checkpoints"]}
    assert found(KEYS, " ") == KEYS


async def test_typed_and_pasted_characters_search_none_of_them_acts_and_the_palette_over_it_finds_actions(
    stage: Stage,
) -> None:
    async with stage.running() as at:
        await at.press("?", opens=HelpScreen, shows=("type a key or a word", "Words", "loss"))
        await at.press(*"quit", shows=("› quit", "1 found", "The program"), lacks="bits/char")
        await at.press("backspace", "backspace", "space", "z", shows=("› qu z", "nothing found"))
        await at.press("escape", shows=("type a key or a word", "bits/char"))
        at.app.post_message(Paste("pinned\nonly"))
        await at.press(shows=("› pinned", "Show only pinned tweets"))
        await at.press("escape", "ctrl+p", opens=CommandPalette)
        await at.type_into("ladder", shows=("Temperature ladder", "Sample one tweet at each of seven temperatures"))
        await at.press("escape", opens=HelpScreen)
        await at.press("escape", opens=MainScreen)
        assert at.session.received == []


async def test_the_help_fits_at_every_size_and_a_wide_one_has_two_columns(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    async with stage.running() as at:
        for size in ((40, 12), (80, 24), (120, 40), (200, 60)):
            await at.pilot.resize_terminal(*size)
            await at.press("?", opens=HelpScreen, shows="Words")
            text = at.app.screen.query_one(HelpText)
            if size in {(40, 12), (200, 60)}:
                assert text_of(at.app) == snapshot(name=f"{size[0]}x{size[1]}")
            width = text.scrollable_content_region.width
            for y in range(text.virtual_size.height):
                text.scroll_to(y=y, animate=False, immediate=True)
                assert text.render_line(0).crop(0, width).text.strip() == text.render_line(0).text.strip()
            await at.press("escape", opens=MainScreen)


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
    async with stage.running() as at:
        await at.press(shows="hello there")
        await at.press(keys, opens=dialog)
        await at.press("?", opens=HelpScreen)
        text = at.app.screen.query_one(HelpText)
        assert list(text.glossary) == [heading, *WORDS]
        assert list(text.keys) == [each for each in KEYS if each != heading]
        await at.press("?", opens=dialog)
