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

from engine.config.run import ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.protocol import events as e
from engine.protocol.events.run import WarningKind
from tests import fakes
from tests.fakes import checkpoint_saved, eval_finished, paused, run_started, steps_finished, tweet_sampled
from tui.process.outcome import exit_code_of
from tui.run.draft_texts import delay_text, drafts_text
from tui.run.eta import eta_of
from tui.run.folding import fold
from tui.run.levels import level_marks
from tui.run.reducer import MAX_WARNINGS
from tui.run.summary import earlier_lines, end_lines, how_to_attach
from tui.run.training_events import MAX_VAL_POINTS
from tui.run.view import RunView

LEVELS = ("uniform", "unigram", "2-gram", "3-gram", "4-gram", "5-gram")
LATEST = f"{run_started().run}/latest"
SAVED = checkpoint_saved(9)
FILTER = SamplingConfig(only_new=True, avoid=("rain",), best_of=2)


def now(step: int, seconds: float = 1.0) -> dict[str, Any]:
    return {"step": step, "elapsed_seconds": seconds}


def loaded(step: int, name: str = "calm", epochs: float = 0.0) -> e.CheckpointLoaded:
    return fakes.checkpoint_loaded(step, name, epochs=epochs)


def resumed(step: int, seconds: float = 1.0) -> e.Resumed:
    return e.Resumed(**now(step, seconds))


def started(num_train_tweets: int = 19_000, **training: Any) -> e.RunStarted:
    return run_started(num_train_tweets=num_train_tweets, training=TrainingConfig(**training))


def resumed_run(step: int, **changes: Any) -> e.RunStarted:
    return run_started(step=step, resumed_from=LATEST, **changes)


def batch_size(step: int, size: int, epochs: float) -> e.BatchSizeChanged:
    return e.BatchSizeChanged(**now(step), batch_size=size, epochs=epochs)


def budget(step: int, max_steps: int | None = None, **limits: Any) -> e.BudgetChanged:
    return e.BudgetChanged(**now(step, 5.0), max_steps=max_steps, **limits)


def measured(step: int, *bits: float, names: Sequence[str] = LEVELS) -> e.BaselinesMeasured:
    bits = bits or (6.6, 4.6, 3.7, 3.0, 2.6, 2.7)
    return e.BaselinesMeasured(**now(step), request=0, names=tuple(names[: len(bits)]), bits_per_char=bits)


def sampling(*changes: tuple[int, SamplingConfig]) -> list[e.Event]:
    return [e.SamplingChanged(**now(step), sampling=sampling) for step, sampling in changes]


def warned(step: int, message: str, kind: WarningKind = "", seconds: float = 1.0) -> e.Warned:
    return e.Warned(**now(step, seconds), message=message, kind=kind)


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
        yield "steps per second at most", f"{training.steps_per_second:g}, shown {view.speed_limit:g}"
    yield "threads", f"{view.num_threads} {view.precision}"
    yield "pace from step", view.paced_from_step
    yield "ends at steps", ", ".join(f"{limit:g}" for limit in view.limits_in_steps)
    yield "ends at seconds", ", ".join(f"{limit:g}" for limit in view.limits_in_seconds)
    yield "progress", None if view.progress is None else f"{view.progress:.1%}"
    yield "evaluations", ", ".join(f"{point.step}: {point.bits_per_char:g}" for point in view.val_points)
    yield "best", view.best and f"{view.best.bits_per_char:g} at step {view.best.step}"
    for level in view.levels:
        crossed = "" if level.crossed_at is None else f", crossed at {level.crossed_at}"
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


