"""The keys of the feed on the main screen: pins saved with the run, exports, colours, opening."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.errors import StorageError
from engine.protocol.events import Event, TweetSampled, from_json
from engine.storage.folders import folder_of_run
from tests.fakes import FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Running, Stage, opened, screen_text, shows, text_of, toasted, wait_until
from tui.files.pins import PinsFile
from tui.screens.dialogs.base import MessageDialog
from tui.screens.dialogs.export import ExportDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.feed.layout import PIN_GLYPH

RUN = run_started().run
TWEETS = tuple(tweet_sampled(f"tweet number {number}", 10 * number, char_bits=(1.0,) * 15) for number in range(1, 6))
SCRIPT: tuple[Event, ...] = (steps_finished(1, [4.5, 4.2, 4.0]), *TWEETS)


@asynccontextmanager
async def pinning(stage: Stage, size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[Running, MainScreen]]:
    """Run an app until the script is on screen and the pins were read."""
    async with stage.running(FakeSession(SCRIPT), size) as at:
        await at.press(shows=TWEETS[-1].text)
        screen = at.app.screen
        assert isinstance(screen, MainScreen)
        await wait_until(lambda: not screen.workers._workers, "the reading of pins")
        yield at, screen


async def pins_are(*texts: str) -> None:
    """Wait until the file of pins has these texts."""
    await wait_until(lambda: pins_of(RUN) == list(texts), f"{texts} in the file")


def pins_of(run: str) -> list[str]:
    """Return the texts of the pins on disk."""
    path = folder_of_run(run).pins_path
    events = map(from_json, path.read_bytes().splitlines()) if path.exists() else ()
    return [event.text for event in events if isinstance(event, TweetSampled)]


async def test_k_pins_the_newest_or_the_selected_tweet_shift_k_shows_pins_only_and_c_colours(stage: Stage) -> None:
    async with pinning(stage) as (at, _):
        await at.press("k")
        await pins_are("tweet number 5")
        await at.press("up", "up", "up", "k")
        await pins_are("tweet number 3", "tweet number 5")
        await wait_until(lambda: screen_text(at.app).count(PIN_GLYPH) == 2)
        await at.press("k")
        await pins_are("tweet number 5")
        await wait_until(lambda: screen_text(at.app).count(PIN_GLYPH) == 1)
        await at.press("K", shows="pinned tweets only", lacks="tweet number 4")
        await at.press("e", opens=ExportDialog, shows=("● pinned tweets: 1", "○ tweets of the feed: 5"))
        await at.pilot.click("#what")
        await at.press(shows="○ pinned tweets: 1")
        await at.press("escape", opens=MainScreen)
        await at.press("K", shows="tweet number 4")
        await at.press("end", "c", shows="surprising")
        await at.press("c", lacks="surprising")


async def test_pins_of_a_resumed_run_are_read_and_merged_with_new_ones(stage: Stage) -> None:
    gone = tweet_sampled("long thinned", 5)
    PinsFile(folder_of_run(RUN).pins_path).save((gone, TWEETS[1]), 1)
    async with pinning(stage) as (at, screen):
        await at.press(shows="long thinned")
        assert screen.pins_and_export.pins == (gone, TWEETS[1])
        assert screen_text(at.app).count(PIN_GLYPH) == 2
        await at.press("k")
        await pins_are("long thinned", "tweet number 2", "tweet number 5")


async def test_pins_that_can_not_be_saved_are_reported_and_stay_on_the_screen(stage: Stage) -> None:
    folder_of_run(RUN).path.parent.mkdir(parents=True)
    folder_of_run(RUN).path.write_text("no folder")
    async with pinning(stage) as (at, screen):
        await at.press("k", opens=MessageDialog, shows=StorageError.title)
        assert screen.pins_and_export.pins == (TWEETS[-1],)


async def test_a_run_with_an_invalid_name_writes_no_pins(stage: Stage, tmp_path: Path) -> None:
    app = stage.app(FakeSession(SCRIPT, run_started(run="../../elsewhere")))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, MessageDialog)
        await pilot.press("escape")
        await opened(app, MainScreen)
        await pilot.press("k")
        await shows(app, PIN_GLYPH)
    assert not list(tmp_path.rglob("pins.jsonl"))
    assert not (tmp_path.parent / "elsewhere").exists()


async def test_e_exports_the_feed_or_the_pins_asks_before_it_replaces_a_file_and_reports_errors(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine, kept, usual = tmp_path / "mine.csv", tmp_path / "kept.jsonl", tmp_path / f"{RUN}-tweets.txt"
    mine.write_text("precious")
    async with pinning(stage) as (at, _):

        async def refused(name: Path, words: str) -> None:
            await at.type_into(str(name), "enter")
            await wait_until(lambda: words in " ".join(text_of(at.app, "#hint").split()), words)

        await at.press("e", opens=ExportDialog, shows=("tweets of the feed: 5", "Export tweets"))
        await refused(Path("tweets.docx"), "The name must end with one of .txt, .jsonl, .csv.")
        await refused(tmp_path / "none" / "t.txt", "There is no folder")
        await refused(mine, "“mine.csv” exists already; enter again replaces it.")
        await at.press("tab")
        await refused(mine, "No pinned tweets yet.")
        await at.press("tab")
        await refused(mine, "enter again replaces it.")
        assert mine.read_text() == "precious"
        await at.press("enter", opens=MainScreen)
        assert len(mine.read_text().splitlines()) == len(TWEETS) + 1
        await at.press("k", "e", opens=ExportDialog, shows="pinned tweets: 1")
        await at.press("enter", opens=MainScreen)
        assert usual.read_text().splitlines() == [event.text for event in TWEETS]
        await toasted(at.app, f"Wrote 5 tweets to {usual}")
        await at.press("e", opens=ExportDialog)
        await at.type_into(str(kept), "tab", "enter", opens=MainScreen)
        assert from_json(kept.read_bytes()) == TWEETS[-1]
