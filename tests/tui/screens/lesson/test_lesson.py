"""The lesson on its screen: going between stops, sizes, code and help, pausing, changes of the run, and leaving."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import CheckpointError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import folder_of_run
from tests.engine.checkpoints.saved import write_checkpoint
from tests.fakes import RaisingSession, batch_shown, eval_finished, run_started, steps_finished
from tests.tui.conftest import opened, screen_text, shows, toasted, wait_until
from tests.tui.screens.lesson.conftest import PROGRESS, LessonSession, OpenLesson, ready
from tui.app.lesson_app import LessonApp
from tui.lesson.progress import read_progress
from tui.lesson.stops import STOPS
from tui.process.outcome import Outcome
from tui.screens.dialogs.base import YesDialog
from tui.screens.lesson.dialogs import CodeDialog, LessonHelp
from tui.screens.lesson.live_picture import LivePicture
from tui.screens.lesson.pause_note import PauseNote
from tui.screens.lesson.screen import LessonScreen, LessonText
from tui.widgets.plot.loss_plot import LossPlot
from tui.xray.spans import plain

SIZE = (80, 24)


async def phase_is(app: LessonApp, phase: str) -> None:
    await wait_until(lambda: app.lesson_screen.lesson.run.view.phase == phase, phase)


# ------------------------------------------------------------------------------------------ keys and sizes


async def test_the_first_stop_types_every_letter_and_its_bar_offers_only_what_is_not_typed(
    open_lesson: OpenLesson, home: Path
) -> None:
    app = open_lesson(LessonSession())
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await shows(app, STOPS[0].text[:30], "esc text", "→ next stop")
        assert "q quit" not in screen_text(app)
        await pilot.press("q", "u", "i", "c", "k", "question_mark")
        await shows(app, "quick?", "7 inputs")
        await pilot.press("escape")
        await shows(app, "enter type", "C code", "q quit")
        await pilot.press("2")
        await shows(app, "[2]", "The model")
        await pilot.press("left")
        await shows(app, "[1]", "esc text", "quick?")
        await pilot.press("right")  # at the end of the line
        await shows(app, "[2]")
        await pilot.press(*["right"] * 7)
        await shows(app, "[8]")
        assert read_progress(home / PROGRESS).stop == 8
        await pilot.click(offset=(3, 0))
        await shows(app, "[2]", "The model")


async def test_code_and_help_are_dialogs_a_warning_is_a_toast_and_tab_and_escape_move_the_focus(
    open_lesson: OpenLesson,
) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=5)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await ready(app)
        session.emit(e.Warned(step=0, elapsed_seconds=0.0, kind="disk", message="The disk is full."))
        await toasted(app, "The disk is full.")
        await pilot.press("C")
        await opened(app, CodeDialog)
        await shows(app, "Sampling and temperature, in plain PyTorch", "torch.softmax(logits / temperature, dim=-1)")
        await pilot.press("y")
        await toasted(app, "The code was sent to the clipboard.")
        assert app.clipboard.startswith('"""Sampling')
        await pilot.press("C")
        await opened(app, LessonScreen)
        await pilot.press("question_mark")
        await opened(app, LessonHelp)
        await shows(app, "Nothing is locked.")
        await pilot.press("escape")
        await opened(app, LessonScreen)
        await pilot.press("tab")
        await wait_until(lambda: not isinstance(screen.focused, LessonText), "the focus of the view")
        await pilot.press("escape")
        await wait_until(lambda: isinstance(screen.focused, LessonText), "the focus of the text")


async def test_a_small_terminal_shows_the_text_or_the_view_and_a_middle_one_the_view_with_the_task(
    open_lesson: OpenLesson,
) -> None:
    app = open_lesson(LessonSession())
    async with app.run_test(size=(40, 12)) as pilot:
        await ready(app)
        await shows(app, STOPS[0].text[:30], "q quit")
        await pilot.press("h", "i")
        await shows(app, "hi", "3 inputs")
        await pilot.press("escape", "2")
        await shows(app, "Three parts.", "Press enter four times")
        assert "embeddings" not in screen_text(app)
        await pilot.press("tab")
        await shows(app, "(B, T, E)", "↓ projection")
        await wait_until(lambda: "Three parts." not in screen_text(app))
        app.glyphs = "ascii"
        view = app.lesson_screen.current.query_one(LivePicture)
        await wait_until(lambda: plain(view.picture).isascii(), "the picture in ASCII")
        await pilot.resize_terminal(*SIZE)
        await shows(app, "Press enter four times", "(B, T, V)")
        await wait_until(lambda: "Three parts." not in screen_text(app))
        await pilot.press("escape")
        await shows(app, "Three parts.", "(B, T, V)")
        await pilot.resize_terminal(30, 9)
        await shows(app, "At least 40 columns")


def left_text(app: LessonApp) -> str:
    """Return the words of text, task and result."""
    edge = app.screen.query_one("#lesson-left").content_region.right
    return " ".join(" ".join(line[:edge] for line in screen_text(app).splitlines()).split())


