"""Thinning a journal changes nothing but its old steps, and their buckets lead to the same view."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.protocol import events as e
from engine.storage import thinning
from engine.storage.journal import to_line
from engine.storage.thinning import plan_of, thinned
from tests.fakes import eval_finished, run_started, steps_finished, tweet_sampled
from tui.run.folding import fold
from tui.run.series.series import MAX_BUCKETS, WINDOW_LENGTH
from tui.run.view import RunView

NUMBERS = st.floats(0, 100, width=32)


@st.composite
def journals(draw: st.DrawFn) -> list[bytes]:
    """The lines of a run with loads, skipped steps, damaged lines, and events between its steps."""
    lines, step = [to_line(run_started())], 0
    kinds = st.sampled_from(["steps", "steps", "steps", "tweet", "eval", "load", "skip", "warn", "pause", "torn"])
    for kind in draw(st.lists(kinds, max_size=30)):
        now: dict[str, Any] = {"step": step, "elapsed_seconds": float(len(lines))}
        match kind:
            case "steps":
                losses = draw(st.lists(NUMBERS, min_size=1, max_size=12))
                norms = draw(st.lists(NUMBERS, min_size=len(losses), max_size=len(losses)))
                report = steps_finished(step + 1, losses, grad_norms=tuple(norms), elapsed_seconds=float(len(lines)))
                lines.append(to_line(report))
                step += len(losses)
            case "tweet":
                lines.append(to_line(tweet_sampled("hi", step, elapsed_seconds=float(len(lines)))))
            case "eval":
                lines.append(to_line(eval_finished(step, 2.5)))
            case "load":
                step = draw(st.integers(0, step))
                now = {"step": step, "elapsed_seconds": float(len(lines))}
                lines.append(to_line(e.CheckpointLoaded(**now, name="x", path="x", bits_per_char=None)))
            case "skip":
                step += 1
            case "warn":
                lines.append(to_line(e.Warned(**now, message="The step was skipped.", kind="not-finite")))
            case "pause":
                lines.append(to_line(e.Paused(**now)))
            case _:
                lines.append(b'{"event":"StepsFinished","step":9\n')
    return lines


def is_of_steps(line: bytes) -> bool:
    return line.startswith((b'{"event":"StepsFinished","step":', b'{"event":"StepsThinned"')) and line.endswith(b"}\n")


def events_in(lines: Iterable[bytes]) -> list[e.Event]:
    return [e.from_json(line) for line in lines if line.endswith(b"}\n")]


def thinned_events(lines: Iterable[bytes], width: int) -> list[e.Event]:
    return events_in(thinned(lines, width))


WIDTHS = st.sampled_from([1, 2, 4, 8, 32])


@given(lines=journals(), width=WIDTHS)
def test_all_other_lines_stay_as_they_are_and_in_their_order(lines: list[bytes], width: int) -> None:
    after = list(thinned(lines, width))
    assert [line for line in after if not is_of_steps(line)] == [line for line in lines if not is_of_steps(line)]


@given(lines=journals(), width=WIDTHS)
def test_steps_and_times_rise_as_before(lines: list[bytes], width: int) -> None:
    before, after = events_in(lines), thinned_events(lines, width)
    loads = [event.step for event in after if isinstance(event, e.CheckpointLoaded)]
    assert sum(a.step > b.step for a, b in pairwise(after)) <= len(loads)
    if all(a.elapsed_seconds <= b.elapsed_seconds for a, b in pairwise(before)):
        assert all(a.elapsed_seconds <= b.elapsed_seconds for a, b in pairwise(after))
    assert (before[-1].step, before[-1].elapsed_seconds) == (after[-1].step, after[-1].elapsed_seconds)


@given(lines=journals(), width=WIDTHS, cut=st.floats(0, 1))
def test_thinning_in_parts_and_by_and_by_equals_thinning_at_once(lines: list[bytes], width: int, cut: float) -> None:
    at_once = list(thinned(lines, width))
    assert list(thinned(at_once, width)) == at_once
    place = int(cut * len(lines))
    narrow = max(width // 2, 1)
    in_parts = list(thinned([*thinned(lines[:place], narrow), *lines[place:]], width))
    for part, whole in zip(events_in(in_parts), events_in(at_once), strict=True):
        if isinstance(whole, e.StepsThinned) and isinstance(part, e.StepsThinned):
            assert part.mean_loss == pytest.approx(whole.mean_loss, rel=1e-12)
            assert part.mean_grad_norm == pytest.approx(whole.mean_grad_norm, rel=1e-12)
            means = {"mean_loss": whole.mean_loss, "mean_grad_norm": whole.mean_grad_norm}
            assert e.StepsThinned(**{**vars(part), **means}) == whole
        else:
            assert part == whole


@given(lines=journals(), width=WIDTHS)
def test_a_bucket_has_the_count_least_mean_and_greatest_of_its_steps(lines: list[bytes], width: int) -> None:
    for bucket in thinned_events(lines, width):
        if not isinstance(bucket, e.StepsThinned):
            continue
        assert 1 <= bucket.num_steps == bucket.step - bucket.first_step + 1 <= width
        assert bucket.first_step // width == bucket.step // width
        reports = [event for event in events_in(lines) if isinstance(event, e.StepsFinished)]
        candidates = [
            [loss for report in part for loss in losses_between(report, bucket)]
            for part in (reports[start:] for start in range(len(reports)))
        ]
        assert any(
            each[: bucket.num_steps]
            and (min(each[: bucket.num_steps]), max(each[: bucket.num_steps]))
            == (bucket.least_loss, bucket.greatest_loss)
            and np.mean(each[: bucket.num_steps]) == pytest.approx(bucket.mean_loss)
            for each in candidates
        )


def losses_between(report: e.StepsFinished, bucket: e.StepsThinned) -> list[float]:
    """Return the losses of a report whose steps are in a bucket."""
    numbered = enumerate(report.train_losses, report.first_step)
    return [loss for step, loss in numbered if bucket.first_step <= step <= bucket.step]


def long_run(num_steps: int, seed: int = 0) -> list[bytes]:
    """Return the lines of a run in reports of up to 100 steps, with tweets, evaluations and a load."""
    chance = random.Random(seed)  # noqa: S311 - no secrets
    lines, step = [to_line(run_started())], 0
    while step < num_steps:
        length = chance.randint(1, 100)
        losses = [float(np.float32(chance.expovariate(1))) for _ in range(length)]
        lines.append(to_line(steps_finished(step + 1, losses, learning_rate=0.001 * chance.randint(1, 9))))
        step += length
        if chance.random() < 0.1:
            lines += [to_line(tweet_sampled("hi", step)), to_line(eval_finished(step, 2.5))]
    return lines


def test_the_thinned_journal_of_a_long_run_leads_to_the_same_view() -> None:
    lines = long_run(5000)
    with mock.patch.object(thinning, "KEPT_STEPS", 1000), mock.patch.object(thinning, "MIN_BUCKETS", 64):
        plan = plan_of(lines)
        offsets = np.cumsum([0, *map(len, lines)])
        place = int(np.searchsorted(offsets, plan.end))
        assert offsets[place] == plan.end
        kept = sum(len(event.train_losses) for event in events_in(lines[place:]) if isinstance(event, e.StepsFinished))
        assert 1000 <= kept < 1100
        assert plan.width == 64
        after = [*thinned(lines[:place], plan.width), *lines[place:]]
    assert len(after) < len(lines)
    with mock.patch("tui.run.series.series.MAX_BUCKETS", 64), mock.patch("tui.run.series.series.WINDOW_LENGTH", 1000):
        whole, view = fold(RunView(), events_in(lines)), fold(RunView(), events_in(after))
    for name in ("numbers", "low", "high", "count"):
        of_view, of_whole = (getattr(each.train_losses._buckets, name) for each in (view, whole))
        assert [*of_view] == [*of_whole]
    assert view.train_losses._buckets.total == pytest.approx(whole.train_losses._buckets.total)
    assert [*view.train_losses.singles(0)[1]] == [*whole.train_losses.singles(0)[1]]
    for name in ("tweets", "num_tweets", "val_points", "marks", "step", "elapsed_seconds", "learning_rate"):
        assert getattr(view, name) == getattr(whole, name)
    assert view.seconds.last == whole.seconds.last


def test_the_plot_never_shows_that_a_journal_was_thinned() -> None:
    """A bucket is at most a quarter as wide as one on the screen, which shows single steps of the latest only."""
    for num_steps in (17_000, 100_000, 86_400_000):
        width = plan_of([to_line(steps_finished(1, [1.0])), to_line(steps_finished(num_steps, [1.0]))]).width
        screen = 1
        while num_steps // screen >= MAX_BUCKETS:
            screen *= 2
        assert width <= screen / 4 or width == 1
        assert num_steps / width <= 2 * thinning.MIN_BUCKETS + 1
    assert thinning.KEPT_STEPS >= 2 * WINDOW_LENGTH


def test_steps_whose_buckets_would_be_longer_than_their_reports_are_not_worth_thinning() -> None:
    with mock.patch.object(thinning, "KEPT_STEPS", 0), mock.patch.object(thinning, "MIN_BUCKETS", 64):
        assert not plan_of(long_run(500)).is_worthwhile
        assert plan_of(long_run(5000)).is_worthwhile
