"""Events become few points, under the names that trackers expect, and later records take earlier ones back."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest

from engine.config.run import ModelConfig, TrainingConfig
from engine.export.trackers.records import (
    SINGLE_STEPS,
    Record,
    RecordStream,
    Sample,
    Scalars,
    Settings,
    TakenBack,
    remaining_records,
)
from engine.protocol import events as e
from engine.protocol.events import Event
from tests.fakes import eval_finished, run_started, steps_finished, steps_thinned, tweet_sampled

LATER = SINGLE_STEPS + 1


def records_of(*events: Event) -> list[Record]:
    stream = RecordStream()
    found = [record for event in events for record in stream.records_of(event, event.elapsed_seconds)]
    return [*found, *stream.finish()]


def losses_of(records: Iterable[Record]) -> list[tuple[int, float]]:
    return [(each.step, each.values["train/loss"]) for each in records if isinstance(each, Scalars)]


def at(second: float, first_step: int, losses: Iterable[float]) -> e.StepsFinished:
    return steps_finished(first_step, losses, elapsed_seconds=second)


def loaded(step: int) -> e.CheckpointLoaded:
    return e.CheckpointLoaded(step=step, elapsed_seconds=9.0, name="x", path="x", bits_per_char=None)


def test_each_of_the_first_steps_is_a_point_and_later_ones_are_averaged_over_a_second() -> None:
    assert losses_of(
        records_of(
            at(4.1, SINGLE_STEPS - 1, [5.0, 4.0, 3.0, 2.0]),
            at(4.9, SINGLE_STEPS + 3, [1.0]),
            at(5.0, SINGLE_STEPS + 4, [9.0, 7.0]),
        )
    ) == [(SINGLE_STEPS - 1, 5.0), (SINGLE_STEPS, 4.0), (SINGLE_STEPS + 3, 2.0), (SINGLE_STEPS + 5, 8.0)]


def test_a_slow_run_has_a_point_per_step() -> None:
    slow = [at(2.0 * number, LATER + number, [float(number)]) for number in range(4)]
    assert losses_of(records_of(*slow)) == [(LATER + number, float(number)) for number in range(4)]


def test_the_scalars_of_training_have_loss_in_nats_and_bits_norm_rate_and_speed() -> None:
    [point] = records_of(steps_finished(7, [math.log(2) * 3], grad_norms=(0.5,), chars_per_second=9.0))
    assert isinstance(point, Scalars)
    assert point.values == {
        "train/loss": math.log(2) * 3,
        "train/bits_per_char": pytest.approx(3.0),
        "train/grad_norm": 0.5,
        "train/learning_rate": 0.004,
        "train/chars_per_second": 9.0,
    }


def test_a_speed_that_is_not_measured_yet_is_no_point() -> None:
    [point] = records_of(steps_finished(1, [1.0], chars_per_second=0.0))
    assert isinstance(point, Scalars)
    assert "train/chars_per_second" not in point.values


def test_a_thinned_bucket_is_its_mean_at_its_last_step_and_small_ones_of_a_second_are_averaged() -> None:
    wide = steps_thinned(1, 64, mean_loss=2.5, elapsed_seconds=2.0)
    narrow = [steps_thinned(65, 66, mean_loss=1.0), steps_thinned(67, 72, mean_loss=3.0)]
    assert losses_of(records_of(wide, *narrow)) == [(64, 2.5), (72, 2.5)]


def test_an_evaluation_is_a_point_in_nats_and_bits() -> None:
    [point] = records_of(eval_finished(12, 2.0))
    assert point == Scalars(12, 0.6000000000000001, {"val/loss": 1.386, "val/bits_per_char": 2.0})


def test_a_tweet_is_an_indented_block_after_its_temperature_and_novelty() -> None:
    [sample] = records_of(tweet_sampled("a `b` **c**", 5, novelty="copy", temperature=1.0))
    assert isinstance(sample, Sample)
    assert sample.markdown == "temperature 1, 2.40 bits per character, copy\n\n    a `b` **c**"
    [cut_off] = records_of(tweet_sampled("a", reached_eos=False))
    assert isinstance(cut_off, Sample)
    assert cut_off.markdown.startswith("temperature 0.8, 2.40 bits per character, new, cut off\n")


def test_the_settings_have_flat_names_and_omit_those_without_a_value() -> None:
    started = run_started(model=ModelConfig(hidden_size=7), training=TrainingConfig(max_steps=9, preset_reason="x"))
    [_, settings] = records_of(started)
    assert isinstance(settings, Settings)
    found = settings.values
    assert (found["model/hidden_size"], found["training/max_steps"], found["sampling/temperature"]) == (7, 9, 0.8)
    assert found["corpus"] == "happy.csv"
    assert not {"training/max_seconds", "training/preset_reason", "sampling/avoid"} & found.keys()


@pytest.mark.parametrize("event", [e.Paused(step=LATER, elapsed_seconds=1.0), loaded(LATER)])
def test_before_a_pause_and_a_load_the_mean_of_the_steps_so_far_is_a_point(event: Event) -> None:
    stream = RecordStream()
    assert list(stream.records_of(at(1.0, LATER, [1.0]), 1.0)) == []
    first, *_ = stream.records_of(event, 1.5)
    assert losses_of([first]) == [(LATER, 1.0)]
    assert first.wall_time == 1.0


def test_what_a_load_or_a_resume_takes_back_does_not_remain() -> None:
    events: list[Event] = [
        run_started(),
        steps_finished(1, [1.0] * 10),
        eval_finished(10, 2.5),
        run_started(step=8, resumed_from="tiny/latest"),
        steps_finished(9, [2.0] * 12),
        tweet_sampled("hi", 20),
        loaded(4),
        steps_finished(5, [3.0] * 2),
        loaded(6),
        steps_finished(7, [4.0]),
    ]
    remaining = list(remaining_records(records_of(*events), records_of(*events)))
    assert losses_of(remaining) == [*((step, 1.0) for step in range(1, 5)), (5, 3.0), (6, 3.0), (7, 4.0)]
    assert not [each for each in remaining if isinstance(each, Sample | TakenBack)]


def test_a_load_that_follows_after_the_first_pass_takes_nothing_back() -> None:
    before: list[Event] = [run_started(), steps_finished(1, [1.0] * 3)]
    after = records_of(*before, loaded(1), steps_finished(2, [2.0]))
    assert [each.step for each in remaining_records(records_of(*before), after)] == [0, 1, 2, 3, 2]
