"""Test doubles: a scripted session, a manual clock, a failing disk, and builders of events with defaults."""

from __future__ import annotations

import errno
import functools
import os
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from engine.config.run import ModelConfig, SamplingConfig, TrainingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.events import CharChance, CharRead, TextCompleted, TweetRead


class FakeClock:
    """A clock that only `advance` moves."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def run_started(**changes: Any) -> e.RunStarted:
    """Return the `RunStarted` of a small run."""
    event = e.RunStarted(
        step=0,
        elapsed_seconds=0.0,
        run="2026-11-25-101112",
        corpus="happy.csv",
        num_train_tweets=19_000,
        num_val_tweets=1_000,
        vocab_size=120,
        num_parameters=148_088,
        device="cpu",
        precision="float32",
        num_threads=1,
        model=ModelConfig(),
        training=TrainingConfig(),
        sampling=SamplingConfig(),
        resumed_from=None,
    )
    return replace(event, **changes)


def steps_finished(first_step: int, losses: Iterable[float], **changes: Any) -> e.StepsFinished:
    """Return consecutive steps with these losses, 0.05 s each."""
    train_losses = tuple(losses)
    event = e.StepsFinished(
        step=first_step + len(train_losses) - 1,
        elapsed_seconds=0.05 * (first_step + len(train_losses)),
        first_step=first_step,
        train_losses=train_losses,
        grad_norms=(1.0,) * len(train_losses),
        learning_rate=0.004,
        chars_per_second=70_000.0,
    )
    return replace(event, **changes)


def tweet_sampled(text: str, step: int = 100, **changes: Any) -> e.TweetSampled:
    """Return a finished tweet."""
    event = e.TweetSampled(
        step=step,
        elapsed_seconds=step * 0.05,
        text=text,
        temperature=0.8,
        reached_eos=True,
        bits_per_char=2.4,
        novelty="new",
    )
    return replace(event, **changes)


def eval_finished(step: int, bits_per_char: float, *, is_best: bool = True) -> e.EvalFinished:
    val_loss = bits_per_char * 0.693
    return e.EvalFinished(
        step=step, elapsed_seconds=step * 0.05, val_loss=val_loss, bits_per_char=bits_per_char, is_best=is_best
    )


def text_completed(text: str, request: int = 0, step: int = 100, elapsed_seconds: float = 5.0) -> TextCompleted:
    """Return the completion " and on", then most likely a space; characters beyond ASCII are unknown."""
    return TextCompleted(
        step=step,
        elapsed_seconds=elapsed_seconds,
        request=request,
        completion=tuple(" and on"),
        reached_eos=True,
        next_chars=(CharChance(char=" ", probability=0.5), CharChance(char="", probability=0.25)),
        unknown_chars=tuple(sorted({char for char in text if not char.isascii()})),
    )


def tweet_read(text: str, step: int = 100, elapsed_seconds: float = 5.0) -> TweetRead:
    """Return the surprise of a text: 2 bits per character, with "e" as the most likely one."""
    likeliest = (CharChance(char="e", probability=0.5), CharChance(char="", probability=0.25))
    return TweetRead(
        step=step,
        elapsed_seconds=elapsed_seconds,
        text=text,
        chars=tuple(CharRead(char=char, bits=2.0, likeliest=likeliest) for char in [*text, ""]),
        bits_per_char=2.0,
        copied_share=0.25,
        nearest="a similar tweet",
        nearest_share=0.4,
    )


class FakeSession:
    """Emits `RunStarted` and a script of events, then answers commands like a session until `Stop`.

    `emit` adds events while it runs; `received` lists the commands so far.
    """

    num_waiting = 0

    def __init__(self, script: Iterable[e.Event] = (), started: e.RunStarted | None = None) -> None:
        self.received: list[c.Command] = []
        self.saved_names: set[str] = set()
        self.stop_refusal = ""
        """The detail of the refusal of `Stop(unless_unsaved=True)`; empty: it stops."""
        self._script = tuple(script)
        self._started = started or run_started()
        self._step = 0
        self._num_tweets = 0
        self._emit: Callable[[e.Event], None] = _ignore
        self._lock = threading.Lock()

    def run(self, emit: Callable[[e.Event], None], commands: queue.SimpleQueue[c.Command]) -> None:
        self._emit = emit
        self._step = self._started.step
        for event in (self._started, *self._script):
            self.emit(event)
        is_running = not isinstance(self._script[-1] if self._script else None, e.RunFinished | e.RunFailed)
        while is_running:
            command = commands.get()
            self.received.append(command)
            answer = self.answer(command)
            self.emit(answer)
            is_running = not isinstance(answer, e.RunFinished)

    def emit(self, event: e.Event) -> None:
        with self._lock:
            self._step = event.step
            self._emit(event)

    def answer(self, command: c.Command) -> e.Event:  # noqa: C901, PLR0912 - one case per kind of command
        now: dict[str, Any] = {"step": self._step, "elapsed_seconds": self._step * 0.05}
        match command:
            case c.Pause():
                return e.Paused(**now)
            case c.Resume():
                return e.Resumed(**now)
            case c.Stop(unless_unsaved=True) if self.stop_refusal:
                return self._refuse("Stop", self.stop_refusal)
            case c.Stop(reason=reason):
                return e.RunFinished(reason=reason, total_seconds=1.0, total_chars=1000, **now)
            case c.SetSampling(sampling=sampling):
                return e.SamplingChanged(sampling=sampling, **now)
            case c.SetLearningRate(learning_rate=learning_rate):
                return e.LearningRateChanged(learning_rate=learning_rate, **now)
            case c.SetBatchSize(batch_size=batch_size):
                return e.BatchSizeChanged(batch_size=batch_size, epochs=0.5, **now)
            case c.SetIntervals(eval_every=eval_every, sample_every=sample_every):
                return e.IntervalsChanged(eval_every=eval_every, sample_every=sample_every, **now)
            case c.CompleteText(text=text, request=request):
                return text_completed(text, request, **now)
            case c.ReadTweet(text=text):
                return tweet_read(text, **now)
            case c.SaveLatest():
                return e.CheckpointSaved(name="latest", path="/tmp/latest.safetensors", bits_per_char=2.4, **now)
            case c.Finish():
                return e.FinishPlanned(last_step=self._step + 20, **now)
            case c.CancelFinish():
                return e.FinishCancelled(**now)
            case c.SampleNow(prime=prime):
                self._num_tweets += 1
                return tweet_sampled(
                    f"{prime or ''}asked-for tweet number {self._num_tweets}", self._step, prime=prime or ""
                )
            case c.SampleLadder(seed=seed, prime=prime, temperatures=temperatures):
                return e.LadderSampled(prime=prime, seed=seed, rungs=_rungs(seed, temperatures), **now)
            case c.SaveCheckpoint(name=name, replace=is_replacing):
                if name in self.saved_names and not is_replacing:
                    return self._refuse("SaveCheckpoint", f"There is already a checkpoint called {name}.")
                self.saved_names.add(name)
                return e.CheckpointSaved(name=name, path=f"/tmp/{name}.safetensors", bits_per_char=2.4, **now)
            case c.LoadCheckpoint(name=name):
                return e.CheckpointLoaded(name=name, path=f"/tmp/{name}.safetensors", bits_per_char=2.4, **now)

    def _refuse(self, command: str, detail: str) -> e.CommandRefused:
        return e.CommandRefused(
            step=self._step,
            elapsed_seconds=self._step * 0.05,
            command=command,
            title="The checkpoint can't be used",
            detail=detail,
            hint="Take another name.",
        )


class RaisingSession:
    """Emits a script of events, then raises."""

    num_waiting = 0

    def __init__(self, error: BaseException, script: Iterable[e.Event] = ()) -> None:
        self._error = error
        self._script = tuple(script)

    def run(self, emit: Callable[[e.Event], None], commands: queue.SimpleQueue[c.Command]) -> None:
        for event in self._script:
            emit(event)
        raise self._error


def _ignore(_: e.Event) -> None:
    """Drop events from before the session runs."""


def _rungs(seed: int, temperatures: Iterable[float]) -> tuple[e.LadderTweet, ...]:
    return tuple(
        e.LadderTweet(
            temperature=temperature,
            text=f"rung {temperature:g} of seed {seed}",
            reached_eos=True,
            bits_per_char=2.0,
            novelty="new",
        )
        for temperature in temperatures
    )


class BrokenDisk:
    """A stand-in for the module `os` with a disk that fails.

    Every call in `CALLS` is counted. From call number `breaks_at` on (None: never) each fails with `code`, `for_calls`
    times (None: until `breaks_at` is set to None). A failing write writes half of its bytes first. A full disk
    still truncates files; a full or read-only disk still answers `stat`.
    """

    CALLS = ("open", "write", "fsync", "replace", "ftruncate", "stat")

    def __init__(self, breaks_at: int | None = None, code: int = errno.ENOSPC, for_calls: int | None = None) -> None:
        self.breaks_at = breaks_at
        self.code = code
        self.for_calls = for_calls
        self.calls: list[str] = []
        """The names of the calls so far, "failed" for those that failed."""
        self._halved = False

    def __getattr__(self, name: str) -> Any:
        return functools.partial(self._do, name, getattr(os, name)) if name in self.CALLS else getattr(os, name)

    def _do(self, name: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        is_full = self.code in {errno.ENOSPC, errno.EDQUOT}
        is_unaffected = (is_full and name == "ftruncate") or (name == "stat" and (is_full or self.code == errno.EROFS))
        if self.is_broken_at(len(self.calls)) and not is_unaffected:
            if name == "write" and not self._halved and len(args[1]) > 1:
                self._halved = True
                return call(args[0], args[1][: len(args[1]) // 2])
            self._halved = False
            self.calls.append("failed")
            raise OSError(self.code, os.strerror(self.code))
        self.calls.append(name)
        return call(*args, **kwargs)

    def is_broken_at(self, number: int) -> bool:
        """Return whether the call with that number fails, counted from 0."""
        if self.breaks_at is None:
            return False
        return number >= self.breaks_at and (self.for_calls is None or number < self.breaks_at + self.for_calls)