async def test_a_long_text_scrolls_and_task_result_and_pause_are_whole(open_lesson: OpenLesson) -> None:
    session = LessonSession()
    app = open_lesson(session, done=frozenset(range(1, len(STOPS) + 1)))
    async with app.run_test(size=(40, 12)) as pilot:
        screen = await ready(app)
        note = screen.query_one(PauseNote)
        session.emit(steps_finished(1, [3.0] * 5000))
        for size in ((40, 12), (80, 20), (80, 30), (100, 20), (100, 24)):  # and those recorded in `test_stops`
            await pilot.resize_terminal(*size)
            for number, stop in enumerate(STOPS, 1):
                screen.action_open_stop(number)
                screen.set_focus(screen.query_one(LessonText))
                await wait_until(lambda stop=stop: note.display == bool(stop.train_to), "the pause")  # type: ignore[misc]
                await pilot.pause()  # in an earlier layout they may be whole by chance
                for part in (f"▸ {stop.task}", f"✓ {stop.learned}", *(["space trains on."] if stop.train_to else [])):
                    await wait_until(lambda part=part: part in left_text(app), part)  # type: ignore[misc]


async def test_the_stop_on_training_shows_scale_and_curve_at_once_from_60_x_20_on(open_lesson: OpenLesson) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=7)
    async with app.run_test(size=(60, 20)) as pilot:
        screen = await ready(app)
        session.emit(steps_finished(1, [2.0] * 300))
        await shows(app, "Step 300. Trained before")  # continued, without a validation so far
        session.emit(eval_finished(300, 2.8))
        plot = screen.current.query_one(LossPlot)
        for size in ((60, 20), (80, 34), (120, 24)):
            await pilot.resize_terminal(*size)
            for key, is_on_view in (("tab", True), ("escape", False)):
                await pilot.press(key)
                await wait_until(lambda on=is_on_view: screen.has_class("-on-view") == on, "the focus")  # type: ignore[misc]
                await shows(app, "log2 V", "▸ validation", "Step 300.", "─ bits")
                await wait_until(lambda: plot.picture.panes and plot.picture.cells.width == plot.size.width, "a curve")


# ------------------------------------------------------------------------------------------------ the run


async def test_space_trains_and_pauses_until_another_stop_is_opened_or_enter_trains(open_lesson: OpenLesson) -> None:
    session, new = LessonSession(), LessonSession()
    app = open_lesson(session, new, stop=5)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await phase_is(app, "training")
        assert "Paused" not in screen_text(app)
        session.emit(steps_finished(1, [2.0] * 400))
        await pilot.press("space")
        await phase_is(app, "paused")
        num_before = len(session.commands(c.Resume))
        await pilot.press("enter")
        await shows(app, "rung 5 of seed 1", "Paused at step 400; space trains on.")
        assert len(session.commands(c.Resume)) == num_before, "sampling does not train"
        await pilot.press("6")
        await shows(app, "Paused at step 400: that is enough for this stop; space trains on.")
        await pilot.press("space")
        await phase_is(app, "training")
        await wait_until(lambda: "Paused" not in screen_text(app), "the end of the pause")
        await pilot.press("7")
        await phase_is(app, "paused")
        await pilot.press("space")
        await phase_is(app, "training")
        await pilot.press("space")
        await phase_is(app, "paused")
        await pilot.press("enter")
        await wait_until(lambda: new.commands(c.Resume), "training from random weights")


async def test_a_batch_is_sorted_or_not_scrolls_and_is_never_one_of_a_single_tweet(open_lesson: OpenLesson) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=6)
    async with app.run_test(size=SIZE) as pilot:
        screen = await ready(app)
        await wait_until(lambda: session.commands(c.ShowBatch)[-1:] == [c.ShowBatch(shuffled=True)], "both batches")
        session.emit(batch_shown(["alike", "twins"]))
        await shows(app, "sorted by length, as trained", "B 2, T 6")
        session.emit(batch_shown(["alone"]))
        tick = screen._num_ticks
        await wait_until(lambda: screen._num_ticks > tick + 1, "the single tweet, which has no padding")
        assert "B 2, T 6" in screen_text(app)
        await pilot.press("v")
        await shows(app, "a batch of 2, tweets in random order, not sorted by length:")
        await wait_until(lambda: len(session.commands(c.ShowBatch)) == 3, "another one")
        session.emit(batch_shown(["s" * 100, "long" * 25], shuffled=True))
        await shows(app, "B 2, T 101", "0         10 ", "C code")
        await pilot.press("tab", "right")
        await shows(app, "← → scroll", "  10        20 ")
        await pilot.press(*["right"] * 9)
        await shows(app, "  90  ")
        await pilot.press(*["left"] * 9)
        await shows(app, "0         10 ", "[6]")
        await pilot.press("v")
        await shows(app, "sorted by length, as trained")


