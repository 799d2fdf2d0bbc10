"""The keys of the feed on the main screen: pins saved with the run, exports, colours, opening."""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.errors import StorageError
from engine.protocol.events import Event, TweetSampled, from_json
from engine.storage.folders import folder_of_run
from tests.fakes import FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Running, Stage, opened, shows, wait_until
from tests.tui.transcripts import Step, Typed, transcript
from tui.files.pins import PinsFile
from tui.screens.dialogs.base import MessageDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.feed.layout import PIN_GLYPH

RUN = run_started().run
TWEETS = tuple(tweet_sampled(f"tweet number {number}", 10 * number, char_bits=(1.0,) * 15) for number in range(1, 6))
SCRIPT: tuple[Event, ...] = (steps_finished(1, [4.5, 4.2, 4.0]), *TWEETS)
THINNED = tweet_sampled("long thinned", 5)


async def all_is_read(at: Running) -> None:
    await at.press(shows=TWEETS[-1].text)
    await wait_until(lambda: not at.app.screen.workers._workers, "the reading of pins")


async def a_click_on_the_choice(at: Running) -> None:
    await at.pilot.click("#what")


def kept(at: Running) -> str:
    """Return the texts of the pins on the screen and in the file, and what is exported."""
    screen = next(each for each in at.app.screen_stack if isinstance(each, MainScreen))
    path = folder_of_run(RUN).pins_path
    in_file = [from_json(line) for line in path.read_bytes().splitlines()] if path.exists() else []
    texts = [event.text for event in in_file if isinstance(event, TweetSampled)]
    pins = [event.text for event in screen.pins_and_export.pins]
    exports = [(path.name, path.read_text().splitlines()) for path in sorted(Path.cwd().glob("*.*"))]
    exported = [f"{name}: {len(lines)} × {lines[-1][:70]}" for name, lines in exports]
    return "; ".join([f"pins {pins}", f"in the file {texts}", *exported])


EXPORTS: tuple[Step, ...] = (
    *("e", Typed("tweets.docx"), "enter", Typed("none/t.txt"), "enter", Typed("mine.csv"), "enter"),
    *("tab", "enter", "tab", "enter", "enter", "k", "e", "enter", "e", Typed("kept.jsonl"), "tab", "enter"),
)
PLAYS: dict[str, tuple[Step, ...]] = {
    "k pins the newest or the selected tweet, shift+k shows pins only, and c colours": (
        *(all_is_read, "k", "up up up", "k", "k", "K", "e", a_click_on_the_choice, "escape", "K", "end", "c", "c"),
    ),
    "e exports the feed or the pins, asks before it replaces a file, and reports errors": (all_is_read, *EXPORTS),
    "pins of a resumed run are read and merged with new ones": (all_is_read, "k"),
}


@pytest.mark.parametrize("claim", PLAYS)
async def test_tweets_are_kept_by_keys_as_recorded(
    stage: Stage, claim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    if "replaces a file" in claim:
        Path("mine.csv").write_text("precious")
    if "resumed" in claim:
        PinsFile(folder_of_run(RUN).pins_path).save((THINNED, TWEETS[1]), 1)
    async with stage.running(FakeSession(SCRIPT)) as at:
        recorded = await transcript(at, *PLAYS[claim], note=kept)
        assert recorded.replace(str(tmp_path), "…") == snapshot


async def test_pins_that_can_not_be_saved_are_reported_and_stay_on_the_screen(stage: Stage) -> None:
    folder_of_run(RUN).path.parent.mkdir(parents=True)
    folder_of_run(RUN).path.write_text("no folder")
    async with stage.running(FakeSession(SCRIPT)) as at:
        await all_is_read(at)
        screen = at.app.screen
        assert isinstance(screen, MainScreen)
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
