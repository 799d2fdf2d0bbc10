"""The lesson on its screen: keys, sizes, pausing, changes of the run, leaving, and each stop from its task to done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from engine.errors import CheckpointError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.storage.folders import folder_of_run
from tests.engine.checkpoints.saved import write_checkpoint
from tests.fakes import RaisingSession, batch_shown, change, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import opened, screen_text, toasted, wait_until
from tests.tui.lesson.conftest import PROGRESS, LessonSession, Open, Visit
from tui.dialogs.ask import Question
from tui.lesson.stops import STOPS, Progress, read_progress
from tui.process.exit import Outcome
from tui.screens.lesson.screen import LessonScreen
from tui.screens.lesson.surroundings import CodeDialog, LessonHelp, LessonText, PauseNote
from tui.text.cells import plain
from tui.widgets.key_bar import KeyBar
from tui.widgets.plot.plot import LossPlot
from tui.widgets.xray.panel import XrayPanel
from tui.widgets.xray.picture_view import LivePicture

LARGE = (120, 40)


async def test_the_first_stop_types_every_letter_and_its_bar_offers_what_is_not_typed(visit: Open, home: Path) -> None:
    async with visit(LessonSession()) as at:
        await at.press(shows=(STOPS[0].text[:30], "esc text", "→ next stop"), lacks="q quit")
        await at.press(*"quick?", shows=("quick?", "7 inputs"))
        for _ in range(3):  # from the text, it does not leave
            await at.press("escape", shows=("enter type", "C code", "q quit"))
        await toasted(at.app, "q leaves the lesson")
        await at.press("2", shows=("[2]", "The model"))
        await at.press("left", shows=("[1]", "esc text", "quick?"))
        await at.press("right", shows="[2]")  # at the end of the line
        await at.press(*["right"] * 7, shows="[8]")
        assert read_progress(home / PROGRESS).stop == 8
        await at.pilot.click(offset=(3, 0))
        await at.shows("[2]", "The model")


async def test_code_and_help_are_dialogs_a_warning_is_a_toast_and_tab_and_escape_move_the_focus(visit: Open) -> None:
    async with visit(LessonSession(), stop=5, size=LARGE) as at:
        await at.emit(e.Warned(step=0, elapsed_seconds=0.0, kind="disk", message="The disk is full."))
        await toasted(at.app, "The disk is full.")
        code = ("Sampling and temperature, in plain PyTorch", "torch.softmax(logits / temperature, dim=-1)")
        await at.press("C", opens=CodeDialog, shows=code)
        await at.press("y")
        await toasted(at.app, "The code was sent to the clipboard.")
        assert at.app.clipboard.startswith('"""Sampling')
        await at.press("C", opens=LessonScreen)
        await at.press("?", opens=LessonHelp, shows="Nothing is locked.")
        await at.press("escape", opens=LessonScreen)
        for key, is_text in (("tab", False), ("escape", True)):
            await at.press(key)
            assert isinstance(at.screen.focused, LessonText) == is_text
        at.screen.set_focus(None)
        await at.press("tab")
        assert isinstance(at.screen.focused, LivePicture)


async def test_a_small_terminal_shows_the_text_or_the_view_a_middle_one_the_view_with_the_task(visit: Open) -> None:
    async with visit(LessonSession(), size=(40, 12)) as at:
        await at.press(shows=(STOPS[0].text[:30], "q quit"))
        await at.press("h", "i", shows=("hi", "3 inputs"))
        await at.press("escape", "2", shows=("Three parts.", "Press enter four times"), lacks="embeddings")
        await at.press("tab", shows=("(B, T, E)", "↓ projection"), lacks="Three parts.")
        at.app.glyphs = "ascii"
        view = at.screen.current.query_one(LivePicture)
        await wait_until(lambda: plain(view.lines).isascii(), "the picture in ASCII")
        await at.resize(80, 24)
        await at.press(shows=("Press enter four times", "(B, T, V)"), lacks="Three parts.")
        await at.press("escape", shows=("Three parts.", "(B, T, V)"))
        await at.resize(30, 9)
        await at.shows("At least 40 columns")


def left_text(at: Visit) -> str:
    """Return the words of text, task and result."""
    edge = at.screen.query_one("#lesson-left").content_region.right
    return " ".join(" ".join(line[:edge] for line in screen_text(at.app).splitlines()).split())


