"""`RunView` and its reducer: what the screen knows after which events."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.run import ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.protocol import events as e
from engine.training.schedule import learning_rate_at
from tests.fakes import eval_finished, run_started, step_taken, steps_finished, tweet_sampled
from tui.run.drafts import DraftCounts
from tui.run.eta import eta_of
from tui.run.folding import fold
from tui.run.reducer import MAX_WARNINGS, apply
from tui.run.training_events import MAX_VAL_POINTS
from tui.run.view import RunView


def view_after(*events: e.Event, begin: RunView | None = None) -> RunView:
    view = begin or RunView()
    for event in events:
        view = apply(view, event)
    return view


def loaded(step: int) -> e.CheckpointLoaded:
    return e.CheckpointLoaded(step=step, elapsed_seconds=1.0, name="calm", path="/calm", bits_per_char=None, epochs=0.0)


def paused(step: int) -> e.Paused:
    return e.Paused(step=step, elapsed_seconds=1.0)


def resumed(step: int) -> e.Resumed:
    return e.Resumed(step=step, elapsed_seconds=1.0)


def test_settings_changed_while_running_show_at_once() -> None:
    view = view_after(
        run_started(),
        e.SamplingChanged(step=1, elapsed_seconds=0.1, sampling=SamplingConfig(temperature=1.5)),
        e.LearningRateChanged(step=1, elapsed_seconds=0.1, learning_rate=0.001),
        e.ModelChanged(step=1, elapsed_seconds=0.1, model=ModelConfig(hidden_size=64), num_parameters=7),
        e.ThreadsChanged(step=1, elapsed_seconds=0.1, num_threads=2, precision="bfloat16", message=""),
        e.ThreadsChanged(step=1, elapsed_seconds=0.1, num_threads=3, precision="bfloat16", message=""),
        e.IntervalsChanged(step=1, elapsed_seconds=0.1, eval_every=7, sample_every=0),
    )
    assert (view.sampling.temperature, view.learning_rate) == (1.5, 0.001)
    assert view.model is not None
    assert (view.model.hidden_size, view.num_parameters) == (64, 7)
    assert (view.num_threads, view.precision) == (3, "bfloat16")
    assert view.training is not None
    assert (view.training.eval_every, view.training.sample_every) == (7, 0)


def test_a_changed_budget_limits_the_run_and_ends_a_planned_finish() -> None:
    steps = steps_finished(1, [2.0] * 100)  # 5 seconds
    finish = e.FinishPlanned(step=100, elapsed_seconds=5.0, last_step=110)
    changed = e.BudgetChanged(step=100, elapsed_seconds=5.0, max_steps=400, max_seconds=10.0)
    view = view_after(run_started(training=TrainingConfig(max_steps=100)), steps, finish)
    assert view.limits_in_steps == [100, 110]

    view = apply(view, changed)
    assert (view.limits_in_steps, view.limits_in_seconds) == ([400], [10.0])
    assert view.progress == pytest.approx(0.505, abs=0.01)
    assert apply(view, replace(changed, max_steps=None, max_seconds=None, epochs=2.0)).limits_in_steps == [2 * 594]
    assert not apply(view, replace(changed, max_steps=None, max_seconds=None)).has_budget
    assert apply(view, replace(changed, max_steps=-1)).training == view.training  # only in an edited journal


def test_the_epoch_continues_from_its_value_at_each_change_of_the_batch_size() -> None:
    started = run_started(num_train_tweets=320, training=TrainingConfig(epochs=15))  # 10 steps an epoch
    view = view_after(started, steps_finished(1, [2.0] * 25))
    assert view.epoch == pytest.approx(2.5)
    view = apply(view, e.BatchSizeChanged(step=25, elapsed_seconds=1.0, batch_size=64, epochs=2.6))
    assert view.epoch == pytest.approx(2.6)
    view = apply(view, steps_finished(26, [2.0] * 5))
    assert view.epoch == pytest.approx(3.6)
    assert view.limits_in_steps == [pytest.approx(25 + (15 - 2.6) * 5)]


def test_small_batches_at_the_start_count_as_parts_of_an_epoch_until_another_size_is_set() -> None:
    training = TrainingConfig(batch_size=32, first_batch_size=8, epochs=2)
    view = view_after(run_started(num_train_tweets=320, training=training), steps_finished(1, [2.0] * 20))
    assert view.epoch == pytest.approx(0.5)
    assert view.limits_in_steps == [pytest.approx(40 + 10)]
    view = apply(view, e.BatchSizeChanged(step=20, elapsed_seconds=1.0, batch_size=64, epochs=0.4))
    view = apply(view, steps_finished(21, [2.0] * 3))
    assert view.epoch == pytest.approx(1.0)


def test_a_resume_and_a_load_set_the_number_of_epochs() -> None:
    changed = e.BatchSizeChanged(step=25, elapsed_seconds=1.0, batch_size=64, epochs=2.5)
    view = view_after(run_started(num_train_tweets=320), steps_finished(1, [2.0] * 25), changed)
    lost = view_after(
        run_started(step=20, num_train_tweets=320, resumed_from="latest", epochs=2.0),
        steps_finished(21, [2.0] * 10),
        begin=view,
    )
    assert lost.epoch == pytest.approx(3.0)
    back = view_after(replace(loaded(10), epochs=1.0), steps_finished(11, [2.0] * 5), begin=view)
    assert back.epoch == pytest.approx(2.0)
    elsewhere = view_after(run_started(step=500, num_train_tweets=320, resumed_from="calm", epochs=0.0))
    assert elsewhere.epoch == 0.0


def test_only_the_latest_warnings_are_kept() -> None:
    warned = (e.Warned(step=1, elapsed_seconds=0.0, message=str(number)) for number in range(MAX_WARNINGS + 5))
    assert [warning.message for warning in view_after(*warned).warnings][:1] == ["5"]


def test_loading_a_checkpoint_truncates_the_view_to_its_step() -> None:
    view = view_after(
        run_started(),
        steps_finished(1, [2.0] * 100),
        eval_finished(50, 2.5),
        eval_finished(100, 2.4),
        tweet_sampled("late", 90),
    )
    view = apply(view, loaded(60))
    assert (view.step, view.train_losses.last_step, len(view.train_losses)) == (60, 60, 60)
    assert [point.step for point in view.val_points] == [50]
    assert (view.tweets, view.num_tweets) == ((), 1)
    view = apply(view, steps_finished(61, [1.0]))
    assert len(view.train_losses) == 61


def test_progress_is_the_share_of_the_budget_that_is_used_up_most() -> None:
    steps = steps_finished(1, [2.0] * 100, elapsed_seconds=5.0)
    assert view_after(run_started(training=TrainingConfig(max_steps=1000)), steps).progress == pytest.approx(0.1)
    both = TrainingConfig(max_steps=1000, max_seconds=25.0)
    assert view_after(run_started(training=both), steps).progress == pytest.approx(0.2)
    finished = e.RunFinished(step=100, elapsed_seconds=5.0, reason="done", total_seconds=1.0, total_chars=1)
    assert view_after(run_started(training=TrainingConfig(max_steps=100)), steps, finished).progress == 1.0


def test_a_resumed_run_has_the_rate_of_its_place_on_the_schedule_before_its_first_step() -> None:
    training = TrainingConfig(learning_rate=0.004, max_steps=400, warmup_steps=0, schedule="cosine")
    started = run_started(step=390, resumed_from="latest", training=training)
    assert view_after(started).learning_rate == learning_rate_at(training, 390, 390 / 400)
    assert view_after(started).learning_rate < 0.0005


def test_a_resumed_run_has_the_curve_of_all_sessions_without_the_steps_lost_by_a_kill() -> None:
    lost: list[e.Event] = [steps_finished(101, [9.0] * 20), eval_finished(120, 9.0), tweet_sampled("lost", 120)]
    first: list[e.Event] = [
        run_started(),
        steps_finished(1, [2.0] * 100),
        eval_finished(100, 2.4),
        tweet_sampled("kept", 100),
        *lost,
    ]
    second: list[e.Event] = [
        run_started(step=100, elapsed_seconds=5.0, resumed_from="latest"),
        steps_finished(101, [1.5] * 10, elapsed_seconds=6.0),
    ]
    view = fold(RunView(), (*first, *second))
    assert (view.step, len(view.train_losses), view.train_losses.last) == (110, 110, 1.5)
    assert view.train_losses.columns(1, 110, 110).high.max() == 2.0
    assert [point.step for point in view.val_points] == [100]
    assert [tweet.text for tweet in view.tweets] == ["kept"]


EVENTS = st.one_of(
    st.builds(run_started, step=st.integers(0, 50), resumed_from=st.sampled_from([None, "latest"])),
    st.builds(steps_finished, st.integers(1, 60), st.lists(st.floats(0, 9), min_size=1, max_size=5)),
    st.builds(eval_finished, st.integers(1, 60), st.floats(0, 9), is_best=st.booleans()),
    st.builds(tweet_sampled, st.text(max_size=5), st.integers(1, 60)),
    st.builds(loaded, st.integers(0, 60)),
    st.just(e.Paused(step=1, elapsed_seconds=0.0)),
    st.just(e.Resumed(step=1, elapsed_seconds=0.0)),
)


@given(st.lists(EVENTS, max_size=15))
def test_any_events_in_any_order_lead_to_a_view_of_finite_figures_and_counted_tweets(events: list[e.Event]) -> None:
    view = view_after(*events)
    assert view.num_tweets == sum(isinstance(event, e.TweetSampled) for event in events)
    assert len(view.tweets) <= view.num_tweets
    steps = [point.step for point in view.val_points]
    assert view.progress is None or 0 <= view.progress <= 1
    eta = eta_of(view)
    assert eta is None or eta.seconds >= 0
    assert all(step >= 0 for step in steps)
    assert math.isfinite(view.epoch)


def test_the_best_evaluation_stays_the_best_when_a_checkpoint_from_before_it_is_loaded() -> None:
    loaded = e.CheckpointLoaded(
        step=50, elapsed_seconds=3.0, name="early", path="/early", bits_per_char=None, epochs=0.0
    )
    view = view_after(run_started(), steps_finished(1, [2.0] * 100), eval_finished(100, 2.4), loaded)
    assert view.best is not None
    assert view.best.bits_per_char == 2.4
    assert apply(view, eval_finished(60, 2.2)).best == apply(view, eval_finished(60, 2.2)).val_points[-1]


def test_a_run_on_one_tweet_has_no_validation() -> None:
    evaluated = eval_finished(5, 2.0)
    assert view_after(run_started(), evaluated).last_val is not None
    view = view_after(run_started(num_train_tweets=1, num_val_tweets=1), evaluated)
    assert (view.last_val, view.best, view.step) == (None, None, 5)


def test_a_cancelled_finish_leaves_no_mark() -> None:
    planned = e.FinishPlanned(step=10, elapsed_seconds=1.0, last_step=30)
    cancelled = e.FinishCancelled(step=12, elapsed_seconds=1.1)
    assert [mark.kind for mark in view_after(run_started(), planned).marks] == ["finishing"]
    assert view_after(run_started(), planned, cancelled).marks == ()


@pytest.mark.parametrize("best_step", [2, MAX_VAL_POINTS])
def test_evaluations_are_bounded_and_the_best_and_the_latest_are_kept(best_step: int) -> None:
    steps = range(1, 3 * MAX_VAL_POINTS // 2 + 1)
    view = fold(RunView(), [run_started(), *(eval_finished(step, 2.0, is_best=step == best_step) for step in steps)])
    kept = [point.step for point in view.val_points]
    assert len(kept) <= MAX_VAL_POINTS
    assert kept == sorted(set(kept))
    assert kept[-100:] == list(steps)[-100:]
    assert min(kept) < 3
    assert max(after - before for before, after in pairwise(kept)) <= 12
    assert view.best is not None
    assert view.best.step == best_step


def test_the_pause_at_the_end_of_the_budget_leaves_no_mark() -> None:
    begun = view_after(run_started(training=TrainingConfig(max_steps=20)), steps_finished(1, [3.0] * 5), paused(5))
    ended = view_after(resumed(5), steps_finished(6, [3.0] * 15), paused(20), begin=begun)
    extended = e.BudgetChanged(step=20, elapsed_seconds=1.0, max_steps=30, max_seconds=None, epochs=None)
    again = view_after(extended, resumed(20), steps_finished(21, [3.0] * 10), paused(30), begin=ended)
    for view in (ended, again):
        assert [(mark.step, mark.label) for mark in view.marks] == [(5, "paused")]


def test_single_steps_leave_one_mark_where_the_run_was_paused_and_the_last_one_is_shown_until_training_goes_on() -> (
    None
):
    view = fold(RunView(), [run_started(), steps_finished(1, [3.0] * 5), paused(5)])
    for step in (6, 7, 8):
        view = fold(view, [resumed(step - 1), steps_finished(step, [2.9])])
        assert view.last_step_taken == view.step_taken
        view = fold(view, [step_taken(step), paused(step)])
        assert view.last_step_taken == step_taken(step)
    assert [(mark.step, mark.label) for mark in view.marks] == [(5, "paused")]
    view = fold(view, [resumed(8), steps_finished(9, [2.8] * 10)])
    assert view.last_step_taken is None
    view = fold(view, [paused(18)])
    assert [mark.step for mark in view.marks] == [5, 18]


def test_a_speed_limit_is_that_of_the_settings_until_it_is_changed() -> None:
    limit = e.SpeedLimitChanged(step=5, elapsed_seconds=5.0, steps_per_second=4.0)
    view = fold(RunView(), [run_started(training=TrainingConfig(steps_per_second=2.0))])
    assert view.speed_limit == 2.0
    view = fold(view, [steps_finished(1, [3.0] * 5), limit])
    assert (view.speed_limit, view.paced_from_step) == (4.0, 5)
    assert view.training == TrainingConfig(steps_per_second=4.0)
    resumed_view = fold(view.for_resume(), [run_started(step=5, resumed_from="2026-11-25-101112/latest")])
    assert resumed_view.speed_limit == 0.0


FILTER = SamplingConfig(only_new=True, avoid=("rain",), best_of=2)


def filtered(sampling: SamplingConfig, step: int = 1) -> e.SamplingChanged:
    return e.SamplingChanged(step=step, elapsed_seconds=0.1, sampling=sampling)


def test_drafts_are_counted_by_reason_while_a_filter_is_set_and_anew_for_another() -> None:
    drafts = (
        tweet_sampled("a", 2, num_drafts=7, refused=(("copy", 3), ("avoided word", 2))),
        tweet_sampled("b", 3, num_drafts=4, refused=(("copy", 1), ("unfinished", 3)), unmet=("unfinished",)),
    )
    view = view_after(run_started(), tweet_sampled("before", 1), filtered(FILTER), *drafts)
    assert view.drafts == DraftCounts(
        num_drafts=11, num_shown=2, num_failing=1, refused=(("copy", 4), ("avoided word", 2), ("unfinished", 3))
    )
    assert view.drafts.num_passed_over == 1
    assert fold(view_after(run_started(), tweet_sampled("before", 1), filtered(FILTER)), drafts).drafts == view.drafts
    warmer = view_after(filtered(replace(FILTER, temperature=1.5)), loaded(1), begin=view)
    assert warmer.drafts == view.drafts, "neither temperature nor a load changes the filter"
    resumed_run = run_started(resumed_from="2026-11-25-101112/latest", sampling=FILTER)
    assert view_after(resumed_run, begin=view).drafts == view.drafts
    for other in (replace(FILTER, avoid=()), SamplingConfig()):
        assert view_after(filtered(other), begin=view).drafts == DraftCounts()
    assert view_after(filtered(SamplingConfig()), tweet_sampled("c"), begin=view).drafts == DraftCounts()
