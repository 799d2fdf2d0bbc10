"""The lesson on its screen: each stop's deed, going between stops, code, help, leaving, and a run that fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.errors import CheckpointError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import folder_of_run
from tests.engine.checkpoints.saved import write_checkpoint
from tests.fakes import RaisingSession, batch_shown, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import opened, screen_text, shows, toasted, wait_until
from tests.tui.screens.lesson.conftest import PROGRESS, LateSession, LessonSession, OpenLesson
from tui.app.lesson_app import LessonApp
from tui.lesson.progress import Progress, read_progress
from tui.lesson.stops import STOPS
from tui.process.outcome import Outcome
from tui.screens.dialogs.base import YesDialog
from tui.screens.lesson.dialogs import CodeDialog, LessonHelp
from tui.screens.lesson.screen import LessonScreen, LessonText

SIZE = (120, 40)


async def ready(app: LessonApp) -> LessonScreen:
    """Wait until the run accepts commands and the view was notified."""
    screen = app.lesson_screen
    await wait_until(lambda: screen.is_mounted and screen.lesson.run.is_ready and screen._is_announced, "the run")
    return screen


async def press(pilot: Pilot[Outcome], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)


def is_done(app: LessonApp, stop: int) -> bool:
    return stop in app.lesson_screen.lesson.progress.done


async def test_a_typed_tweet_with_an_unknown_character_shows_its_ids_and_does_the_first_stop(
    open_lesson: OpenLesson, home: Path
) -> None:
    app = open_lesson(LessonSession())
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await shows(app, "[1] 2 3", "Characters", "@anna happy friday!", "<EOS>", "a matrix of 20 x 40")
        await press(pilot, *"hi", "dollar_sign")
        await shows(app, "hi$", "4 inputs from <BOS> on, 1 of them <UNK>")
        await shows(app, "[1✓]", STOPS[0].learned[:30])
    assert read_progress(home / PROGRESS) == Progress(1, frozenset({1}))


async def test_the_example_text_alone_does_not_do_the_first_stop(open_lesson: OpenLesson) -> None:
    app = open_lesson(LessonSession())
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await shows(app, "a matrix of 20 x 40")
        await press(pilot, *"hi")
        await shows(app, "3 inputs")
        assert not is_done(app, 1)


async def test_the_first_stop_types_every_letter_at_once_and_its_bar_offers_only_what_is_not_typed(
    open_lesson: OpenLesson,
) -> None:
    app = open_lesson(LessonSession())
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app)
        await shows(app, STOPS[0].text[:30], "esc text", "→ next stop")
        assert "q quit" not in screen_text(app)
        await press(pilot, *"quick?")
        await shows(app, "quick?", "7 inputs")
        await press(pilot, "escape")
        await shows(app, "enter type", "C code", "q quit")
        await press(pilot, "2")
        await shows(app, "[2]", "The model")
        await press(pilot, "left")
        await shows(app, "esc text")
        await press(pilot, "escape")
        await shows(app, "C code")
        await press(pilot, "C")
        await opened(app, CodeDialog)
        await press(pilot, "escape")
        await opened(app, LessonScreen)
        await press(pilot, "right")
        await shows(app, "[2]")
        await press(pilot, "left")
        await shows(app, "esc text", "quick?")
        await press(pilot, "right")
        await shows(app, "[2]")
        await press(pilot, "5")
        await shows(app, "[5]")


async def test_in_a_small_terminal_the_first_stop_shows_its_text_until_a_letter_is_typed(
    open_lesson: OpenLesson,
) -> None:
    app = open_lesson(LessonSession())
    async with app.run_test(size=(40, 12)) as pilot:
        await ready(app)
        await shows(app, STOPS[0].text[:30], "q quit")
        await press(pilot, *"hi")
        await shows(app, "hi", "3 inputs")


async def test_an_empty_line_has_the_rows_of_bos_and_eos_and_is_not_traced(open_lesson: OpenLesson) -> None:
    session = LessonSession()
    app = open_lesson(session)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await shows(app, "a matrix of 20 x 40")
        await press(pilot, "h", "backspace")
        await shows(app, "<BOS>", "<EOS>", "1 input from <BOS> on: a matrix of 1 x 40")
        await press(pilot, "i")
        await shows(app, "2 inputs from <BOS> on")
    assert c.TraceText(text="", request=1_000_001) not in session.received


async def test_four_parts_of_the_model_are_shown_one_by_one_with_the_numbers_of_the_run(
    open_lesson: OpenLesson,
) -> None:
    app = open_lesson(LessonSession(), stop=2)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await shows(app, "ids        (B, T)     ?")
        await press(pilot, *["enter"] * 3)
        await shows(app, "(2, 13, 128)", "3 x H x (E + H + 2) = 99,072 parameters")
        assert not is_done(app, 2)
        await press(pilot, "enter")
        await shows(app, "(2, 13, 120)", "129,912 parameters in all", "[2✓]")


async def test_a_run_on_one_tweet_is_started_traced_trained_and_traced_again(open_lesson: OpenLesson) -> None:
    main, overfit = LessonSession(), LessonSession("overfit")
    app = open_lesson(main, overfit, stop=4)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await shows(app, "Nothing is trained yet")
        await press(pilot, "tab", "enter")
        await wait_until(lambda: overfit.commands(c.Resume), "training after the first trace")
        assert not isinstance(app.screen.focused, LessonText)  # the view kept the focus while the run changed
        await press(pilot, "escape")
        await wait_until(lambda: isinstance(app.screen.focused, LessonText), "the focus of the text")
        assert isinstance(main.received[-1], c.Stop)
        kinds = [type(command) for command in overfit.received]
        assert kinds == [c.Pause, c.ShowBatch, c.TraceText, c.Resume]
        await shows(
            app, "tweet:   good morning", "gates before training", "step 0   loss 2.00 bits; log2 V = log2 40 = 5.32"
        )
        overfit.emit(steps_finished(1, [3.0, 1.0, 0.04]))
        await shows(app, "loss 0.06 bits")
        assert not is_done(app, 4)
        overfit.emit(tweet_sampled("good morning", 3))
        await shows(app, "written: good morning", "gates after training", "another:", "[4✓]")
        assert app.bridges[-1].config.corpus is not None
        await press(pilot, "right")
        await wait_until(lambda: isinstance(overfit.received[-1], c.Stop), "the end of the run on one tweet")


async def test_a_run_on_one_tweet_that_was_left_is_forgotten_also_where_the_stop_was_done_before(
    open_lesson: OpenLesson,
) -> None:
    overfit, main = LessonSession("overfit"), LessonSession()
    app = open_lesson(LessonSession(), overfit, main, stop=4, done=frozenset({4}))
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await press(pilot, "enter")
        await wait_until(lambda: overfit.commands(c.Resume), "training after the first trace")
        await press(pilot, "left", "right")
        await shows(app, "The run on one tweet was not kept", STOPS[3].task[:20], STOPS[3].learned[:20])
        await wait_until(lambda: main.received, "the run of the lesson")
        await ready(app)
        assert not app.lesson_screen.current.wants_training()


async def test_one_seed_is_sampled_at_six_temperatures_and_the_bars_follow_plus_and_minus(
    open_lesson: OpenLesson,
) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=5)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await wait_until(lambda: session.commands(c.Resume), "training up to the first good tweets")
        session.emit(steps_finished(1, [2.0] * 1200))
        run = app.lesson_screen.lesson.run
        await wait_until(lambda: (run.view.step, run.view.phase) == (1200, "paused"), "enough steps")
        await shows(app, "at temperature 1", "rest", "37 others, mean")
        await press(pilot, "enter")
        await shows(app, "rung 0.1 of seed 1", "rung 5 of seed 1")
        await press(pilot, *["-"] * 5)
        await shows(app, "at temperature 0.1")
        assert not is_done(app, 5)
        await press(pilot, *["+"] * 9)
        await shows(app, "at temperature 5", "[5✓]")


async def test_batch_sizes_1_and_32_are_measured_one_after_the_other_and_32_is_set_again(
    open_lesson: OpenLesson,
) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=6)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        session.emit(steps_finished(1, [2.0] * 300))
        await shows(app, "B 2, T 13")
        for size, speed, first in ((1, 9_000.0, 301), (32, 90_000.0, 401)):
            await press(pilot, "enter")
            await wait_until(lambda size=size: c.SetBatchSize(batch_size=size) in session.received, "the size")  # type: ignore[misc]
            session.emit(steps_finished(first, [2.0, 2.5] * 20, chars_per_second=speed))
            await shows(app, f"▸ {size} a step")
        await shows(app, "32 against 1: 10.0 times the characters a second", "[6✓]")
        await press(pilot, "enter", "left")
        await wait_until(
            lambda: session.commands(c.SetBatchSize)[-1] == c.SetBatchSize(batch_size=32), "the usual size"
        )


async def test_a_model_from_random_weights_is_placed_among_the_levels_until_it_has_passed_the_bigram(
    open_lesson: OpenLesson,
) -> None:
    before, new = LessonSession(), LessonSession()
    app = open_lesson(before, new, stop=7)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await shows(app, "log2 V: each character equally likely", "only how frequent each is", "No validation yet")
        before.emit(eval_finished(50, 2.0))
        await shows(app, "it uses more of the tweet")
        assert not is_done(app, 7)
        await press(pilot, "enter")
        await wait_until(lambda: new.commands(c.Resume), "training")
        new.emit(steps_finished(1, [4.7, 3.1]))
        new.emit(eval_finished(2, 4.2))
        await shows(app, "It has passed the unigram; next is the bigram.")
        assert not is_done(app, 7)
        new.emit(eval_finished(3, 3.5))
        await shows(app, "It has passed the bigram; next is the 5-gram.", "[7✓]")
        assert app.bridges[-1].config.resume is None


async def test_enter_trains_after_space_has_paused_the_model(open_lesson: OpenLesson) -> None:
    before, new = LessonSession(), LessonSession()
    app = open_lesson(before, new, stop=7)
    async with app.run_test(size=SIZE) as pilot:
        run = (await ready(app)).lesson.run
        await press(pilot, "space")
        await wait_until(lambda: run.view.phase == "training")
        await press(pilot, "space")
        await wait_until(lambda: run.view.phase == "paused")
        await shows(app, "No validation yet")
        await press(pilot, "enter")
        await wait_until(lambda: new.commands(c.Resume), "training from random weights")


async def test_enter_that_trains_nothing_leaves_the_model_paused(open_lesson: OpenLesson) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=5)
    async with app.run_test(size=SIZE) as pilot:
        run = (await ready(app)).lesson.run
        await wait_until(lambda: run.view.phase == "training")
        session.emit(steps_finished(1, [2.0] * 400))
        await press(pilot, "space")
        await wait_until(lambda: run.view.phase == "paused")
        num_before = len(session.commands(c.Resume))
        await press(pilot, "enter")
        await shows(app, "rung 5 of seed 1", "Paused at step 400; space trains on.")
        assert len(session.commands(c.Resume)) == num_before


async def test_arrows_and_clicks_go_between_stops_and_the_open_one_is_kept(open_lesson: OpenLesson, home: Path) -> None:
    app = open_lesson(LessonSession(), stop=7)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await press(pilot, "right", "right")
        await shows(app, "[8]")
        assert read_progress(home / PROGRESS).stop == 8
        await press(pilot, *["left"] * 9)
        await shows(app, "[1]", "Characters")
        await pilot.click(offset=(5, 0))
        await shows(app, "[2]", "The model")
        assert read_progress(home / PROGRESS).stop == 2


async def test_c_shows_the_code_of_the_stop_and_y_copies_it(open_lesson: OpenLesson) -> None:
    app = open_lesson(LessonSession(), stop=5)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await press(pilot, "C")
        await opened(app, CodeDialog)
        await shows(app, "Sampling and temperature, in plain PyTorch", "torch.softmax(logits / temperature, dim=-1)")
        await press(pilot, "y")
        await toasted(app, "The code was sent to the clipboard.")
        assert app.clipboard.startswith('"""Sampling')
        await press(pilot, "C")
        await opened(app, LessonScreen)
        await press(pilot, "question_mark")
        await opened(app, LessonHelp)
        await shows(app, "Nothing is locked.")


