"""The path line of the dialog for other tweets: typing, completion, folders, clicks and hostile names."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.fakes import FakeSession
from tests.tui.conftest import DEADLINE_SECONDS, Stage, opened, screen_text, shows, wait_until
from tests.tui.screens.dialogs.open_dialog import (
    SCRIPT,
    checked_names,
    chosen,
    has_no_worker,
    line,
    on_first,
    open_dialog,
    says,
    started,
    type_at_once,
)
from tui.files.folder_listing import FolderEntry
from tui.screens.dialogs import path_browser
from tui.screens.dialogs.open import OpenDialog
from tui.widgets.dialog_hints import DialogHints
from tui.widgets.input.file_list import FileList


async def test_keys_and_fast_typing_navigate_folders_and_open_only_highlighted_files(
    stage: Stage, folder: Path
) -> None:
    app = stage.app(FakeSession(SCRIPT), config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_dialog(app, pilot)
        assert line(app) == f"{folder}/"
        await pilot.press("a", "tab")
        await wait_until(lambda: chosen(app) == "tweets.js")
        assert line(app) == f"{folder}/archive/"
        await pilot.press("up", "up", "enter")
        await wait_until(lambda: chosen(app) == "first.csv")
        assert line(app) == f"{folder}/"
        for slash in ("", "/"):
            type_at_once(app, f"{folder}/archive{slash}", "enter")
            await wait_until(lambda: chosen(app) == "tweets.js")
            assert line(app) == f"{folder}/archive/"
            await pilot.press("up", "up", "enter")
            await wait_until(lambda: chosen(app) == "first.csv")
        type_at_once(app, f"{folder}/archive/tw", "tab")
        await wait_until(lambda: line(app) == f"{folder}/archive/tweets.js")
        type_at_once(app, f"{folder}/nothing/", "tab")
        await shows(app, "No such file or directory")
        assert line(app) == f"{folder}/nothing/"
        assert stage.checked == []
        type_at_once(app, f"{folder}/archive/tweets.js", "enter")
        await says(app, "tweets.js can be used;")
        type_at_once(app, f"{folder}/archive/")
        await wait_until(lambda: line(app) == f"{folder}/archive/" and "can be used" not in screen_text(app))
        await pilot.press(".", "enter")
        await says(app, "archive can be used;")
        assert checked_names(stage) == ["tweets.js", "archive"]


async def test_a_click_chooses_and_hostile_names_are_shown_literally_and_can_be_opened(
    stage: Stage, folder: Path
) -> None:
    name = "a\x1b[31m[@click=app.bell]x[foo].csv"
    (folder / name).touch()
    app = stage.app(FakeSession(SCRIPT), config=on_first(folder))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_dialog(app, pilot)
        await shows(app, "second.csv", "a[@click=app.bell]x[foo].csv")
        await pilot.press("up")
        await wait_until(lambda: chosen(app) == name)
        await pilot.press("enter")
        await says(app, "a[@click=app.bell]x[foo].csv can be used;")
        assert [config.corpus and config.corpus.files for config in stage.checked] == [(str(folder / name),)]
        await pilot.click(FileList, offset=(12, 5))
        await says(app, "second.csv can be used;")


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
    app = stage.app(FakeSession(SCRIPT), config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await pilot.press("o")
        await opened(app, OpenDialog)
        dialog = app.screen
        await pilot.press("escape")
        await wait_until(lambda: may_be_read.is_set() and not dialog.is_attached and not dialog.is_running, "its end")
        assert app.failure is None
        assert app.is_running
