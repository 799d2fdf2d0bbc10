"""Events become few points, under the names that trackers expect, and later records take earlier ones back."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.run import ModelConfig, TrainingConfig
from engine.export.trackers.records import (
    SINGLE_STEPS,
    Record,
    RecordStream,
    Sample,
    Scalars,
    Settings,
    remaining_records,
)
from engine.protocol import events as e
from engine.protocol.events import Event
from tests.fakes import eval_finished, run_started, steps_finished, steps_thinned, tweet_sampled

LATER = SINGLE_STEPS + 1
PAUSED = e.Paused(step=LATER, elapsed_seconds=1.5)


def at(second: float, first_step: int, losses: Iterable[float]) -> e.StepsFinished:
    return steps_finished(first_step, losses, elapsed_seconds=second)


def loaded(step: int) -> e.CheckpointLoaded:
    return e.CheckpointLoaded(step=step, elapsed_seconds=9.0, name="x", path="x", bits_per_char=None, epochs=0.0)


STREAMS: dict[str, list[Event]] = {
    "loss in nats and bits, norm, rate and speed": [
        steps_finished(7, [math.log(2) * 3], grad_norms=(0.5,), chars_per_second=9.0)
    ],
    "a speed that is not measured yet": [steps_finished(1, [1.0], chars_per_second=0.0)],
    "each of the first steps, later ones averaged over a second": [
        at(4.1, SINGLE_STEPS - 1, [5.0, 4.0, 3.0, 2.0]),
        at(4.9, SINGLE_STEPS + 3, [1.0]),
        at(5.0, SINGLE_STEPS + 4, [9.0, 7.0]),
    ],
    "a slow run": [at(2.0 * number, LATER + number, [float(number)]) for number in range(4)],
    "the mean of a bucket, and of small buckets of one second": [
        steps_thinned(1, 64, mean_loss=2.5, elapsed_seconds=2.0),
        steps_thinned(65, 66, mean_loss=1.0),
        steps_thinned(67, 72, mean_loss=3.0),
    ],
    "the mean before a pause": [at(1.0, LATER, [1.0]), PAUSED, at(1.7, LATER + 1, [2.0])],
    "the mean before a load": [at(1.0, LATER, [1.0]), loaded(LATER), at(1.7, LATER + 1, [2.0])],
    "an evaluation": [eval_finished(12, 2.0)],
    "tweets": [
        tweet_sampled("a `b` **c**", 5, novelty="copy", temperature=1.0),
        tweet_sampled("a", reached_eos=False),
    ],
}


def records_of(events: Iterable[Event]) -> list[Record]:
    stream = RecordStream()
    found = [record for event in events for record in stream.records_of(event, event.elapsed_seconds)]
    return [*found, *stream.finish()]


def line_of(record: Record) -> str:
    match record:
        case Scalars(values=values):
            what = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        case Sample(markdown=markdown):
            what = markdown.replace("\n", "⏎")
        case _:
            what = type(record).__name__
    return f"step {record.step} at {record.wall_time:.4g} s: {what}"


@pytest.mark.parametrize("name", STREAMS)
def test_events_become_these_records(name: str, snapshot: SnapshotAssertion) -> None:
    assert "\n".join(map(line_of, records_of(STREAMS[name]))) == snapshot


def test_the_settings_have_flat_names_and_omit_those_without_a_value() -> None:
    started = run_started(model=ModelConfig(hidden_size=7), training=TrainingConfig(max_steps=9, preset_reason="x"))
    [_, settings] = records_of([started])
    assert isinstance(settings, Settings)
    found = settings.values
    assert (found["model/hidden_size"], found["training/max_steps"], found["sampling/temperature"]) == (7, 9, 0.8)
    assert found["corpus"] == "happy.csv"
    assert not {"training/max_seconds", "training/preset_reason", "sampling/avoid"} & found.keys()


def test_a_load_that_follows_after_the_first_pass_takes_nothing_back() -> None:
    before: list[Event] = [run_started(), steps_finished(1, [1.0] * 3)]
    after = records_of([*before, loaded(1), steps_finished(2, [2.0])])
    assert [each.step for each in remaining_records(records_of(before), after)] == [0, 1, 2, 3, 2]