async def test_escape_returns_from_view_to_text_and_q_saves_and_leaves(open_lesson: OpenLesson) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=2)
    async with app.run_test(size=SIZE) as pilot:
        screen = await ready(app)
        await press(pilot, "tab")
        await wait_until(lambda: not isinstance(screen.focused, LessonText), "the focus of the view")
        await press(pilot, "escape")
        await wait_until(lambda: isinstance(screen.focused, LessonText), "the focus of the text")
        await press(pilot, "q")
        await wait_until(lambda: not app.is_running)
    assert app.return_value == Outcome()
    await wait_until(lambda: isinstance(session.received[-1], c.Stop))


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


async def test_a_run_that_can_not_be_continued_is_replaced_after_a_yes(open_lesson: OpenLesson) -> None:
    app = open_lesson(RaisingSession(CheckpointError("latest is damaged.", "Start anew.")), LessonSession())
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, YesDialog)
        await shows(app, "latest is damaged. Start anew.", "start again from random weights")
        await press(pilot, "y")
        await ready(app)
        await shows(app, "a matrix of 20 x 40")
        assert app.bridges[-1].config.resume is None


async def test_space_trains_and_pauses_the_model_until_another_stop_is_opened(open_lesson: OpenLesson) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=2)
    async with app.run_test(size=SIZE) as pilot:
        screen = await ready(app)
        await press(pilot, "space")
        await wait_until(lambda: screen.lesson.run.view.phase == "training")
        await press(pilot, "left")
        await wait_until(lambda: screen.lesson.run.view.phase == "paused")


