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
from tests.tui.conftest import opened, screen_text, toasted, wait_until
from tests.tui.lesson.conftest import PROGRESS, LessonSession, Open, Visit
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

LARGE = (120, 40)

# ------------------------------------------------------------------------------------------ keys and sizes


async def test_the_first_stop_types_every_letter_and_its_bar_offers_what_is_not_typed(visit: Open, home: Path) -> None:
    async with visit(LessonSession()) as at:
        await at.press(shows=(STOPS[0].text[:30], "esc text", "→ next stop"), lacks="q quit")
        await at.press(*"quick?", shows=("quick?", "7 inputs"))
        await at.press("escape", shows=("enter type", "C code", "q quit"))
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


async def test_a_small_terminal_shows_the_text_or_the_view_a_middle_one_the_view_with_the_task(visit: Open) -> None:
    async with visit(LessonSession(), size=(40, 12)) as at:
        await at.press(shows=(STOPS[0].text[:30], "q quit"))
        await at.press("h", "i", shows=("hi", "3 inputs"))
        await at.press("escape", "2", shows=("Three parts.", "Press enter four times"), lacks="embeddings")
        await at.press("tab", shows=("(B, T, E)", "↓ projection"), lacks="Three parts.")
        at.app.glyphs = "ascii"
        view = at.screen.current.query_one(LivePicture)
        await wait_until(lambda: plain(view.picture).isascii(), "the picture in ASCII")
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
        for size in ((40, 12), (80, 20), (80, 30), (100, 20)):  # and those recorded in `test_stops`
            await at.resize(*size)
            for number, stop in enumerate(STOPS, 1):
                at.screen.action_open_stop(number)
                at.screen.set_focus(at.screen.query_one(LessonText))
                await wait_until(lambda stop=stop: note.display == bool(stop.train_to), "the pause")  # type: ignore[misc]
                await at.settle()
                pause = "space trains on." if stop.train_to else ""
                parts = (f"▸ {stop.task}", f"✓ {stop.learned}", pause)
                await wait_until(lambda parts=parts: all(part in left_text(at) for part in parts), f"{size}, {parts}")  # type: ignore[misc]


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


# ------------------------------------------------------------------------------------------------ the run


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
        await wait_until(lambda: session.commands(c.ShowBatch)[-1:] == [c.ShowBatch(shuffled=True)], "both batches")
        session.emit(batch_shown(["alike", "twins"]))
        await at.shows("sorted by length, as trained", "B 2, T 6")
        await at.emit(batch_shown(["alone"]))  # which has no padding
        await at.shows("B 2, T 6")
        await at.press("v", shows="a batch of 2, tweets in random order, not sorted by length:")
        await wait_until(lambda: len(session.commands(c.ShowBatch)) == 3, "another one")
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
    assert session.received[-2] == c.SetBatchSize(batch_size=32)
    assert at.app.return_value == Outcome()


@pytest.mark.parametrize(("code", "reason"), [(130, "interrupted"), (143, "terminated"), (129, "hung up")])
async def test_a_signal_ends_lesson_and_run_with_its_code(visit: Open, code: int, reason: str) -> None:
    session = LessonSession()
    async with visit(session) as at:
        at.app.receive(code)
        await wait_until(lambda: not at.app.is_running)
    assert at.app.return_code == code
    await wait_until(lambda: c.Stop(reason=reason) in session.received)


# ------------------------------------------------------------------------------------------- changes of run


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
        assert at.app.bridges[-1].config.resume == "lesson"
        assert at.view.smoothed_loss is not None


async def test_a_failed_run_of_the_lesson_continues_with_its_curve_after_the_run_on_one_tweet(visit: Open) -> None:
    script = (run_started(run="lesson"), steps_finished(1, [4.7, 4.5]), eval_finished(2, 4.2))
    failing = RaisingSession(CheckpointError("The disk is gone.", ""), script)
    overfit, again = LessonSession("overfit"), LessonSession(step=2, resumed_from="lesson/latest")
    write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
    async with visit(failing, overfit, again, stop=4, size=LARGE, is_ready=False) as at:
        await opened(at.app, YesDialog)
        await at.press("escape", opens=LessonScreen)
        await at.press("enter")
        await wait_until(lambda: overfit.received, "the run on one tweet")
        await at.press("7")
        await wait_until(lambda: again.received, "the run of the lesson")
        await at.shows("Step 2.", "validation", "bits per character ─")


async def test_after_a_yes_a_run_that_can_not_continue_is_replaced_and_a_failed_one_on_one_tweet_left(
    visit: Open,
) -> None:
    damaged = RaisingSession(CheckpointError("latest is damaged.", "Start anew."))
    overfit = RaisingSession(CheckpointError("The disk is gone.", ""))
    async with visit(damaged, LessonSession(), overfit, LessonSession(), stop=4, is_ready=False) as at:
        await opened(at.app, YesDialog)
        await at.shows("latest is damaged. Start anew.", "start again from random weights")
        await at.press("y")
        await at.is_ready()
        assert at.app.bridges[-1].config.resume is None
        write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
        await at.press("enter", opens=YesDialog)
        await at.press("y")
        await at.is_ready()
        assert at.app.bridges[-1].config.resume == "lesson"
