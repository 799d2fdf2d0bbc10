"""Helpers of engine tests: a small synthetic corpus, a tiny run, and a session driven step by step.

`run_session` runs on the caller's thread. Commands are sent from within `emit`, so a command "at step 7" is in the
inbox before step 8: no thread, no waiting, deterministic.
"""

from __future__ import annotations

import functools
import gc
import inspect
import math
import os
import pkgutil
import queue
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, islice, product
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.format import CheckpointInfo, read_info
from engine.checkpoints.writer import Writer
from engine.compute.device import Runtime
from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig, Setting
from engine.corpus.arrays import CorpusBatch, EncodedTweets, FlatTweets
from engine.corpus.batches import BatchStream
from engine.model.gru import TextGenerator
from engine.model.ngram_contexts import frequent_contexts
from engine.model.vocab import Vocab, appended, context_code
from engine.protocol import commands, events
from engine.protocol.commands import Command
from engine.protocol.events import Event
from engine.protocol.progress import BatchCursor
from engine.session import checkpointing, loop
from engine.session.ranks.connection import Ranks
from engine.session.session import TrainingSession
from engine.storage.folders import find_run
from engine.storage.journal import read_journal
from engine.training.trainer import Trainer
from tests.engine.session.stream_rules import assert_valid_stream
from tests.fakes import FakeClock

CPU = Runtime(device=torch.device("cpu"), precision="float32", num_threads=1)
TINY: dict[str, Setting] = {
    "embedding_size": 6,
    "hidden_size": 8,
    "batch_size": 8,
    "sample_every": 0,
    "eval_every": 0,
    "max_steps": 12,
    "max_length": 20,
}

OnEvent = Callable[[Event], Iterable[Command]]
Sent = Iterable[Command | Callable[[], object]]
"""Commands to send, and what to do between them."""
Script = Mapping[int, Sent]
Once = Mapping[Any, Sent]
"""By types of events."""
_EventType = TypeVar("_EventType", bound=Event)

gc.freeze()  # keeps the garbage collection at the end of each session from visiting all imported objects


@contextmanager
def home_at(folder: Path) -> Iterator[Path]:
    """Store runs and checkpoints in this folder within the block."""
    with mock.patch.dict(os.environ, TWEETGEN_HOME=str(folder)):
        yield folder


@contextmanager
def own_home() -> Iterator[Path]:
    """Store runs and checkpoints in a folder of their own within the block, which returns it."""
    with tempfile.TemporaryDirectory() as folder, home_at(Path(folder)) as home:
        yield home


def small_tweets(count: int = 60) -> list[str]:
    """Return distinct generated tweets of several lengths, from about thirty different characters."""
    who = ("the cat", "@mia_k", "my gran", "our bus", "a fox", "Tom")
    does = ("hugs", "paints", "finds", "loves")
    what = ("tea", "a red kite", "the moon :)", "jam", "two boats")
    return [f"{a} {b} {c}{'!' * (len(a) % 3)}" for c, b, a in islice(product(what, does, who), count)]


def write_corpus(folder: Path, tweets: Iterable[str] | None = None, name: str = "small.txt") -> Path:
    """Write tweets to a file, one per line; return its path."""
    path = folder / name
    path.write_text("\n".join(small_tweets() if tweets is None else tweets) + "\n", encoding="utf-8")
    return path


def encoded(tweets: list[str] | None = None) -> tuple[EncodedTweets, Vocab]:
    """Return encoded tweets and the vocabulary of all their characters."""
    tweets = small_tweets() if tweets is None else tweets
    vocab = vocab_of(tweets)
    return encoded_with(vocab, tweets), vocab


def vocab_of(tweets: Iterable[str], min_count: int = 1) -> Vocab:
    """Return the vocabulary of all characters with at least `min_count` occurrences in `tweets`."""
    return Vocab.from_counts(Counter("".join(tweets)), min_count)


def encoded_with(vocab: Vocab, tweets: Iterable[str]) -> EncodedTweets:
    """Encode `tweets`; characters that `vocab` lacks become `UNK`."""
    return EncodedTweets.from_flat(FlatTweets.from_texts(tweets), vocab)


def some_batches(count: int, batch_size: int = 8) -> list[CorpusBatch]:
    """Return the first batches of the small tweets."""
    return list(islice(BatchStream(encoded()[0], batch_size, seed=3, position=BatchCursor()), count))


def code_of(*token_ids: int) -> int:
    """Return the code of a context of two to four characters."""
    window = np.zeros(1, dtype=np.int64)
    for token_id in token_ids:
        window = appended(window, token_id)
    return int(context_code(window, len(token_ids))[0])


