"""The main screen: how a run ends and continues, one unit for all losses; tweets that are pinned and exported."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from syrupy.assertion import SnapshotAssertion

from engine.config.run import RunConfig, TrainingConfig
from engine.errors import CorpusError, StorageError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.events import Event, TweetSampled, from_json
from engine.storage.folders import folder_of_run
from engine.storage.journal import to_line
from tests import fakes
from tests.engine.helpers import run_session, tiny_config, write_corpus
from tests.fakes import (
    FakeClock,
    FakeSession,
    eval_finished,
    run_started,
    steps_finished,
    tweet_sampled,
)
from tests.tui.conftest import SCRIPT, Running, Stage, Starting, screen_text, toasted, wait_until
from tests.tui.transcripts import Step, plays, set_up, transcript
from tui.app.pins import PinsFile
from tui.run.fold import fold
from tui.run.view import RunView
from tui.terminal.app import TerminalApp
from tui.text.cells import CELL_WIDTH
from tui.widgets import panels
from tui.widgets.feed.columns import PIN_GLYPH
from tui.widgets.feed.feed import TweetFeed

# The end of a run -----------------------------------------------------------------------------------------------------

FINISHED = e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps reached", total_seconds=1.0, total_chars=99)
FAILED = e.RunFailed(step=3, elapsed_seconds=9.0, title="The disk is full", detail="No space.", hint="")
LEARNED = "Loss 0.032 bits/char: the model knows this tweet by heart; it knows nothing else."
OUTCOME = e.Warned(step=3, elapsed_seconds=9.0, message=LEARNED, kind="outcome")
LOADED = e.CheckpointLoaded(step=3, elapsed_seconds=1.0, name="happy", path="/a", bits_per_char=5.7, epochs=0.0)
AT_13, OF_13 = steps_finished(4, [3.9] * 10), tweet_sampled("from the future", 13)
ENDS = plays("ends", globals())


@pytest.mark.parametrize("claim", ENDS)
async def test_ends_of_a_run_are_shown_as_recorded(stage: Stage, claim: str, snapshot: SnapshotAssertion) -> None:
    async with stage.running(size=(60, 20)) as at:
        at.app.main._clock = FakeClock()  # however slowly the keys are pressed
        assert await transcript(at, *ENDS[claim]) == snapshot
        if FINISHED in ENDS[claim]:
            await at.press("q")
            await wait_until(lambda: not at.app.is_running)
            assert at.app.return_code == 0


async def test_ctrl_c_in_the_palette_stops_the_session_and_exits_with_130(stage: Stage) -> None:
    async with stage.running() as at:
        await at.press("ctrl+p", opens="CommandPalette")
        await at.press("ctrl+c")
        await wait_until(lambda: not at.app.is_running)
    assert at.app.return_code == 130
    assert isinstance(at.session.received[-1], c.Stop)
    assert at.app.summary_view.phase == "finished"


@pytest.mark.parametrize(("error", "code"), [(ZeroDivisionError("oh no"), 3), (CorpusError("oh no", "Stop."), 1)])
async def test_a_failed_session_is_reported_in_a_dialog_and_by_the_return_code(
    stage: Stage, error: Exception, code: int
) -> None:
    app = stage.app(fakes.RaisingSession(error, [run_started(), *SCRIPT]))
    async with app.run_test(size=(80, 24)) as pilot:
        at = Running(app, pilot, FakeSession())
        await at.press(opens="Question", shows="oh no")
        await at.press("q", opens="MainScreen", shows="hello there")
        await at.press("q")
        await wait_until(lambda: not app.is_running)
    assert app.return_code == code


async def test_a_screenshot_needs_no_downloads_folder_and_each_of_its_words_has_the_x_of_its_cell(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DOWNLOAD_DIR", str(tmp_path / "missing"))
    monkeypatch.chdir(tmp_path)
    async with stage.running() as at:
        await at.press(shows=("hello there", "▶ training"))
        lines = screen_text(at.app).replace(" ", "\xa0").splitlines()
        at.app.deliver_screenshot()
        await toasted(at.app, "Saved screenshot to")
    [path] = tmp_path.iterdir()
    picture, seen = path.read_text(encoding="utf-8"), set[str]()
    assert path.suffix == ".svg"
    assert "textLength" not in picture
    for y, content in re.findall(r'<text class="[^"]*-r\d+" y="([\d.]+)" [^>]*>(.*?)</text>', picture):
        for x, word in re.findall(r'<tspan x="([\d.]+)">([^<]*)</tspan>', content):
            line = lines[round((float(y) - 20) / 24.4)]
            assert line[round(float(x) / CELL_WIDTH) :].startswith(html.unescape(word))
            seen.add(html.unescape(word).rstrip("\xa0"))
    assert {"hello", "there", "▶", "training"} <= seen
    assert not any("\xa0" in word for word in seen)


# The unit of losses ---------------------------------------------------------------------------------------------------

RISING = tuple(eval_finished(600 + 10 * number, 2.6 + 0.01 * number, is_best=False) for number in range(5))
EVALUATED: tuple[e.Event, ...] = (
    steps_finished(1, [1.702] * 600),
    eval_finished(500, 2.49),
    eval_finished(600, 2.51, is_best=False),
    tweet_sampled("hello", 600, bits_per_char=2.2, char_bits=(1.0, 3.0, 2.0, 2.0, 3.0, 2.0)),
)


class Completing(FakeSession):
    """Knows the loss of a text."""

    def answer(self, command: c.Command) -> e.Event:
        answered = super().answer(command)
        return structs.replace(answered, bits_per_char=3.0) if isinstance(answered, e.TextCompleted) else answered


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
    pins = [event.text for event in at.app.pins.tweets]
    exports = [(path.name, path.read_text().splitlines()) for path in sorted(Path.cwd().glob("*.*"))]
    exported = [f"{name}: {len(lines)} × {lines[-1][:70]}" for name, lines in exports]
    return "; ".join([f"pins {pins}", f"in the file {texts}", *exported])


KEPT = plays("keeping", globals())


@pytest.mark.parametrize("claim", KEPT)
async def test_tweets_are_kept_by_keys_as_recorded(
    stage: Stage, claim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    session, pins = FakeSession(OF_FIVE), folder_of_run(RUN).pins_path
    options: dict[str, Any] = {}
    if "replaces a file" in claim:
        Path("mine.csv").write_text("precious")
    elif "resumed" in claim:
        PinsFile(pins).save((THINNED, TWEETS[1]), 1)
    if "starts" in claim:
        history = fold(RunView(), (run_started(), *OF_FIVE)).for_resume()
        session, options = Starting(), {"history": history}
    async with stage.running(session, **options) as at:
        recorded = await transcript(at, *KEPT[claim], note=kept)
        assert recorded.replace(str(tmp_path), "…") == snapshot


async def test_pins_that_can_not_be_saved_are_reported_and_stay_on_the_screen(stage: Stage) -> None:
    folder_of_run(RUN).path.parent.mkdir(parents=True)
    folder_of_run(RUN).path.write_text("no folder")
    async with stage.running(FakeSession(OF_FIVE)) as at:
        await all_is_read(at)
        await at.press("k", opens="Question", shows=StorageError.title)
        assert at.app.pins.tweets == (TWEETS[-1],)


async def test_a_run_with_an_invalid_name_writes_no_pins(stage: Stage, tmp_path: Path) -> None:
    session = FakeSession(OF_FIVE, run_started(run="../../elsewhere"))
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        at = Running(app, pilot, session)
        await at.press(opens="Question")
        await at.press("escape", opens="MainScreen")
        await at.press("k", shows=PIN_GLYPH)
    assert not list(tmp_path.rglob("pins.jsonl"))
    assert not (tmp_path.parent / "elsewhere").exists()


# At the end of the budget ---------------------------------------------------------------------------------------------

LATEST = e.CheckpointSaved(
    step=3, elapsed_seconds=62.0, name="latest", path="/latest", bits_per_char=2.03, weights_step=3
)
PAUSED = fakes.paused(3, 62.0)
USED_UP = e.Warned(
    step=3, elapsed_seconds=62.0, message="The run is finished: --max-steps is reached.", kind="finished"
)
AT_END = (
    steps_finished(1, [4.5, 4.2, 4.0], elapsed_seconds=62.0),
    eval_finished(3, 2.03),
    tweet_sampled("hello there", 3, elapsed_seconds=62.0),
    LATEST,
    PAUSED,
    USED_UP,
)


def over(*more: e.Event, **budget: Any) -> FakeSession:
    """Return a run whose budget of 3 steps, and of what else is given, is used up."""
    return FakeSession((*AT_END, *more), run_started(training=TrainingConfig(max_steps=3, **budget)))


async def change_the_budget_from_the_palette(at: Running) -> None:
    await at.press("ctrl+p")
    await at.type_into("change the budget", shows="Let the run train longer")
    await at.press("enter", opens="BudgetDialog")


async def the_run_is_at_its_end(at: Running) -> None:
    await at.press(shows=("■ ", "hello there"))


async def the_run_is_at_its_end_again(at: Running) -> None:
    await at.emit(run_started(training=TrainingConfig(max_steps=3)), *AT_END)


def in_training(max_steps: int) -> FakeSession:
    return FakeSession(AT_END[:3], run_started(training=TrainingConfig(max_steps=max_steps)))


async def the_key_for_the_budget(at: Running) -> None:
    await at.app.run_action("steering.change")


ENDED = e.RunFinished(step=3, elapsed_seconds=62.0, reason="max_steps", total_seconds=62.0, total_chars=99)
BUDGET = plays("budget", globals())
SET_UP: dict[str, tuple[FakeSession, dict[str, Any]]] = {
    "in the least terminal": (over(), {"size": (40, 12), "draws_toasts": True}),
    "arrows and enter": (over(max_seconds=60.0), {}),
    "the whole effect": (over(max_seconds=62.0, epochs=9.0, schedule="cosine"), {}),
    "a finish chosen": (in_training(3), {}),
    "the budget changes": (in_training(100), {}),
    "a replay": (over(ENDED), {"history": RunView(is_replay=True)}),
}


@pytest.mark.parametrize("claim", BUDGET)
async def test_a_run_at_its_end_is_continued_by_keys_as_recorded(
    stage: Stage, claim: str, snapshot: SnapshotAssertion
) -> None:
    session, options = set_up(SET_UP, claim, (over(), {}))
    async with stage.running(session, **options) as at:
        assert await transcript(at, *BUDGET[claim]) == snapshot


@pytest.mark.parametrize("begun", ["as it is", "resumed", "as a branch"])
async def test_a_new_run_on_the_same_tweets_begins_as_this_one_did_before_it_was_resumed(
    stage: Stage, home: Path, begun: str
) -> None:
    config = tiny_config(write_corpus(home), run_name=RUN, max_steps=3)
    run_session(config)
    configs = {"resumed": RunConfig(resume=RUN), "as a branch": RunConfig(checkpoint="other", run_name=RUN)}
    if begun in configs:
        first, again = TrainingConfig(max_steps=2, learning_rate=0.123), TrainingConfig(max_steps=3, learning_rate=0.2)
        journal = [to_line(run_started(run=RUN, training=training)) for training in (first, again)]
        folder_of_run(RUN).journal_path.write_bytes(b"".join(journal))
    of_this = configs.get(begun, RunConfig(settings={"max_steps": 3}))
    further = [FakeSession((), run_started(run="second"))]
    async with stage.running(over(), config=of_this, further=further) as at:
        await at.press("space", shows="from the start, until step 2" if begun in configs else ())
        await at.press("7")
        await wait_until(lambda: getattr(at.app.summary_view.started, "run", "") == "second", "the new run")
        started_with = at.app.connection.config
    assert isinstance(at.session.received[-1], c.Stop)
    if begun in configs:
        assert (started_with.resume, started_with.checkpoint, started_with.run_name) == (None, None, None)
        assert (started_with.settings["max_steps"], started_with.settings["learning_rate"]) == (2, 0.123)
        assert not started_with.is_repeatable
    else:
        assert started_with == RunConfig(settings={"max_steps": 3}, corpus=config.corpus)


async def test_a_new_run_is_refused_where_the_tweets_of_this_one_are_not_known(stage: Stage, home: Path) -> None:
    async with stage.running(over()) as at:
        await at.press("space", "7", opens="Question")
        assert at.session.received == []


async def test_a_tweet_that_was_asked_for_is_drawn_as_soon_as_a_slow_terminal_accepts_output_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.running() as at:
        monkeypatch.setitem(panels.SECONDS, "feed", 1e9)
        with monkeypatch.context() as slow:
            slow.setattr(TerminalApp, "num_waiting_bytes", panels.MAX_WAITING_BYTES + 1)
            await at.press("g", sends=c.SampleNow())
            await wait_until(lambda: "asked-for" in at.app.summary_view.tweets[-1].text, "the tweet")
            await at.settle()
            assert "asked-for" not in at.text
        await at.press(shows="asked-for tweet number 1")
