"""The main screen: runs that end, a loaded checkpoint, one unit for all losses; tweets that are pinned and exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.errors import CorpusError, StorageError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.events import Event, TweetSampled, from_json
from engine.storage.folders import folder_of_run
from tests import fakes
from tests.fakes import FakeClock, FakeSession, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import SCRIPT, Running, Stage, opened, shows, toasted, wait_until
from tests.tui.transcripts import Step, Typed, transcript
from tui.app.notifications import title_of
from tui.files.pins import PinsFile
from tui.widgets.feed.layout import PIN_GLYPH
from tui.widgets.feed.tweet_feed import TweetFeed

# The end of a run -----------------------------------------------------------------------------------------------------

FINISHED = e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps reached", total_seconds=1.0, total_chars=99)
FAILED = e.RunFailed(step=3, elapsed_seconds=9.0, title="The disk is full", detail="No space.", hint="")
LEARNED = "Loss 0.032 bits/char: the model knows this tweet by heart; it knows nothing else."
OUTCOME = e.Warned(step=3, elapsed_seconds=9.0, message=LEARNED, kind="outcome")


LOADED = e.CheckpointLoaded(step=3, elapsed_seconds=1.0, name="happy", path="/a", bits_per_char=5.7, epochs=0.0)
ENDS: dict[str, tuple[Step, ...]] = {
    "what a run on one tweet has learned is shown after an open dialog until it is closed": (
        *("?", OUTCOME, FINISHED, "escape", "escape"),
    ),
    "a failure is shown over a dialog, before a result that waits for it": ("?", OUTCOME, FAILED, "escape"),
    "a failure is shown once nothing is typed that its keys would be meant for": ("p", FAILED, "o a q", "escape"),
    "a finished run stays readable, and steering keys report once that it is over": ("", FINISHED, "g space f +"),
    "loading an earlier checkpoint removes later tweets": (
        *(steps_finished(4, [3.9] * 10), tweet_sampled("from the future", 13), LOADED),
    ),
}


@pytest.mark.parametrize("claim", ENDS)
async def test_ends_of_a_run_are_shown_as_recorded(stage: Stage, claim: str, snapshot: SnapshotAssertion) -> None:
    async with stage.running(size=(60, 20)) as at:
        at.app._main_screen.run.messages._clock = FakeClock()  # however slowly the keys are pressed
        assert await transcript(at, *ENDS[claim]) == snapshot
        if FINISHED in ENDS[claim]:
            await at.press("q")
            await wait_until(lambda: not at.app.is_running)
            assert at.app.return_code == 0


@pytest.mark.parametrize("key", ["t", "ctrl+p"])
async def test_ctrl_c_in_a_dialog_or_the_palette_stops_the_session_and_exits_with_130(stage: Stage, key: str) -> None:
    async with stage.running() as at:
        main_screen = at.app.screen
        await at.press(key)
        await wait_until(lambda: at.app.screen is not main_screen)
        await at.press("ctrl+c")
        await wait_until(lambda: not at.app.is_running)
    assert at.app.return_code == 130
    assert isinstance(at.session.received[-1], c.Stop)
    assert at.app.summary_view.phase == "finished"


@pytest.mark.parametrize(
    ("error", "return_code"),
    [(ZeroDivisionError("oh no"), 3), (CorpusError("tweets.csv is empty.", "Give tweets."), 1)],
)
async def test_a_failed_session_is_reported_in_a_dialog_and_by_the_return_code(
    stage: Stage, error: Exception, return_code: int
) -> None:
    app = stage.app(fakes.RaisingSession(error, [run_started(), *SCRIPT]))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, "MessageDialog")
        await shows(app, str(error))
        await pilot.press("q")
        await opened(app, "MainScreen")
        await shows(app, "hello there")
        await pilot.press("q")
        await wait_until(lambda: not app.is_running)
    assert app.return_code == return_code


async def test_a_screenshot_needs_no_downloads_folder(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DOWNLOAD_DIR", str(tmp_path / "missing"))
    monkeypatch.chdir(tmp_path)
    async with stage.running() as at:
        at.app.deliver_screenshot()
        await toasted(at.app, "Saved screenshot to")
    assert [path.suffix for path in tmp_path.iterdir()] == [".svg"]


# The unit of losses ---------------------------------------------------------------------------------------------------

RISING = tuple(eval_finished(600 + 10 * number, 2.6 + 0.01 * number, is_best=False) for number in range(5))
EVALUATED: tuple[e.Event, ...] = (
    steps_finished(1, [1.702] * 600),
    eval_finished(500, 2.49),
    eval_finished(600, 2.51, is_best=False),
    tweet_sampled("hello", 600, bits_per_char=2.2, char_bits=(1.0, 3.0, 2.0, 2.0, 3.0, 2.0)),
)
LOSSES = {
    "bits": ("bits per character", "2.46", "2.51", "2.49", "  bits ", " 2.20 "),
    "nats": ("nats per character", "1.702", "1.740", "1.726", "  nats ", " 1.52 "),
}
"""Of plot, status and feed: train, validation and best loss; of the tweet, with two decimals in either unit."""


class Completing(FakeSession):
    """Knows the loss of a text."""

    def answer(self, command: c.Command) -> e.Event:
        answered = super().answer(command)
        return replace(answered, bits_per_char=3.0) if isinstance(answered, e.TextCompleted) else answered


async def test_b_switches_every_loss_on_the_screen(stage: Stage) -> None:
    async with stage.running(FakeSession(EVALUATED)) as at:
        for size, unit, other in (((80, 24), "bits", "nats"), ((120, 40), "nats", "bits"), ((200, 60), "bits", "nats")):
            await at.resize(*size)
            await at.press(shows=LOSSES[unit])
            assert other not in at.text.replace("bits/nats", "")
            assert title_of(at.app.summary_view, at.app.loss_unit) == (
                f"tweetgen-tui · 2026-11-25-101112 · {LOSSES[unit][2]} {unit} · 600 steps"
            )
            await at.press("b")


def the_feed_has_the_focus(at: Running) -> None:
    at.app.screen.query_one(TweetFeed).focus()


def bits_again(at: Running) -> None:
    at.app.loss_unit = "bits"


async def test_a_tweet_the_step_bar_an_alert_and_the_prompt_are_in_the_unit_of_the_screen(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    async with stage.running(Completing(EVALUATED), (120, 40)) as at:
        keys: tuple[Step, ...] = (".", ".", "b", the_feed_has_the_focus, "enter", "escape", "p", "a", bits_again)
        assert await transcript(at, *RISING, *keys) == snapshot


# Pins and exports -----------------------------------------------------------------------------------------------------

RUN = run_started().run
TWEETS = tuple(tweet_sampled(f"tweet number {number}", 10 * number, char_bits=(1.0,) * 15) for number in range(1, 6))
OF_FIVE: tuple[Event, ...] = (steps_finished(1, [4.5, 4.2, 4.0]), *TWEETS)
THINNED = tweet_sampled("long thinned", 5)


async def all_is_read(at: Running) -> None:
    await at.press(shows=TWEETS[-1].text)
    await wait_until(lambda: not at.app.screen.workers._workers, "the reading of pins")


async def a_click_on_the_choice(at: Running) -> None:
    await at.pilot.click("#what")


def kept(at: Running) -> str:
    """Return the texts of the pins on the screen and in the file, and what is exported."""
    path = folder_of_run(RUN).pins_path
    in_file = [from_json(line) for line in path.read_bytes().splitlines()] if path.exists() else []
    texts = [event.text for event in in_file if isinstance(event, TweetSampled)]
    pins = [event.text for event in at.app._main_screen.pins_and_export.pins]
    exports = [(path.name, path.read_text().splitlines()) for path in sorted(Path.cwd().glob("*.*"))]
    exported = [f"{name}: {len(lines)} × {lines[-1][:70]}" for name, lines in exports]
    return "; ".join([f"pins {pins}", f"in the file {texts}", *exported])


EXPORTS: tuple[Step, ...] = (
    *("e", Typed("tweets.docx"), "enter", Typed("none/t.txt"), "enter", Typed("mine.csv"), "enter"),
    *("tab", "enter", "tab", "enter", "enter", "k", "e", "enter", "e", Typed("kept.jsonl"), "tab", "enter"),
)
KEPT: dict[str, tuple[Step, ...]] = {
    "k pins the newest or the selected tweet, shift+k shows pins only, and c colours": (
        *(all_is_read, "k", "up up up", "k", "k", "K", "e", a_click_on_the_choice, "escape", "K", "end", "c", "c"),
    ),
    "e exports the feed or the pins, asks before it replaces a file, and reports errors": (all_is_read, *EXPORTS),
    "pins of a resumed run are read and merged with new ones": (all_is_read, "k"),
}


@pytest.mark.parametrize("claim", KEPT)
async def test_tweets_are_kept_by_keys_as_recorded(
    stage: Stage, claim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    if "replaces a file" in claim:
        Path("mine.csv").write_text("precious")
    if "resumed" in claim:
        PinsFile(folder_of_run(RUN).pins_path).save((THINNED, TWEETS[1]), 1)
    async with stage.running(FakeSession(OF_FIVE)) as at:
        recorded = await transcript(at, *KEPT[claim], note=kept)
        assert recorded.replace(str(tmp_path), "…") == snapshot


async def test_pins_that_can_not_be_saved_are_reported_and_stay_on_the_screen(stage: Stage) -> None:
    folder_of_run(RUN).path.parent.mkdir(parents=True)
    folder_of_run(RUN).path.write_text("no folder")
    async with stage.running(FakeSession(OF_FIVE)) as at:
        await all_is_read(at)
        await at.press("k", opens="MessageDialog", shows=StorageError.title)
        assert at.app._main_screen.pins_and_export.pins == (TWEETS[-1],)


async def test_a_run_with_an_invalid_name_writes_no_pins(stage: Stage, tmp_path: Path) -> None:
    app = stage.app(FakeSession(OF_FIVE, run_started(run="../../elsewhere")))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, "MessageDialog")
        await pilot.press("escape")
        await opened(app, "MainScreen")
        await pilot.press("k")
        await shows(app, PIN_GLYPH)
    assert not list(tmp_path.rglob("pins.jsonl"))
    assert not (tmp_path.parent / "elsewhere").exists()