STORIES: dict[str, list[e.Event]] = {
    "settings": [
        *sampling((1, SamplingConfig(temperature=1.5))),
        e.LearningRateChanged(**now(1), learning_rate=0.001),
        e.ModelChanged(**now(1), model=ModelConfig(hidden_size=64), num_parameters=7),
        e.ThreadsChanged(**now(1), num_threads=2, precision="bfloat16", message=""),
        e.ThreadsChanged(**now(2), num_threads=3, precision="bfloat16", message=""),
        e.IntervalsChanged(**now(2), eval_every=7, sample_every=0),
    ],
    "speed limit": [
        started(steps_per_second=2.0),
        steps_finished(1, [3.0] * 5),
        e.SpeedLimitChanged(**now(5), steps_per_second=4.0),
        resumed_run(5),
    ],
    "budget": [
        started(max_steps=100),
        steps_finished(1, [2.0] * 100),
        e.FinishPlanned(**now(100, 5.0), last_step=110),
        budget(100, 400, max_seconds=10.0),
        budget(100, epochs=2.0),
        budget(100),
        budget(100, max_steps=-1),  # only in an edited journal
        fakes.run_finished(100, elapsed_seconds=5.0),
    ],
    "epochs of batch sizes": [
        started(320, epochs=15),  # 10 steps an epoch
        steps_finished(1, [2.0] * 25),
        batch_size(25, 64, 2.6),
        steps_finished(26, [2.0] * 5),
    ],
    "epochs of small first batches": [
        started(320, batch_size=32, first_batch_size=8, epochs=2),
        steps_finished(1, [2.0] * 20),
        batch_size(20, 64, 0.4),
        steps_finished(21, [2.0] * 3),
    ],
    "epochs of a resume and a load": [
        run_started(num_train_tweets=320),
        steps_finished(1, [2.0] * 25),
        batch_size(25, 64, 2.5),
        resumed_run(20, num_train_tweets=320, epochs=2.0),
        steps_finished(21, [2.0] * 10),
        loaded(10, epochs=1.0),
        steps_finished(11, [2.0] * 5),
    ],
    "a branch, resumed at its place on the schedule": [
        run_started(step=500, num_train_tweets=320, resumed_from="calm"),
        resumed_run(
            501, training=TrainingConfig(learning_rate=0.004, max_steps=520, warmup_steps=0, schedule="cosine")
        ),
    ],
    "a load": [
        steps_finished(1, [2.0] * 100),
        eval_finished(50, 2.5, is_best=False),
        eval_finished(100, 2.4),
        tweet_sampled("late", 90),
        loaded(60),
        steps_finished(61, [1.0]),
        eval_finished(61, 2.2),
    ],
    "a resume after a kill": [
        steps_finished(1, [2.0] * 100),
        eval_finished(100, 2.4),
        tweet_sampled("kept", 100),
        checkpoint_saved(100),
        steps_finished(101, [9.0] * 20),
        eval_finished(120, 9.0),
        tweet_sampled("lost", 120),
        resumed_run(100, elapsed_seconds=5.0),
        steps_finished(101, [1.5] * 10, elapsed_seconds=6.0),
    ],
    "thinned steps": [fakes.steps_thinned(1, 100), fakes.steps_thinned(101, 200), steps_finished(201, [2.5])],
    "one tweet": [run_started(num_train_tweets=1, num_val_tweets=1), eval_finished(5, 2.0)],
    "a cancelled finish": [e.FinishPlanned(**now(10), last_step=30), e.FinishCancelled(**now(12))],
    "pauses, and the end of the budget": [
        started(max_steps=20),
        steps_finished(1, [3.0] * 5),
        paused(5),
        resumed(5),
        steps_finished(6, [3.0] * 15),
        paused(20),
        budget(20, 30),
        resumed(20),
        steps_finished(21, [3.0] * 10),
        paused(30),
    ],
    "single steps": [
        *(steps_finished(1, [3.0] * 5), paused(5)),
        *(resumed(5), steps_finished(6, [2.9]), fakes.step_taken(6), paused(6)),
        *(resumed(6), steps_finished(7, [2.9]), fakes.step_taken(7), paused(7)),
        *(resumed(7), steps_finished(8, [2.8] * 10), paused(17)),
    ],
    "a failure outside of the session": [steps_finished(1, [3.0] * 5), fakes.run_failed(elapsed_seconds=0.0)],
    "drafts of a filter": [
        *(tweet_sampled("before", 1), *sampling((1, FILTER))),
        tweet_sampled("a", 2, num_drafts=7, refused=(("copy", 3), ("avoided word", 2))),
        tweet_sampled("b", 3, num_drafts=4, refused=(("copy", 1), ("unfinished", 3)), unmet=("unfinished",)),
        *sampling((3, replace(FILTER, temperature=1.5))),
        loaded(3),
        resumed_run(3, sampling=FILTER),
        *sampling((3, replace(FILTER, avoid=()))),
        tweet_sampled("c", 4),
        *sampling((4, SamplingConfig())),
        tweet_sampled("d", 5),
    ],
    "the next tweet": [
        e.TweetDelayed(**now(3, 10.0), num_drafts=16, max_drafts=32),
        paused(3, 10.0),
        resumed(3, 10.0),
        tweet_sampled("hi", 3, elapsed_seconds=10.0),
        e.TweetDelayed(**now(3, 10.0), num_drafts=0, max_drafts=32, due_in_seconds=24.2),
        paused(3, 11.0),
        resumed(3, 11.0),
        warned(9, "later", seconds=30.0),
        warned(9, "due", seconds=34.3),
        e.TweetDelayed(**now(9, 40.0), num_drafts=0, max_drafts=32, due_in_seconds=24.2),
        e.IntervalsChanged(**now(9, 40.0), eval_every=7, sample_every=100),
        e.TweetDelayed(**now(9, 40.0), num_drafts=3, max_drafts=32),
        steps_finished(10, [2.0], elapsed_seconds=40.0),
        e.TweetDelayed(**now(10, 40.0), num_drafts=3, max_drafts=32),
        resumed_run(10, elapsed_seconds=40.0),
        e.TweetDelayed(**now(10, 40.0), num_drafts=3, max_drafts=32),
        fakes.run_finished(10, elapsed_seconds=40.0),
    ],
    "marks of temperature and filter": [
        *sampling(
            (5, SamplingConfig(prime="a", top_k=3, min_p=0.1, temperature_last=True)),
            (6, SamplingConfig(max_length=50)),
            (10, SamplingConfig(max_length=50, only_new=True, temperature=1.5)),
            (20, SamplingConfig(only_new=True, avoid=("monday",), min_length=20)),
            (20, SamplingConfig(only_new=True, avoid=("monday",), min_length=20, best_of=4)),
            (30, SamplingConfig(only_new=True, max_length=60)),
            (40, SamplingConfig(max_length=60)),
            (50, SamplingConfig(avoid=("word",) * 900, must_contain="a long text " * 9)),
        ),
    ],
    "levels": [
        measured(1, 6.6, 4.6, 3.7),
        eval_finished(10, 4.6, is_best=False),
        eval_finished(20, 3.6, is_best=False),
        measured(21),  # the n-grams of higher order later than the others
        eval_finished(30, 3.9, is_best=False),
        eval_finished(40, 2.0, is_best=False),
        loaded(35),
        eval_finished(45, 2.5, is_best=False),
        resumed_run(45),
        measured(45),
        measured(45, 1.0, 2.0, 3.0, names=("\x1b[31m", "99-gram", "-gram")),
    ],
}


