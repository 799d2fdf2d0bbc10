"""Of a chat, the author is chosen before a new run starts on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Static

from engine.config.corpus import CorpusConfig
from engine.corpus.types import AuthorNeededError, ChatAuthor
from tests.fakes import FakeSession
from tests.tui.conftest import Stage, opened, screen_text, shows, wait_until
from tests.tui.screens.dialogs.open_dialog import SCRIPT, on_first, open_dialog, says, second_session
from tui.screens.dialogs.author import MAX_SHOWN, AuthorDialog
from tui.screens.dialogs.open import OpenDialog

AUTHORS = (ChatAuthor("user9", "Tom [/b] (user9): 20"), ChatAuthor("user7", "Mia (user7): 12"))
NEEDED = AuthorNeededError("second.csv is a chat.", "Set --author to your name or id.", AUTHORS)


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40)])
async def test_a_run_on_a_chat_starts_once_its_author_is_chosen(
    stage: Stage, folder: Path, size: tuple[int, int]
) -> None:
    stage.errors["second.csv"] = NEEDED
    app = stage.app(FakeSession(SCRIPT), further=[second_session()], config=on_first(folder))
    async with app.run_test(size=size) as pilot:
        await open_dialog(app, pilot)
        await pilot.press("down", "enter")
        await opened(app, AuthorDialog)
        await shows(app, "Whose messages of second.csv?", "Tom [/b] (user9): 20", "Mia (user7): 12")
        del stage.errors["second.csv"]
        await pilot.press("down", "enter")
        await opened(app, OpenDialog)
        await says(app, "second.csv can be used; enter saves the run")
        await pilot.press("enter")
        await shows(app, "second to none")
        chat = CorpusConfig(files=(str(folder / "second.csv"),), author="user7")
        assert app.bridge.config.corpus == stage.checked[-1].corpus == chat


async def test_without_a_choice_the_error_stays_and_other_tweets_can_be_chosen(stage: Stage, folder: Path) -> None:
    stage.errors["second.csv"] = NEEDED
    app = stage.app(FakeSession(SCRIPT), further=[second_session()], config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_dialog(app, pilot)
        await pilot.press("down", "enter")
        await opened(app, AuthorDialog)
        await pilot.press("escape")
        await opened(app, OpenDialog)
        await says(app, "second.csv is a chat. Set --author to your name or id. An option follows the path:")
        await pilot.press("down", "enter")
        await says(app, "third tweets.txt can be used")
        assert [config.corpus.author for config in stage.checked if config.corpus] == [None, None]


async def test_the_authors_of_a_large_group_are_cut_and_the_others_counted(stage: Stage, folder: Path) -> None:
    many = [ChatAuthor(f"user{number}", f"name {number}: 1") for number in range(MAX_SHOWN + 3)]
    stage.errors["second.csv"] = AuthorNeededError("second.csv is a chat.", "", many)
    app = stage.app(FakeSession(SCRIPT), config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_dialog(app, pilot)
        await pilot.press("down", "enter")
        await opened(app, AuthorDialog)
        assert "3 others are not shown: --author" in str(app.screen.query_one("#hint", Static).render())
        await pilot.press("end")
        await wait_until(lambda: f"name {MAX_SHOWN - 1}: 1" in screen_text(app))