async def test_a_batch_of_one_tweet_has_no_padding_and_is_not_shown(open_lesson: OpenLesson) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=6)
    async with app.run_test(size=SIZE):
        await ready(app)
        await shows(app, "B 2, T 13")
        session.emit(batch_shown(["alone"]))
        session.emit(batch_shown(["now", "there", "are three"]))
        await shows(app, "B 3, T 10")


async def test_b_shows_a_batch_of_shuffled_tweets_and_again_the_sorted_one(open_lesson: OpenLesson) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=6)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await wait_until(lambda: session.commands(c.ShowBatch)[-1:] == [c.ShowBatch(shuffled=True)], "both batches")
        session.emit(batch_shown(["alike", "twins"]))
        session.emit(batch_shown(["long and longer", "hi"], shuffled=True))
        await shows(app, "sorted by length, as trained", "B 2, T 6")
        await press(pilot, "v")
        await shows(app, "a batch of 2, tweets in random order, not sorted by length:")
        await wait_until(lambda: len(session.commands(c.ShowBatch)) == 3, "another one")
        session.emit(batch_shown(["a much longer tweet", "yo"], shuffled=True))
        await shows(app, "B 2, T 20")
        await press(pilot, "v")
        await shows(app, "sorted by length, as trained")


async def test_the_batch_opens_at_its_left_end_and_the_arrows_scroll_it_once_the_view_has_the_focus(
    open_lesson: OpenLesson,
) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=6)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app)
        await wait_until(lambda: session.commands(c.ShowBatch), "its own batch, which the next one replaces")
        session.emit(batch_shown(["s" * 100, "long" * 25]))
        await shows(app, "a batch of 2, sorted by length", "0         10 ", "C code")
        await press(pilot, "tab", "right")
        await shows(app, "← → scroll", "  10        20 ")
        await press(pilot, *["right"] * 9)
        await shows(app, "  90  ")
        await press(pilot, *["left"] * 9)
        await shows(app, "0         10 ", "[6]")


