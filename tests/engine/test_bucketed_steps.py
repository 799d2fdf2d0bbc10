"""Graphs of buckets, with a stand-in for CUDA's: run, recorded, replayed, given up, in the right order."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from engine.accelerated.graphs import WARM_UP_VISITS, BucketedSteps
from tests.engine.device_steps import FakeRecorder, FakeRecording

CPU = torch.device("cpu")
Seen = list[tuple[int, list[int], int]]


def note_in(seen: Seen) -> Callable[[Tensor], None]:
    """Return a step that notes shape, content and place in memory of its input."""
    return lambda tokens: seen.append((len(tokens), tokens.tolist(), tokens.data_ptr()))


def nothing(_: Tensor) -> None:
    """Do nothing."""


def tokens_of(size: int, value: int) -> Tensor:
    return torch.full((size,), value, dtype=torch.int32)


def test_a_bucket_is_run_aside_then_recorded_once_then_replayed() -> None:
    recorder = FakeRecorder()
    seen: Seen = []
    steps = BucketedSteps(CPU, recorder)
    step = note_in(seen)
    for value in range(WARM_UP_VISITS + 3):
        steps.run(step, tokens_of(4, value))
    assert recorder.log == ["aside"] * WARM_UP_VISITS + ["record"] + ["replay"] * 3
    assert [content for _, content, _ in seen] == [[value] * 4 for value in range(WARM_UP_VISITS + 3)]


def test_every_step_of_a_bucket_finds_its_input_in_the_same_place() -> None:
    seen: Seen = []
    steps = BucketedSteps(CPU, FakeRecorder())
    step = note_in(seen)
    for value in range(6):
        steps.run(step, tokens_of(4, value))
        steps.run(step, tokens_of(5, value))
    places = {size: {place for length, _, place in seen if length == size} for size in (4, 5)}
    assert all(len(each) == 1 for each in places.values())
    assert places[4] != places[5]


def test_of_too_many_buckets_the_one_not_used_for_longest_is_given_up() -> None:
    recorder = FakeRecorder()
    steps = BucketedSteps(CPU, recorder, max_buckets=2)
    step = nothing
    for size in (3, 4):
        for _ in range(3):
            steps.run(step, tokens_of(size, 0))
    steps.run(step, tokens_of(3, 0))
    recorder.log.clear()

    steps.run(step, tokens_of(5, 0))

    assert recorder.log == ["discard", "aside"]
    assert steps.num_recorded == 1
    steps.run(step, tokens_of(3, 0))
    assert recorder.log[-1] == "replay"
    steps.run(step, tokens_of(4, 0))
    assert recorder.log[-1] == "aside"


def test_after_forgetting_each_bucket_is_warmed_up_and_recorded_anew() -> None:
    recorder = FakeRecorder()
    steps = BucketedSteps(CPU, recorder)
    step = nothing
    for _ in range(4):
        steps.run(step, tokens_of(3, 0))
    recorder.log.clear()
    steps.forget()
    for _ in range(3):
        steps.run(step, tokens_of(3, 0))
    assert recorder.log == ["discard", "aside", "aside", "record", "replay"]


class FailingRecorder(FakeRecorder):
    """Can record a step of three tokens, and no other."""

    def record(self, work: Callable[[], None]) -> FakeRecording:
        recording = super().record(work)
        if self.log.count("record") > 1:
            raise RuntimeError("operation not permitted when stream is capturing")
        return recording


def test_where_recording_fails_all_steps_are_run_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    recorder = FailingRecorder()
    seen: Seen = []
    steps = BucketedSteps(CPU, recorder)
    step = note_in(seen)
    for value in range(5):
        steps.run(step, tokens_of(3, value))
        steps.run(step, tokens_of(4, value))
    assert recorder.log.count("record") == 2
    assert recorder.log.count("discard") == 1
    assert recorder.log[-5:] == ["aside"] * 5
    assert [(size, content[0]) for size, content, _ in seen] == [(size, n) for n in range(5) for size in (3, 4)]
    assert "CUDA graph" in caplog.text