async def test_a_long_text_scrolls_and_task_result_and_pause_are_whole(visit: Open) -> None:
    async with visit(LessonSession(), done=frozenset(range(1, len(STOPS) + 1)), size=(40, 12)) as at:
        note = at.screen.query_one(PauseNote)
        at.session.emit(steps_finished(1, [3.0] * 5000))
        await wait_until(lambda: at.view.step == 5000, "the steps")
        for size in ((40, 12), (80, 20), (100, 20)):  # and those recorded below
            await at.resize(*size)
            for number, stop in enumerate(STOPS, 1):
                at.screen.action_open_stop(number)
                at.screen.set_focus(at.screen.query_one(LessonText))
                await wait_until(lambda stop=stop: note.display == bool(stop.train_to), "the pause")  # type: ignore[misc]
                await at.settle()
                pause = "space trains on." if stop.train_to else ""
                parts = (f"▸ {stop.task}", f"✓ {stop.learned}", pause)
                await wait_until(lambda parts=parts: all(part in left_text(at) for part in parts), f"{size}, {parts}")  # type: ignore[misc]


async def test_a_cut_text_says_that_there_is_more_and_by_which_key(visit: Open) -> None:
    async with visit(LessonSession(), size=(80, 24)) as at:
        cut = ("pgdn: 2 more lines", "pgdn more")
        await at.press(shows=(*cut, "→ next stop"))  # while a tweet is typed, too
        await at.press("pagedown", shows=("shorter tweets of a batch.", "pgup: back to the start"), lacks="pgdn")
        await at.press("pageup", shows=("A network computes", *cut))
        await at.press("escape", "2", shows=("pgdn: ", "← → stops", "pgdn more", "q quit"))
        await at.press("tab", shows=("esc text", "← → stops"), lacks="pgdn")
        await at.resize(120, 40)
        await at.press("escape", shows="T, something)", lacks="pgdn")


async def test_the_stop_on_training_shows_scale_and_curve_at_once_from_60_x_20_on(visit: Open) -> None:
    async with visit(LessonSession(), stop=7, size=(60, 20)) as at:
        at.session.emit(steps_finished(1, [2.0] * 300))
        await at.shows("Step 300. Trained before")  # continued, without a validation so far
        at.session.emit(eval_finished(300, 2.8))
        plot = at.screen.current.query_one(LossPlot)
        for size in ((60, 20), (80, 34), (120, 24)):
            await at.resize(*size)
            for key, is_on_view in (("tab", True), ("escape", False)):
                await at.press(key)
                assert at.screen.has_class("-on-view") == is_on_view
                await at.shows("log2 V", "▸ validation", "Step 300.", "─ bits")
                await wait_until(lambda: plot.picture.panes and plot.picture.cells.width == plot.size.width, "a curve")


async def test_space_trains_and_pauses_until_another_stop_is_opened_or_enter_trains(visit: Open) -> None:
    session, new = LessonSession(), LessonSession()
    async with visit(session, new, stop=5) as at:
        await at.is_in("training")
        await at.press(lacks="Paused")
        session.emit(steps_finished(1, [2.0] * 400))
        await at.press("space")
        await at.is_in("paused")
        num_before = len(session.commands(c.Resume))
        await at.press("enter", shows=("rung 5 of seed 1", "Paused at step 400; space trains on."))
        assert len(session.commands(c.Resume)) == num_before, "sampling does not train"
        await at.press("6", shows="Paused at step 400: that is enough for this stop; space trains on.")
        await at.press("space", lacks="Paused")
        await at.is_in("training")
        await at.press("7")
        await at.is_in("paused")
        for phase in ("training", "paused"):
            await at.press("space")
            await at.is_in(phase)
        await at.press("enter")
        await wait_until(lambda: new.commands(c.Resume), "training from random weights")


async def test_a_batch_is_sorted_or_not_scrolls_and_is_never_one_of_a_single_tweet(visit: Open) -> None:
    session = LessonSession()
    async with visit(session, stop=6) as at:
        await wait_until(
            lambda: session.commands(insight.ShowBatch)[-1:] == [insight.ShowBatch(shuffled=True)], "both batches"
        )
        session.emit(batch_shown(["alike", "twins"]))
        await at.shows("sorted by length, as trained", "B 2, T 6")
        await at.emit(batch_shown(["alone"]))  # which has no padding
        await at.shows("B 2, T 6")
        await at.press("v", shows="a batch of 2, tweets in random order, not sorted by length:")
        await wait_until(lambda: len(session.commands(insight.ShowBatch)) == 3, "another one")
        session.emit(batch_shown(["s" * 100, "long" * 25], shuffled=True))
        await at.shows("B 2, T 101", "0         10 ", "C code")
        await at.press("tab", "right", shows=("← → scroll", "  10        20 "))
        await at.press(*["right"] * 9, shows="  90  ")
        await at.press(*["left"] * 9, shows=("0         10 ", "[6]"))
        await at.press("v", shows="sorted by length, as trained")


