"""Prefetched batches and their positions equal those of the stream; the thread ends on close and passes errors on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.corpus.batches import BatchStream
from engine.corpus.encoded_tweets import Batch
from engine.corpus.position import Position
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.training.prefetch import PrefetchedBatches
from tests.engine.compute.gpu.device_steps import FakeRecorder, use_device_step
from tests.engine.helpers import (
    Script,
    encoded,
    losses,
    only,
    resume_config,
    run_session,
    stop_at,
    tiny_config,
    write_corpus,
)

DEADLINE_SECONDS = 20.0


def stream_at(position: Position, batch_size: int = 7, seed: int = 3) -> BatchStream:
    return BatchStream(encoded()[0], batch_size, seed, position)


def as_they_are(batch: Batch) -> Batch:
    return batch


def batch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "batches"]


def inputs_of(batch: Batch) -> list[list[int]]:
    listed: list[list[int]] = batch.inputs.tolist()
    return listed


@settings(max_examples=30)
@given(
    taken=st.integers(0, 25),
    ahead=st.integers(1, 6),
    epoch=st.integers(0, 2),
    batch=st.integers(0, 30),
    size=st.integers(1, 9),
)
def test_batches_and_positions_equal_those_of_the_stream(
    taken: int, ahead: int, epoch: int, batch: int, size: int
) -> None:
    start = Position(epoch=epoch, batch=batch)
    plain = stream_at(start, size)
    prefetched = PrefetchedBatches(stream_at(start, size), as_they_are, ahead)
    assert prefetched.tweets_per_epoch == plain.tweets_per_epoch
    for _ in range(taken):
        assert inputs_of(next(prefetched)) == inputs_of(next(plain))
        assert (prefetched.position, prefetched.epochs) == (plain.position, plain.epochs)
    assert (prefetched.position, prefetched.epochs) == (plain.position, plain.epochs)
    prefetched.close()

    again = PrefetchedBatches(stream_at(prefetched.position, size), as_they_are, ahead)
    assert [inputs_of(next(again)) for _ in range(5)] == [inputs_of(next(plain)) for _ in range(5)]
    again.close()
    assert not batch_threads()


def failing_at(number: int, error: BaseException) -> Callable[[Batch], Batch]:
    """Return a `prepare` that raises at batch `number`."""
    count = iter(range(10**6))

    def prepare(batch: Batch) -> Batch:
        if next(count) == number:
            raise error
        return batch

    return prepare


@pytest.mark.parametrize("error", [ValueError("a bug"), MemoryError()])
def test_an_error_is_raised_in_place_of_its_batch_and_at_each_later_call(error: BaseException) -> None:
    prefetched = PrefetchedBatches(stream_at(Position()), failing_at(3, error))
    plain = stream_at(Position())
    for _ in range(3):
        assert inputs_of(next(prefetched)) == inputs_of(next(plain))
    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            next(prefetched)
        assert caught.value is error
    assert prefetched.position == plain.position
    prefetched.close()
    assert not batch_threads()


# in a whole session --------------------------------------------------------------------------------------------------


@pytest.fixture
def corpus(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a corpus for runs with the GPU step."""
    use_device_step(monkeypatch, FakeRecorder())
    return write_corpus(home)


def test_a_run_on_a_device_that_is_stopped_and_resumed_equals_an_uninterrupted_one(corpus: Path) -> None:
    whole = losses(run_session(tiny_config(corpus, max_steps=20, run_name="whole")))
    first = losses(run_session(tiny_config(corpus, max_steps=20), stop_at(9)))
    then = losses(run_session(resume_config("tiny")))
    assert first | then == whole
    assert list(whole) == list(range(1, 21))
    assert max(first) < min(then)
    assert not batch_threads()


def test_loading_a_checkpoint_resets_the_batches(corpus: Path) -> None:
    script: Script = {4: [c.SaveCheckpoint(name="here")], 9: [c.LoadCheckpoint(name="here")]}
    seen: list[tuple[int, float]] = []

    def note(event: e.Event) -> tuple[c.Command, ...]:
        if isinstance(event, e.StepsFinished):
            seen.extend(enumerate(event.train_losses, start=event.first_step))
        return ()

    emitted = run_session(tiny_config(corpus, max_steps=16), script, note)

    assert only(emitted, e.RunFinished).reason == "max_steps"
    first_time, second_time = seen[4:9], seen[9:14]
    assert [step for step, _ in first_time] == [step for step, _ in second_time] == [5, 6, 7, 8, 9]
    assert [loss for _, loss in first_time] == [loss for _, loss in second_time]
    assert not batch_threads()
