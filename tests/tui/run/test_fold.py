"""`RunView`: what the screen knows after which events, and what it prints of it at the end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.protocol import events as e
from engine.protocol import insight
from tests import fakes
from tests.fakes import eval_finished, paused, run_started, steps_finished, tweet_sampled
from tests.tui.run.stories import stories
from tui.process.exit import exit_code_of
from tui.run.ending import eta_of
from tui.run.fold import MAX_VAL_POINTS, MAX_WARNINGS, fold
from tui.run.marks import delay_text, drafts_text, level_marks
from tui.run.summary import earlier_lines, end_lines, how_to_attach
from tui.run.view import RunView

LEVELS = ("uniform", "unigram", "2-gram", "3-gram", "4-gram", "5-gram")


def now(step: int, seconds: float = 1.0) -> dict[str, Any]:
    return {"step": step, "elapsed_seconds": seconds}


def measured(step: int, *bits: float, names: Sequence[str] = LEVELS) -> insight.BaselinesMeasured:
    bits = bits or (6.6, 4.6, 3.7, 3.0, 2.6, 2.7)
    return insight.BaselinesMeasured(**now(step), request=0, names=tuple(names[: len(bits)]), bits_per_char=bits)


def facts(view: RunView) -> Iterator[tuple[str, object]]:
    """Yield what a view says of its run, each fact with its name."""
    yield "phase", view.shown_phase
    yield "step", view.step
    curve, training = view.train_losses, view.training
    if len(curve):
        highest = curve.columns(curve.first_step, curve.last_step, 1).high.max()
        yield "curve", f"{len(curve)} steps to {curve.last_step}, last {curve.last:g}, highest {highest:g}"
    for mark in (*view.marks, *level_marks(view.levels)):
        yield f"mark of {mark.kind} at {mark.step}", mark.label
    yield "learning rate", f"{view.learning_rate:.3g}"
    yield "temperature", f"{view.sampling.temperature:g}"
    yield "epoch", f"{view.epoch:.1f}"
    if training is not None and view.model is not None:
        yield "batch size", training.batch_size
        yield "evaluations and tweets every", f"{training.eval_every}, {training.sample_every}"
        yield "parameters", f"{view.num_parameters}, hidden size {view.model.hidden_size}"
        yield "steps per second at most", f"{training.steps_per_second:g}"
    yield "threads", f"{view.num_threads} {view.precision}"
    yield "pace from step", view.paced_from_step
    yield "ends at steps", ", ".join(f"{limit:g}" for limit in view.limits_in_steps)
    yield "ends at seconds", ", ".join(f"{limit:g}" for limit in view.limits_in_seconds)
    yield "progress", None if view.progress is None else f"{view.progress:.1%}"
    yield "evaluations", ", ".join(f"{point.step}: {point.bits_per_char:g}" for point in view.val_points)
    yield "best", view.best and f"{view.best.bits_per_char:g} at step {view.best.step}"
    for level in view.levels:
        crossed = "" if level.crossed_at is None else f", crossed at {level.crossed_at}"
        crossed += ", to beat again" if crossed and not view.is_beaten(level) else ""
        yield f"level {level.name}", f"{level.bits_per_char:g}{crossed}"
    yield "tweets", f"{[tweet.text for tweet in view.tweets]} of {view.num_tweets}"
    yield "next tweet", delay_text(view)
    yield "drafts", drafts_text(view.drafts) if view.drafts.num_drafts else ""
    yield "single step", view.last_step_taken and view.last_step_taken.step
    yield "not saved", f"{view.num_unsaved_steps} steps"
    yield "started from", view.branched_from


def told(events: Sequence[e.Event]) -> str:
    """Return the events of a run, each with the facts that it has changed."""
    view, lines, before = RunView(), [], dict(facts(fold(RunView(), [run_started()])))
    for event in events:
        view = fold(view, [event])
        after = dict(facts(view))
        changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        lines += [type(event).__name__, *(f"    {name}: {after.get(name) or 'none'}" for name in changed)]
        before = after
    assert dict(facts(fold(RunView(), events))) == before  # all at once, as from a journal
    return "\n".join(lines)


STORIES = stories("stories")
ENDS = stories("ends")
LOADS = stories("loads")


@pytest.mark.parametrize("name", STORIES)
def test_what_is_known_after_each_event(name: str, snapshot: SnapshotAssertion) -> None:
    begin = [] if isinstance(STORIES[name][0], e.RunStarted) else [run_started()]
    assert told([*begin, *STORIES[name]]) == snapshot


@pytest.mark.parametrize("name", ENDS)
def test_the_lines_printed_when_the_screen_closes(name: str, snapshot: SnapshotAssertion) -> None:
    view = fold(RunView(), ENDS[name])
    lines = end_lines(view, [fold(RunView(), ENDS["trained"]), RunView()])
    marks = [f"marked at step {mark.step}: {mark.label}" for mark in view.marks]
    code = f"exit code {exit_code_of(view)}; to a run that continues:"
    assert "\n".join([*lines, *marks, code, how_to_attach(view)]) == snapshot
    assert earlier_lines([]) == []


EVENTS = st.one_of(
    st.builds(run_started, step=st.integers(0, 50), resumed_from=st.sampled_from([None, "latest"])),
    st.builds(steps_finished, st.integers(1, 60), st.lists(st.floats(0, 9), min_size=1, max_size=5)),
    st.builds(eval_finished, st.integers(1, 60), st.floats(0, 9), is_best=st.booleans()),
    st.builds(tweet_sampled, st.text(max_size=5), st.integers(1, 60)),
    st.builds(fakes.checkpoint_loaded, st.integers(0, 60), st.just("calm")),
    st.just(paused(1, 0.0)),
    st.just(e.Resumed(**now(1, 0.0))),
)


@given(st.lists(EVENTS, max_size=15))
def test_any_events_in_any_order_lead_to_a_view_of_finite_figures_and_counted_tweets(events: list[e.Event]) -> None:
    view = fold(RunView(), events)
    assert view.num_tweets == sum(isinstance(event, e.TweetSampled) for event in events)
    assert len(view.tweets) <= view.num_tweets
    assert view.progress is None or 0 <= view.progress <= 1
    eta = eta_of(view)
    assert eta is None or eta.seconds >= 0
    assert all(point.step >= 0 for point in view.val_points)
    assert math.isfinite(view.epoch)


PARTS = ("train_losses", "marks", "times", "val_points", "levels", "tweets", "warnings")


@given(st.lists(EVENTS, max_size=8), st.lists(EVENTS, max_size=3))
def test_folding_leaves_the_view_before_as_it_was(before: list[e.Event], events: list[e.Event]) -> None:
    view = fold(RunView(), [run_started(), measured(1), *before])
    fields = dict(vars(view))
    fold(view, events)
    assert all(value is fields[name] for name, value in vars(view).items())
    assert fold(view, []) is view


def test_parts_that_an_event_does_not_change_stay_the_same_objects() -> None:
    events = [run_started(), steps_finished(1, [3.0] * 9), eval_finished(9, 2.0), tweet_sampled("x", 9), measured(9)]
    before = fold(RunView(), [*events, fakes.checkpoint_saved(9, "mine")])
    after = fold(before, [e.Resumed(**now(9)), fakes.checkpoint_loaded(9, "calm")])
    assert [name for name in PARTS if getattr(after, name) is not getattr(before, name)] == ["marks"]


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


def test_levels_that_are_measured_again_were_crossed_where_they_were_before() -> None:
    view = fold(RunView(), [run_started(), measured(1), eval_finished(10, 3.0), eval_finished(20, 3.0)])
    thinned = replace(view, val_points=view.val_points[1:])
    assert fold(thinned, [measured(30)]).levels == view.levels


def test_only_the_latest_warnings_are_kept() -> None:
    many: Iterable[e.Event] = (e.Warned(**now(1), message=str(number)) for number in range(MAX_WARNINGS + 5))
    assert [warning.message for warning in fold(RunView(), many).warnings][:1] == ["5"]


@pytest.mark.parametrize("name", LOADS)
def test_the_train_loss_after_a_load_is_of_steps_of_the_loaded_weights(name: str, snapshot: SnapshotAssertion) -> None:
    view, lines = RunView(), []
    for event in LOADS[name]:
        view = fold(view, [event])
        lines.append(f"{type(event).__name__} to step {view.step}: {view.smoothed_loss}")
    assert "\n".join(lines) == snapshot