async def test_leaving_at_one_tweet_a_step_sets_the_usual_batch_size_before_the_run_is_saved(visit: Open) -> None:
    session = LessonSession()
    async with visit(session, stop=6) as at:
        await at.press("enter", "q")
        await wait_until(lambda: not at.app.is_running)
    await wait_until(lambda: session.commands(c.Stop))
    assert session.received[-2] == change(batch_size=32)
    assert at.app.return_value == Outcome()


async def test_a_signal_ends_lesson_and_run_with_its_code(visit: Open) -> None:
    session = LessonSession()
    async with visit(session) as at:
        at.screen.app.receive(143)  # type: ignore[attr-defined] # a lesson's app
        await wait_until(lambda: not at.app.is_running)
    assert at.app.return_code == 143
    await wait_until(lambda: c.Stop(reason="terminated") in session.received)


async def test_a_run_on_one_tweet_that_was_left_is_forgotten_also_where_the_stop_was_done_before(visit: Open) -> None:
    overfit, main = LessonSession("overfit"), LessonSession()
    async with visit(LessonSession(), overfit, main, stop=4, done=frozenset({4}), size=LARGE) as at:
        await at.press("enter")
        await wait_until(lambda: overfit.commands(c.Resume), "training after the first trace")
        await at.press("left", "right")
        await wait_until(lambda: isinstance(overfit.received[-1], c.Stop), "the end of the run on one tweet")
        await at.shows("The run on one tweet was not kept", STOPS[3].task[:20], STOPS[3].learned[:20])
        await wait_until(lambda: main.received, "the run of the lesson")
        await at.is_ready()
        assert not at.screen.current.wants_training()


async def test_the_lessons_model_continues_with_its_curve_while_the_run_on_one_tweet_still_ends(visit: Open) -> None:
    first, overfit = LessonSession(), LessonSession("overfit", num_train_tweets=1)
    again = LessonSession(step=3, resumed_from="lesson/latest")
    overfit.may_end.clear()
    write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
    async with visit(first, overfit, again, stop=4, size=LARGE) as at:
        first.emit(steps_finished(1, [4.7, 4.5, 4.4]))
        first.emit(eval_finished(3, 4.2))
        await wait_until(lambda: at.view.val_points, "the losses")
        await at.press("enter")
        await wait_until(lambda: overfit.received, "the run on one tweet")
        overfit.emit(steps_finished(1, [3.0, 0.4]))
        await wait_until(lambda: at.view.step == 2, "its steps")
        await at.press("7")
        await wait_until(lambda: isinstance(overfit.received[-1], c.Stop), "the command to end")
        await at.shows("Step 3.", "validation", "bits per character ─")
        overfit.may_end.set()
        await wait_until(lambda: again.received, "the run of the lesson")
        await at.shows("Step 3.", "validation", "bits per character ─")
        assert at.config.resume == "lesson"
        assert at.view.smoothed_loss is not None


async def test_after_a_yes_a_run_that_can_not_continue_is_replaced(visit: Open) -> None:
    damaged = RaisingSession(CheckpointError("latest is damaged.", "Start anew."))
    async with visit(damaged, LessonSession(), stop=4, is_ready=False) as at:
        await opened(at.app, Question)
        await at.shows("latest is damaged. Start anew.", "start again from random weights")
        await at.press("y")
        await at.is_ready()
        assert at.config.resume is None


async def test_a_failed_run_continues_with_its_curve_after_a_yes_to_leave_a_failed_run_on_one_tweet(
    visit: Open,
) -> None:
    error = CheckpointError("The disk is gone.", "")
    failing = RaisingSession(error, (run_started(run="lesson"), steps_finished(1, [4.7, 4.5]), eval_finished(2, 4.2)))
    again = LessonSession(step=2, resumed_from="lesson/latest")
    write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
    async with visit(failing, RaisingSession(error), again, stop=4, size=LARGE, is_ready=False) as at:
        await opened(at.app, Question)
        await at.press("escape", opens=LessonScreen)
        await at.press("enter", opens=Question)
        await at.press("y")
        await at.is_ready()
        assert at.config.resume == "lesson"
        await at.press("7")
        await at.shows("Step 2.", "validation", "bits per character ─")