async def test_a_continued_model_without_a_validation_loss_yet_is_placed_among_nothing(open_lesson: OpenLesson) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=7)
    async with app.run_test(size=SIZE):
        await ready(app)
        session.emit(steps_finished(1, [2.0] * 300))
        await shows(app, "Step 300. Trained before")


async def test_leaving_while_training_with_one_tweet_per_step_sets_the_usual_batch_size_before_the_run_is_saved(
    open_lesson: OpenLesson,
) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=6)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await press(pilot, "enter", "q")
        await wait_until(lambda: not app.is_running)
    await wait_until(lambda: session.commands(c.Stop))
    assert session.received[-2] == c.SetBatchSize(batch_size=32)


async def test_stepping_to_the_end_and_own_draws_do_the_stop_on_teacher_forcing(open_lesson: OpenLesson) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=3)
    async with app.run_test(size=SIZE) as pilot:
        screen = await ready(app)
        session.emit(steps_finished(1, [3.0] * 300))
        await shows(app, "good morning", "[1 step]")
        await press(pilot, "tab")
        for place in range(len("good morning") + 1):
            await wait_until(lambda place=place: place in screen.lesson.facts.stepped, f"place {place}")  # type: ignore[misc]
            await press(pilot, "right")
        await shows(app, "one at a time", "at once")
        assert not is_done(app, 3)
        await press(pilot, "g")
        await shows(app, "fed its draws", "[3✓]", "g own draws", "n again")