async def test_leaving_at_one_tweet_a_step_sets_the_usual_batch_size_before_the_run_is_saved(
    open_lesson: OpenLesson,
) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=6)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await pilot.press("enter", "q")
        await wait_until(lambda: not app.is_running)
    await wait_until(lambda: session.commands(c.Stop))
    assert session.received[-2] == c.SetBatchSize(batch_size=32)
    assert app.return_value == Outcome()


@pytest.mark.parametrize(("code", "reason"), [(130, "interrupted"), (143, "terminated"), (129, "hung up")])
async def test_a_signal_ends_lesson_and_run_with_its_code(open_lesson: OpenLesson, code: int, reason: str) -> None:
    session = LessonSession()
    app = open_lesson(session)
    async with app.run_test(size=SIZE):
        await ready(app)
        app.receive(code)
        await wait_until(lambda: not app.is_running)
    assert app.return_code == code
    await wait_until(lambda: c.Stop(reason=reason) in session.received)


# ------------------------------------------------------------------------------------------- changes of run


async def test_a_run_on_one_tweet_that_was_left_is_forgotten_also_where_the_stop_was_done_before(
    open_lesson: OpenLesson,
) -> None:
    overfit, main = LessonSession("overfit"), LessonSession()
    app = open_lesson(LessonSession(), overfit, main, stop=4, done=frozenset({4}))
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app)
        await pilot.press("enter")
        await wait_until(lambda: overfit.commands(c.Resume), "training after the first trace")
        await pilot.press("left", "right")
        await wait_until(lambda: isinstance(overfit.received[-1], c.Stop), "the end of the run on one tweet")
        await shows(app, "The run on one tweet was not kept", STOPS[3].task[:20], STOPS[3].learned[:20])
        await wait_until(lambda: main.received, "the run of the lesson")
        await ready(app)
        assert not app.lesson_screen.current.wants_training()


async def test_the_model_of_the_lesson_continues_with_its_curve_shown_while_the_run_on_one_tweet_still_ends(
    open_lesson: OpenLesson,
) -> None:
    first, overfit = LessonSession(), LessonSession("overfit", num_train_tweets=1)
    again = LessonSession(step=3, resumed_from="lesson/latest")
    overfit.may_end.clear()
    app = open_lesson(first, overfit, again, stop=4)
    write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await ready(app)
        first.emit(steps_finished(1, [4.7, 4.5, 4.4]))
        first.emit(eval_finished(3, 4.2))
        await wait_until(lambda: screen.lesson.run.view.val_points, "the losses")
        await pilot.press("enter")
        await wait_until(lambda: overfit.received, "the run on one tweet")
        overfit.emit(steps_finished(1, [3.0, 0.4]))
        await wait_until(lambda: screen.lesson.run.view.step == 2, "its steps")
        await pilot.press("7")
        await wait_until(lambda: isinstance(overfit.received[-1], c.Stop), "the command to end")
        await shows(app, "Step 3.", "validation", "bits per character ─")
        overfit.may_end.set()
        await wait_until(lambda: again.received, "the run of the lesson")
        await shows(app, "Step 3.", "validation", "bits per character ─")
        assert app.bridges[-1].config.resume == "lesson"
        assert screen.lesson.run.view.smoothed_loss is not None


async def test_a_failed_run_of_the_lesson_continues_with_its_curve_after_the_run_on_one_tweet(
    open_lesson: OpenLesson,
) -> None:
    script = (run_started(run="lesson"), steps_finished(1, [4.7, 4.5]), eval_finished(2, 4.2))
    failing = RaisingSession(CheckpointError("The disk is gone.", ""), script)
    overfit, again = LessonSession("overfit"), LessonSession(step=2, resumed_from="lesson/latest")
    app = open_lesson(failing, overfit, again, stop=4)
    write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, YesDialog)
        await pilot.press("escape")
        await opened(app, LessonScreen)
        await pilot.press("enter")
        await wait_until(lambda: overfit.received, "the run on one tweet")
        await pilot.press("7")
        await wait_until(lambda: again.received, "the run of the lesson")
        await shows(app, "Step 2.", "validation", "bits per character ─")


async def test_after_a_yes_a_run_that_can_not_be_continued_is_replaced_and_a_failed_one_on_one_tweet_left(
    open_lesson: OpenLesson,
) -> None:
    damaged = RaisingSession(CheckpointError("latest is damaged.", "Start anew."))
    overfit = RaisingSession(CheckpointError("The disk is gone.", ""))
    app = open_lesson(damaged, LessonSession(), overfit, LessonSession(), stop=4)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, YesDialog)
        await shows(app, "latest is damaged. Start anew.", "start again from random weights")
        await pilot.press("y")
        await ready(app)
        assert app.bridges[-1].config.resume is None
        write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
        await pilot.press("enter")
        await opened(app, YesDialog)
        await pilot.press("y")
        await ready(app)
        assert app.bridges[-1].config.resume == "lesson"