# Each stop ------------------------------------------------------------------------------------------------------------


def not_done(at: Visit) -> bool:
    return at.screen.stop.number not in at.screen.progress.done


async def picture(at: Visit, width: int, height: int) -> str:
    """Return the screen at a size, once all that happened so far is drawn; it is filled, keys at the bottom."""
    await at.resize(width, height)
    await wait_until(lambda: at.screen.query_one(KeyBar).region.bottom == height, "the layout")
    tick = at.screen._num_ticks
    await wait_until(lambda: at.screen._num_ticks > tick + 1, "what happened before")
    await at.pilot.pause()
    lines = screen_text(at.app).splitlines()
    assert {cell_len(line) for line in lines} == {width}
    assert len(lines) == height
    return "\n".join(map(str.rstrip, lines))


async def type_an_unknown_character(at: Visit, first: LessonSession, _: LessonSession) -> None:
    await at.shows("[1] 2 3", "Characters", "@anna happy friday!", "<EOS>", "a matrix of 20 x 40")
    await at.press("h", "backspace", shows="1 input from <BOS> on: a matrix of 1 x 40")
    await at.press(*"hi", shows="3 inputs from <BOS> on")
    assert not_done(at)
    await at.press("$", shows="4 inputs from <BOS> on, 1 of them <UNK>")
    texts = list(dict.fromkeys(each.text for each in first.commands(insight.TraceText)))
    assert texts == ["@anna happy friday!", "h", "hi", "hi$"], "an empty text is not traced"


async def send_a_batch_through_the_model(at: Visit, first: LessonSession, _: LessonSession) -> None:
    await at.shows("ids        (B, T)     ?")
    await at.press(*["enter"] * 3, shows=("(2, 13, 128)", "3 x H x (E + H + 2) = 99,072 parameters"))
    assert not_done(at)
    await at.press("enter", shows=("(2, 13, 120)", "129,912 parameters in all"))
    assert first.received == [c.Pause(), insight.ShowBatch()]


async def step_through_a_tweet_and_draw(at: Visit, first: LessonSession, _: LessonSession) -> None:
    first.emit(steps_finished(1, [3.0] * 300))
    await at.shows("good morning", "[1 step]")
    await at.press("tab")
    for _char in "good morning":
        at.screen.query_one("#stop-3 XrayPanel", XrayPanel).action_move(1)  # as quickly as a key that is held
    await at.shows("one at a time", "at once", "weights of step 300")
    assert not_done(at)
    await at.press("home", "g", shows=("fed its draws", "g own draws", "n again"))


async def overfit_one_tweet(at: Visit, first: LessonSession, overfit: LessonSession) -> None:
    await at.shows("Nothing is trained yet")
    await at.press("tab", "enter")
    await wait_until(lambda: overfit.commands(c.Resume), "training after the first trace")
    assert not isinstance(at.screen.focused, LessonText)  # the view kept the focus while the run changed
    await at.press("escape")
    assert isinstance(at.screen.focused, LessonText)
    assert isinstance(first.received[-1], c.Stop)
    assert [type(each) for each in overfit.received] == [c.Pause, insight.ShowBatch, insight.TraceText, c.Resume]
    await at.shows("tweet:   good morning", "gates before training", "log2 V = 5.32 bits, ln V = 3.689 nats")
    await at.press(shows="V = 40", lacks="v before/after")
    overfit.emit(steps_finished(1, [3.0, 1.0, 0.04]))
    await at.shows("loss 0.06 bits")
    assert not_done(at)
    overfit.emit(tweet_sampled("good morning", 3))
    await at.press(shows=("written: good morning", "gates after training", "unseen:"), lacks="gates before")
    await at.press("tab", "right", shows=("mean z", "← → character"))
    assert not_done(at)
    await at.press("v", shows=("gates before training", "gates after training"))
    await at.press("v", lacks="gates before")
    await at.press("v", "escape", shows=("gates before training", "v before/after"))
    assert at.config.corpus is not None


async def sample_at_six_temperatures(at: Visit, first: LessonSession, _: LessonSession) -> None:
    await wait_until(lambda: first.commands(c.Resume), "training up to the first good tweets")
    first.emit(steps_finished(1, [2.0] * 1200))
    await wait_until(lambda: (at.view.step, at.view.phase) == (1200, "paused"), "enough steps")
    await at.shows("at temperature 1", "rest", "37 others, mean")
    await at.press("enter", shows=("rung 0.1 of seed 1", "rung 5 of seed 1"))
    await at.press(*["-"] * 5, shows="at temperature 0.1")
    assert not_done(at)
    await at.press(*["+"] * 9, shows="at temperature 5")