def model_with_table(embedding_size: int, hidden_size: int, num_layers: int = 1, dropout: float = 0.0) -> TextGenerator:
    """Return a model with an n-gram input for the frequent contexts of the small tweets."""
    tweets, vocab = encoded()
    contexts = torch.from_numpy(frequent_contexts(tweets.token_ids, tweets.offsets, len(vocab), 4, hidden_size))
    model = TextGenerator(len(vocab), embedding_size, hidden_size, num_layers, dropout, ngram_contexts=len(contexts))
    assert model.ngram_input is not None
    model.ngram_input.contexts.copy_(contexts)
    return model


def copy_of_state(trainer: Trainer) -> dict[str, Tensor]:
    """Return copies of the weights and the optimizer's tensors."""
    return {name: tensor.clone() for name, tensor in trainer.state().items()}


def assert_same_tensors(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Assert that tensors are equal bit for bit, by name."""
    assert found.keys() == expected.keys()
    assert [name for name, tensor in expected.items() if not torch.equal(found[name], tensor)] == []


def assert_close_tensors(found: Tensor, expected: Tensor, *, rtol: float = 1e-5, atol: float = 1e-8) -> None:
    """Assert equal shapes and close values; `torch.testing.assert_close` takes a second to import half of torch."""
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, rtol=rtol, atol=atol), (found - expected).abs().max()


def tiny_config(
    corpus: Path | None, *, run_name: str | None = "tiny", overfit: int | None = None, **settings: Setting
) -> RunConfig:
    """Return the config of a tiny model, by default of 12 steps without samples and evaluations."""
    return RunConfig(
        preset="tutorial",
        settings={**TINY, **settings},
        corpus=CorpusConfig(files=(str(corpus),), overfit=overfit) if corpus else None,
        runtime=RuntimeConfig(device="cpu", precision="float32", threads=1),
        run_name=run_name,
    )


def resume_config(run: str = "last", **settings: Setting) -> RunConfig:
    """Return the config that resumes a run."""
    runtime = RuntimeConfig(device="cpu", precision="float32", threads=1)
    return RunConfig(resume=run, settings=settings, runtime=runtime)


def branch_config(corpus: Path | None, run_name: str, checkpoint: str = "tiny/latest", **settings: Any) -> RunConfig:
    """Return the config of a new run from a checkpoint; without a corpus on the checkpoint's tweets."""
    files = CorpusConfig(files=(str(corpus),)) if corpus else None
    return replace(resume_config(**settings), resume=None, checkpoint=checkpoint, corpus=files, run_name=run_name)


def never(_: Event) -> Iterable[Command]:
    """Send no command."""
    return ()


class QuickWriter(Writer):
    """The thread of a disk that is so quick that no step is taken meanwhile."""

    def start(self) -> None:
        super().start()
        self.join()


def late_writer(num_looks: int) -> type[Writer]:
    """Return a writer that writes once it was looked at so often: no thread, always at the same place of a run."""

    class LateWriter(Writer):
        _looks_left = num_looks

        def start(self) -> None:
            """Start nothing yet."""

        def is_alive(self) -> bool:
            self._looks_left -= 1
            if self._looks_left < 0:
                self.join()
            return self.ident is None

        def join(self, timeout: float | None = None) -> None:
            if self.ident is None:
                super().start()
            super().join(timeout)

    return LateWriter


class TickingClock(FakeClock):
    """Advances by `tick_seconds` each time it is read."""

    def __init__(self, tick_seconds: float = 1.0) -> None:
        super().__init__()
        self._tick_seconds = tick_seconds

    def __call__(self) -> float:
        self.advance(self._tick_seconds)
        return self.now


class AnsweringInbox(queue.SimpleQueue[Command]):
    """An inbox that returns `answers` one per poll, None for an empty inbox, and then the commands that were put.

    A session polls between two steps, before every character of a tweet, in an evaluation, and while it is paused;
    after a command it polls again. Before the run has started the answers are held back.
    """

    def __init__(self, answers: Iterable[Command | None]) -> None:
        super().__init__()
        self.has_begun = False
        self.unread = iter(answers)

    def get_nowait(self) -> Command:
        for answer in self.unread if self.has_begun else ():
            if answer is None:
                raise queue.Empty
            return answer
        return super().get_nowait()


def run_session(
    config: RunConfig,
    script: Script | None = None,
    on_event: OnEvent = never,
    clock: Callable[[], float] | None = None,
    inbox: queue.SimpleQueue[Command] | None = None,
    report_seconds: float = 0.0,
    *,
    once: Once | None = None,
    seconds: Mapping[Any, float] | None = None,
    times_seconds: float = math.inf,
    pauses_at_end: bool = False,
    ranks: Ranks | None = None,
    is_restarted: bool = False,
    writer: type[Writer] | None = None,
) -> list[Event]:
    """Run a session to its end and return its events; a stream that breaks a rule is an error.

    `script` maps steps to the commands to send once they are emitted (0: at the start), `once` the types of events to
    those to send at the first of them; `on_event` returns those to send on any event. `clock` is the run's only clock:
    without one no time passes but the `seconds` of each event of a type, so that a slow machine saves no more often
    than a fast one. Every step is emitted at once, unless `report_seconds` is given; `StepTimes` are emitted only with
    `times_seconds`. Every checkpoint is on the disk before the next step, unless `writer` is given.
    """
    inbox = inbox or queue.SimpleQueue()
    clock = clock or FakeClock()
    pending = {step: list(at_step) for step, at_step in (script or {}).items()}
    at_first = dict(once or {})
    emitted: list[Event] = []

    def emit(event: Event) -> None:
        emitted.append(event)
        if isinstance(inbox, AnsweringInbox):
            inbox.has_begun = True
        if isinstance(clock, FakeClock):
            clock.advance((seconds or {}).get(type(event), 0.0))
        sent = pending.pop(event.step, []) if isinstance(event, events.StepsFinished | events.RunStarted) else []
        for each in (*sent, *on_event(event), *at_first.pop(type(event), [])):
            if isinstance(each, Command):
                inbox.put(each)
            else:
                each()

    with (
        mock.patch.object(loop, "REPORT_SECONDS", report_seconds),
        mock.patch.object(loop, "TIMES_SECONDS", times_seconds),
        mock.patch.object(loop, "PAUSED_POLL_SECONDS", 0.001),
        mock.patch.object(checkpointing, "Writer", writer or QuickWriter),
    ):
        options: Any = {"pauses_at_end": pauses_at_end, "ranks": ranks, "is_restarted": is_restarted}
        session = TrainingSession(config, clock=clock, **options)
        session.run(emit, inbox)
    if isinstance(emitted[0], events.RunStarted):
        assert_valid_stream(emitted)
    return emitted


def run_tiny(corpus: Path, script: Script | None = None, on_event: OnEvent = never, **options: Any) -> list[Event]:
    """Run a session of the tiny model; options that `run_session` does not have are those of its config."""
    own = {name: options.pop(name) for name in inspect.signature(run_session).parameters.keys() & options.keys()}
    return run_session(tiny_config(corpus, **options), script, on_event, **own)


def whenever(event_type: type[_EventType], do: Callable[[_EventType], Iterable[Command] | None]) -> OnEvent:
    """Return what calls `do` with each event of a type, and sends the commands that it returns."""
    return lambda event: (do(event) or ()) if isinstance(event, event_type) else ()


def let_fail(
    patch: pytest.MonkeyPatch,
    target: str,
    error: BaseException,
    when: int | Callable[..., bool],
    *,
    is_after: bool = False,
) -> None:
    """Let a function raise before or after its work: in one call, counted from 1, or for the arguments that `when`."""
    sound, numbers = pkgutil.resolve_name(target), count(1)

    def fail(*args: Any, **fields: Any) -> Any:
        number = next(numbers)
        does_fail = when(*args, **fields) if callable(when) else number == when
        if does_fail and not is_after:
            raise error
        result = sound(*args, **fields)
        if does_fail:
            raise error
        return result

    patch.setattr(target, fail)


@functools.cache
def plain_losses(**settings: Setting) -> dict[int, float]:
    """Return the losses of a tiny run on the small tweets that nothing disturbs; ask before anything is replaced."""
    with own_home() as folder:
        return losses(run_tiny(write_corpus(folder), **settings))


def stop_at(step: int) -> Script:
    """Return the script that stops a run after `step`."""
    return {step: [commands.Stop()]}


def latest() -> CheckpointInfo:
    """Return the metadata of the checkpoint `latest` of the run `tiny`."""
    return info_of("tiny")


def info_of(run: str, name: str = "latest") -> CheckpointInfo:
    """Return the metadata of a checkpoint of a run."""
    return read_info(find_run(run).checkpoint_path(name))[0]


def journalled(run: str = "tiny") -> list[Event]:
    """Return the events in the journal of a run."""
    return list(read_journal(find_run(run).journal_path))


def tensors_of(run: str, name: str = "latest") -> dict[str, Tensor]:
    """Return the tensors of a checkpoint of a run."""
    return load_checkpoint(find_run(run).checkpoint_path(name)).tensors


def of_type(stream: Iterable[Event], event_type: type[_EventType]) -> list[_EventType]:
    """Return the events of one type."""
    return [event for event in stream if isinstance(event, event_type)]


def only(stream: Iterable[Event], event_type: type[_EventType]) -> _EventType:
    """Return the one event of a type."""
    [event] = of_type(stream, event_type)
    return event


def names(stream: Iterable[Event]) -> list[str]:
    """Return the names of the events' types, in order."""
    return [type(event).__name__ for event in stream]


def losses(stream: Iterable[Event]) -> dict[int, float]:
    """Return the train loss of each step."""
    return {
        step: loss
        for event in of_type(stream, events.StepsFinished)
        for step, loss in enumerate(event.train_losses, start=event.first_step)
    }


def rates(stream: Iterable[Event]) -> dict[int, float]:
    """Return the learning rate of each step, of a run with one step per event."""
    return {event.step: event.learning_rate for event in of_type(stream, events.StepsFinished)}