async def test_three_views_and_a_held_unit_do_the_last_stop(open_lesson: OpenLesson) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=8, done=frozenset(range(1, 8)))
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        session.emit(steps_finished(1, [3.0] * 2000))
        await shows(app, "good morning", "[3 reach]")
        await press(pilot, "tab", "5")
        await shows(app, "[5 map]")
        await press(pilot, "4")
        await shows(app, "in an @name", "esc text", "[ ] hold", "0 free", "q quit")
        assert not is_done(app, 8)
        await press(pilot, "right_square_bracket")
        await shows(app, "[8✓]")
        await toasted(app, "All eight stops are done.")


async def test_an_answer_that_came_while_another_stop_was_open_is_asked_for_again(open_lesson: OpenLesson) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=3)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await shows(app, "good morning")
        await wait_until(lambda: session.commands(c.TraceText), "the first question")
        num_asked = len(session.commands(c.TraceText))
        await press(pilot, "right", "left")
        await wait_until(lambda: len(session.commands(c.TraceText)) > num_asked, "the question")


async def test_after_a_failed_run_on_one_tweet_the_model_of_the_lesson_is_kept(open_lesson: OpenLesson) -> None:
    failing = RaisingSession(CheckpointError("The disk is gone.", ""))
    app = open_lesson(LessonSession(), failing, LessonSession(), stop=4)
    write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await press(pilot, "enter")
        await opened(app, YesDialog)
        await press(pilot, "y")
        await ready(app)
        assert app.bridges[-1].config.resume == "lesson"


async def test_a_warning_of_the_run_is_a_toast(open_lesson: OpenLesson) -> None:
    session = LessonSession()
    app = open_lesson(session)
    async with app.run_test(size=SIZE):
        await ready(app)
        session.emit(e.Warned(step=0, elapsed_seconds=0.0, kind="disk", message="The disk is full."))
        await toasted(app, "The disk is full.")