async def compare_batch_sizes(at: Visit, first: LessonSession, _: LessonSession) -> None:
    first.emit(steps_finished(1, [2.0] * 300))
    await at.shows("B 2, T 13")
    for size, speed, noise, first_step in ((1, 9_000.0, 1.0, 301), (32, 90_000.0, 0.25, 401)):
        assert not_done(at)
        await at.press("enter")
        command = change(batch_size=size)
        await wait_until(lambda command=command: command in first.received, "the size")  # type: ignore[misc]
        first.emit(steps_finished(first_step, [2.0, 2.0 + noise] * 20, chars_per_second=speed))
        await at.shows(f"▸ {size} a step")
    await at.shows("32 against 1: 10.0 times the characters a second")
    assert not_done(at)
    await at.press("v", shows="not sorted by length")


async def train_past_the_bigram(at: Visit, first: LessonSession, further: LessonSession) -> None:
    await at.shows("log2 V: each character equally likely", "only how frequent each is", "No validation yet")
    first.emit(eval_finished(50, 2.0))
    await at.shows("it uses more of the tweet")
    assert not_done(at)
    await at.press("enter")
    await wait_until(lambda: further.commands(c.Resume), "training")
    further.emit(steps_finished(1, [4.7, 3.1]))
    further.emit(eval_finished(2, 4.2))
    await at.shows("It has passed the unigram; next is the bigram.")
    assert not_done(at)
    further.emit(eval_finished(3, 3.5))
    await at.shows("It has passed the bigram; next is the 5-gram.")
    assert at.config.resume is None


async def look_at_three_views_and_hold_a_unit(at: Visit, first: LessonSession, _: LessonSession) -> None:
    first.emit(steps_finished(1, [3.0] * 2000))
    await at.shows("good morning", "[3 reach]", "weights of step 2,000")
    await at.press("tab", "5", shows="[5 map]")
    await at.press("4", shows=("in an @name", "esc text", "[ ] hold", "0 free", "q quit"))
    assert not_done(at)
    await at.press("]", shows="while it is held at +1.00")
    assert not_done(at)
    await at.press("0", "[", shows="held at -1.00")
    await toasted(at.app, "All eight stops are done.")
    at.app.clear_notifications()


TASKS: tuple[Callable[[Visit, LessonSession, LessonSession], Awaitable[None]], ...] = (
    type_an_unknown_character,
    send_a_batch_through_the_model,
    step_through_a_tweet_and_draw,
    overfit_one_tweet,
    sample_at_six_temperatures,
    compare_batch_sizes,
    train_past_the_bigram,
    look_at_three_views_and_hold_a_unit,
)


@pytest.mark.parametrize("number", range(1, 9), ids=lambda number: f"{number}-{TASKS[number - 1].__name__}")
async def test_a_stop_from_its_task_to_done(number: int, visit: Open, home: Path, snapshot: SnapshotAssertion) -> None:
    before = frozenset(range(1, 9)) - {number} if number == len(TASKS) else frozenset()
    first, further = LessonSession(), LessonSession("overfit" if number == 4 else "lesson")
    async with visit(first, further, LessonSession(), stop=number, done=before, size=(120, 40)) as at:
        await TASKS[number - 1](at, first, further)
        await at.shows(f"[{number}✓]")
        assert read_progress(home / PROGRESS) == Progress(number, before | {number})
        assert await picture(at, 120, 40) == snapshot(name="120x40")
        assert await picture(at, 80, 24) == snapshot(name="80x24")
        num_traces = len(first.commands(insight.TraceText))
        if number == 6:
            await at.press("enter")
        at.screen.action_open_stop(1)
        if number == 4:
            await wait_until(lambda: at.view.step == 0, "the model of the lesson")
        at.screen.action_open_stop(number)
        if number == 3:
            await wait_until(lambda: len(first.commands(insight.TraceText)) > num_traces, "the question once more")
        elif number == 4:
            await at.shows("step 3   loss 0.06 bits", "written: good morning")  # a tweet known by heart is kept
            await wait_until(lambda: isinstance(further.received[-1], c.Stop), "the end of the run on one tweet")
        elif number == 6:
            await wait_until(lambda: first.commands(c.ChangeSettings)[-1] == change(batch_size=32), "the usual size")
