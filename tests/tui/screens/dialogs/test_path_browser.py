"""The path line of the dialog for other tweets: typing, completion, folders, clicks and hostile names."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.tui.conftest import DEADLINE_SECONDS, Stage, opened, wait_until
from tests.tui.screens.dialogs.open_dialog import checked_names, has_no_worker, on_first, opening
from tui.files.folder_listing import FolderEntry
from tui.screens.dialogs import path_browser
from tui.screens.dialogs.open import OpenDialog
from tui.widgets.dialog_hints import DialogHints
from tui.widgets.input.file_list import FileList


async def test_keys_and_fast_typing_navigate_folders_and_open_only_highlighted_files(
    stage: Stage, folder: Path
) -> None:
    async with opening(stage, folder) as at:
        assert at.line == f"{folder}/"
        await at.press("a", "tab")
        await at.chooses("tweets.js")
        assert at.line == f"{folder}/archive/"
        for slash in ("", "/"):
            await at.press("up", "up", "enter")
            await at.chooses("first.csv")
            assert at.line == f"{folder}/"
            at.type_at_once(f"{folder}/archive{slash}", "enter")
            await at.chooses("tweets.js")
            assert at.line == f"{folder}/archive/"
        at.type_at_once(f"{folder}/archive/tw", "tab")
        await wait_until(lambda: at.line == f"{folder}/archive/tweets.js")
        at.type_at_once(f"{folder}/nothing/", "tab")
        await at.press(shows="No such file or directory")
        assert at.line == f"{folder}/nothing/"
        assert stage.checked == []
        at.type_at_once(f"{folder}/archive/tweets.js", "enter")
        await at.press(shows="tweets.js can be used;")
        at.type_at_once(f"{folder}/archive/")
        await at.press(lacks="can be used")
        assert at.line == f"{folder}/archive/"
        await at.press(".", "enter", shows="archive can be used;")
        assert checked_names(stage) == ["tweets.js", "archive"]


async def test_a_click_chooses_and_hostile_names_can_be_opened(stage: Stage, folder: Path) -> None:
    name = "a\x1b[31m[@click=app.bell]x[foo].csv"
    (folder / name).touch()
    async with opening(stage, folder, size=(120, 40)) as at:
        await at.press("up", shows=("second.csv", "a[@click=app.bell]x[foo].csv"))
        await at.chooses(name)
        await at.press("enter", shows="a[@click=app.bell]x[foo].csv can be used;")
        assert [config.corpus and config.corpus.files for config in stage.checked] == [(str(folder / name),)]
        await at.pilot.click(FileList, offset=(12, 5))
        await at.press(shows="second.csv can be used;")


async def test_a_folder_listed_while_the_dialog_closes_is_not_shown(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_be_read = threading.Event()

    def read_late(_: Path) -> list[FolderEntry]:
        assert may_be_read.wait(DEADLINE_SECONDS)
        return []

    async def go_late(hints: DialogHints) -> None:  # with the list; the dialog goes after them
        may_be_read.set()
        await has_no_worker(hints.screen)

    monkeypatch.setattr(path_browser, "list_folder", read_late)
    monkeypatch.setattr(DialogHints, "on_unmount", go_late, raising=False)
    async with stage.running(config=on_first(folder)) as at:
        await at.pilot.press("o")
        await opened(at.app, OpenDialog)
        dialog = at.app.screen
        await at.pilot.press("escape")
        await wait_until(lambda: may_be_read.is_set() and not dialog.is_attached and not dialog.is_running, "its end")
        assert at.app.failure is None
        assert at.app.is_running