async def test_the_model_of_the_lesson_continues_with_its_curve_after_the_run_on_one_tweet(
    open_lesson: OpenLesson,
) -> None:
    first, overfit, again = LessonSession(), LessonSession("overfit"), LessonSession()
    app = open_lesson(first, overfit, again, stop=4)
    write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
    async with app.run_test(size=SIZE) as pilot:
        screen = await ready(app)
        first.emit(steps_finished(1, [4.7, 4.5]))
        await wait_until(lambda: screen.lesson.run.view.step == 2)
        await press(pilot, "enter")
        await wait_until(lambda: overfit.received, "the run on one tweet")
        await press(pilot, "right", "right", "right")
        await wait_until(lambda: again.received, "the run of the lesson")
        await ready(app)
        assert app.bridges[-1].config.resume == "lesson"
        assert screen.lesson.run.view.smoothed_loss is not None


async def test_the_curve_of_the_lesson_is_shown_at_once_while_the_run_on_one_tweet_still_ends(
    open_lesson: OpenLesson,
) -> None:
    first, overfit = LessonSession(), LateSession("overfit", num_train_tweets=1)
    again = LessonSession(step=3, resumed_from="lesson/latest")
    app = open_lesson(first, overfit, again, stop=4)
    write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
    async with app.run_test(size=SIZE) as pilot:
        screen = await ready(app)
        first.emit(steps_finished(1, [4.7, 4.5, 4.4]))
        first.emit(eval_finished(3, 4.2))
        await wait_until(lambda: screen.lesson.run.view.val_points, "the losses")
        await press(pilot, "enter")
        await wait_until(lambda: overfit.received, "the run on one tweet")
        overfit.emit(steps_finished(1, [3.0, 0.4]))
        await wait_until(lambda: screen.lesson.run.view.step == 2, "its steps")
        await press(pilot, "7")
        await wait_until(lambda: isinstance(overfit.received[-1], c.Stop), "the command to end")
        await shows(app, "Step 3.", "validation", "bits per character ─")
        overfit.may_end.set()
        await wait_until(lambda: again.received, "the run of the lesson")
        await shows(app, "Step 3.", "validation", "bits per character ─")


async def test_a_failed_run_of_the_lesson_continues_with_its_curve_after_the_run_on_one_tweet(
    open_lesson: OpenLesson,
) -> None:
    script = (run_started(run="lesson"), steps_finished(1, [4.7, 4.5]), eval_finished(2, 4.2))
    failing = RaisingSession(CheckpointError("The disk is gone.", ""), script)
    overfit, again = LessonSession("overfit"), LessonSession(step=2, resumed_from="lesson/latest")
    app = open_lesson(failing, overfit, again, stop=4)
    write_checkpoint(folder_of_run("lesson").checkpoint_path("latest"))
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, YesDialog)
        await press(pilot, "escape")
        await opened(app, LessonScreen)
        await press(pilot, "enter")
        await wait_until(lambda: overfit.received, "the run on one tweet")
        await press(pilot, "7")
        await wait_until(lambda: again.received, "the run of the lesson")
        await shows(app, "Step 2.", "validation", "bits per character ─")


async def test_a_model_trained_enough_is_paused_with_a_sentence_that_names_the_key_to_train_on(
    open_lesson: OpenLesson,
) -> None:
    session = LessonSession()
    app = open_lesson(session, stop=6)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await ready(app)
        await wait_until(lambda: screen.lesson.run.view.phase == "training")
        assert "Paused" not in screen_text(app)
        session.emit(steps_finished(1, [2.0] * 300))
        await shows(app, "Paused at step 300: that is enough for this stop; space trains on.")
        await press(pilot, "space")
        await wait_until(lambda: screen.lesson.run.view.phase == "training")
        await wait_until(lambda: "Paused" not in screen_text(app), "the end of the pause")
        await press(pilot, "7")
        await shows(app, "Paused at step 300; space trains on.")
