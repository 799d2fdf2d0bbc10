"""The keys of the feed on the main screen: pins saved with the run, exports, colours, opening."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input, Static

from engine.errors import StorageError
from engine.protocol.events import Event, TweetSampled, from_json
from engine.storage.folders import folder_of_run
from tests.fakes import FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, opened, screen_text, shows, toasted, wait_until
from tui.app.app import TweetgenApp
from tui.files.pins import PinsFile
from tui.screens.dialogs.base import MessageDialog
from tui.screens.dialogs.export import ExportDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.feed.layout import PIN_GLYPH

RUN = run_started().run
TWEETS = tuple(tweet_sampled(f"tweet number {number}", 10 * number, char_bits=(1.0,) * 15) for number in range(1, 6))
SCRIPT: tuple[Event, ...] = (steps_finished(1, [4.5, 4.2, 4.0]), *TWEETS)


async def started(app: TweetgenApp) -> MainScreen:
    """Wait until the script is on screen and the pins were read."""
    await wait_until(lambda: app.summary_view.num_tweets == len(TWEETS), "the script's end")
    await shows(app, TWEETS[-1].text)
    screen = app.screen
    assert isinstance(screen, MainScreen)
    await wait_until(lambda: not screen.workers._workers, "the reading of pins")
    return screen


def pins_of(run: str) -> list[str]:
    """Return the texts of the pins on disk."""
    path = folder_of_run(run).pins_path
    events = map(from_json, path.read_bytes().splitlines()) if path.exists() else ()
    return [event.text for event in events if isinstance(event, TweetSampled)]


async def test_k_pins_the_newest_or_the_selected_tweet_shift_k_shows_pins_only_and_c_colours(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await pilot.press("k")
        await wait_until(lambda: pins_of(RUN) == ["tweet number 5"], "the newest in the file")
        await pilot.press("up", "up", "up", "k")
        await wait_until(lambda: pins_of(RUN) == ["tweet number 3", "tweet number 5"], "the selected in the file")
        await wait_until(lambda: screen_text(app).count(PIN_GLYPH) == 2)
        await pilot.press("k")
        await wait_until(lambda: pins_of(RUN) == ["tweet number 5"], "one pin fewer")
        await wait_until(lambda: screen_text(app).count(PIN_GLYPH) == 1)
        await pilot.press("K")
        await shows(app, "pinned tweets only")
        assert "tweet number 4" not in screen_text(app)
        await pilot.press("e")
        await opened(app, ExportDialog)
        await shows(app, "● pinned tweets: 1", "○ tweets of the feed: 5")
        await pilot.click("#what")
        await shows(app, "○ pinned tweets: 1")
        await pilot.press("escape")
        await opened(app, MainScreen)
        await pilot.press("K")
        await shows(app, "tweet number 4")
        await pilot.press("end", "c")
        await shows(app, "surprising")
        await pilot.press("c")
        await wait_until(lambda: "surprising" not in screen_text(app))


async def test_pins_of_a_resumed_run_are_read_and_merged_with_new_ones(stage: Stage) -> None:
    gone = tweet_sampled("long thinned", 5)
    PinsFile(folder_of_run(RUN).pins_path).save((gone, TWEETS[1]), 1)
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await started(app)
        await shows(app, "long thinned")
        assert screen.pins_and_export.pins == (gone, TWEETS[1])
        assert screen_text(app).count(PIN_GLYPH) == 2
        await pilot.press("k")
        await wait_until(lambda: pins_of(RUN) == ["long thinned", "tweet number 2", "tweet number 5"])


async def test_pins_that_can_not_be_saved_are_reported_and_stay_on_the_screen(stage: Stage) -> None:
    folder_of_run(RUN).path.parent.mkdir(parents=True)
    folder_of_run(RUN).path.write_text("no folder")
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await started(app)
        await pilot.press("k")
        await opened(app, MessageDialog)
        await shows(app, StorageError.title)
        assert screen.pins_and_export.pins == (TWEETS[-1],)


async def test_a_run_with_an_invalid_name_writes_no_pins(stage: Stage, tmp_path: Path) -> None:
    app = stage.app(FakeSession(SCRIPT, run_started(run="../../elsewhere")))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, MessageDialog)
        await pilot.press("escape")
        await opened(app, MainScreen)
        await shows(app, "tweet number 5")
        await pilot.press("k")
        await wait_until(lambda: PIN_GLYPH in screen_text(app))
    assert not list(tmp_path.rglob("pins.jsonl"))
    assert not (tmp_path.parent / "elsewhere").exists()


async def test_e_exports_the_feed_or_the_pins(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(40, 12)) as pilot:
        screen = await started(app)
        await pilot.press("k", "e")
        await opened(app, ExportDialog)
        await shows(app, "tweets of the feed: 5", "pinned tweets: 1", "Export tweets")
        await pilot.press("enter")
        await wait_until(lambda: app.screen is screen, "the end of the dialog")
        path = tmp_path / f"{RUN}-tweets.txt"
        assert path.read_text().splitlines() == [event.text for event in TWEETS]
        await toasted(app, f"Wrote 5 tweets to {path}")
        await pilot.press("e")
        await opened(app, ExportDialog)
        app.screen.query_one(Input).value = str(tmp_path / "kept.jsonl")
        await pilot.press("tab", "enter")
        await wait_until(lambda: app.screen is screen, "the end of the dialog")
        assert from_json((tmp_path / "kept.jsonl").read_bytes()) == TWEETS[-1]


async def test_export_asks_before_it_replaces_a_file_and_reports_errors(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("precious")
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await started(app)
        await pilot.press("e")
        await opened(app, ExportDialog)
        hint = app.screen.query_one("#hint", Static)

        async def told(name: str, words: str) -> None:
            app.screen.query_one(Input).value = name
            await pilot.press("enter")
            await wait_until(lambda: words in " ".join(str(hint.render()).split()), words)

        await told("tweets.docx", "The name must end with one of .txt, .jsonl, .csv.")
        await told(str(tmp_path / "none" / "t.txt"), "There is no folder")
        await told(str(path), "“mine.csv” exists already; enter again replaces it.")
        assert path.read_text() == "precious"
        await pilot.press("tab", "enter")
        await wait_until(lambda: "No pinned tweets yet." in str(hint.render()))
        await pilot.press("tab")
        await told(str(path), "enter again replaces it.")
        assert path.read_text() == "precious"
        await pilot.press("enter")
        await wait_until(lambda: app.screen is screen, "the end of the dialog")
        assert len(path.read_text().splitlines()) == len(TWEETS) + 1