@pytest.mark.parametrize("name", STORIES)
def test_what_is_known_after_each_event(name: str, snapshot: SnapshotAssertion) -> None:
    begin = [] if isinstance(STORIES[name][0], e.RunStarted) else [run_started()]
    assert told([*begin, *STORIES[name]]) == snapshot


FULL = warned(4, "No space left on device.", "disk")
HEARD = (steps_finished(1, [4.0, 3.5]), tweet_sampled("hello there", 2))
ENDS: dict[str, list[e.Event]] = {
    "before the start": [],
    "trained": [run_started(run="my first"), *HEARD, tweet_sampled("", 2), eval_finished(2, 2.5)],
    "resumed on a full disk": [run_started(run="first", step=100, resumed_from="first/latest"), FULL, *HEARD],
    "nothing saved": [run_started(run="first"), FULL, *HEARD],
    "steps while latest was written": [
        run_started(run="first"),
        steps_finished(1, [4.0, 3.5, 3.0]),
        *(checkpoint_saved(3, name, weights_step=1) for name in ("latest", "mine")),
    ],
    "steps since a load": [
        *(run_started(run="first"), SAVED, loaded(4), FULL),
        *(steps_finished(5, [4.0, 3.5]), fakes.run_finished(6, "stopped", elapsed_seconds=2.0)),
    ],
    "steps since the run's own latest was loaded": [
        *(run_started(run="first"), SAVED, loaded(9, "first/latest"), steps_finished(10, [4.0])),
    ],
    "at the end of the budget": [
        *(run_started(run="first", training=TrainingConfig(max_steps=2)), *HEARD, SAVED, paused(2))
    ],
    "far beyond the budget": [
        run_started(run="first", training=TrainingConfig(max_steps=2)),
        *(
            steps_finished(1, [4.0] * 7),
            checkpoint_saved(7),
            fakes.run_finished(7, "max_steps", elapsed_seconds=2.0),
        ),
    ],
    "failed": [run_started(run="first"), *HEARD, fakes.run_failed(2, hint="Lower the rate.")],
}


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
    st.builds(loaded, st.integers(0, 60)),
    st.just(paused(1, 0.0)),
    st.just(resumed(1, 0.0)),
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
    many: Iterable[e.Event] = (warned(1, str(number)) for number in range(MAX_WARNINGS + 5))
    assert [warning.message for warning in fold(RunView(), many).warnings][:1] == ["5"]
