"""Test doubles: a scripted session, a manual clock, a failing disk, and builders of events with defaults."""

from __future__ import annotations

import errno
import functools
import os
import queue
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from msgspec.structs import replace

from engine.config.run import BUDGETS, ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.protocol.events import CharChance, CharRead, TextCompleted, TweetRead
from engine.protocol.insight import Bands

T = TypeVar("T")
NO_LIMIT = dict.fromkeys(BUDGETS)


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
    configs = {"model": ModelConfig(), "training": TrainingConfig(), "sampling": SamplingConfig()}
    sizes = {"num_train_tweets": 19_000, "num_val_tweets": 1_000, "vocab_size": 120, "num_parameters": 148_088}
    machine = {"device": "cpu", "precision": "float32", "num_threads": 1, "tuning": "", "world_size": 1, "backend": ""}
    origin = {"corpus": "happy.csv", "resumed_from": None, "is_warm_start": False, "epochs": 0.0}
    names = {"run": "2026-11-25-101112", "started_at": 1_795_000_000.0}
    return _event(e.RunStarted, 0, changes, **names, **origin, **sizes, **machine, **configs)


def _event(kind: type[T], step: int, changes: dict[str, Any], **fields: Any) -> T:
    """Return an event of a step, 0.05 s each, but for changes."""
    return kind(**{"step": step, "elapsed_seconds": step * 0.05} | fields | changes)


def steps_finished(first_step: int, losses: Iterable[float], **changes: Any) -> e.StepsFinished:
    """Return consecutive steps with these losses."""
    train_losses = tuple(losses)
    count = len(train_losses)
    end = first_step + count
    fields = {"first_step": first_step, "train_losses": train_losses, "grad_norms": (1.0,) * count}
    rates = {"learning_rates": (0.004,) * count, "chars_per_second": 70_000.0}
    return _event(e.StepsFinished, end - 1, changes, elapsed_seconds=0.05 * end, **fields, **rates)


def steps_thinned(first_step: int, last_step: int, **changes: Any) -> e.StepsThinned:
    """Return a bucket of steps."""
    losses = {"least_loss": 1.5, "mean_loss": 2.0, "greatest_loss": 3.0}
    norms = {"least_grad_norm": 0.5, "mean_grad_norm": 1.0, "greatest_grad_norm": 2.5}
    rates = {"learning_rate": 0.004, "chars_per_second": 70_000.0, "elapsed_seconds": 0.05 * (last_step + 1)}
    return _event(e.StepsThinned, last_step, changes, first_step=first_step, **losses, **norms, **rates)


def tweet_sampled(text: str, step: int = 100, **changes: Any) -> e.TweetSampled:
    """Return a finished tweet."""
    fields = {"temperature": 0.8, "reached_eos": True, "bits_per_char": 2.4, "novelty": "new"}
    return _event(e.TweetSampled, step, changes, text=text, **fields)


def eval_finished(step: int, bits_per_char: float, *, is_best: bool = True) -> e.EvalFinished:
    val_loss = bits_per_char * 0.693
    return _event(e.EvalFinished, step, {}, val_loss=val_loss, bits_per_char=bits_per_char, is_best=is_best)


def checkpoint_saved(step: int, name: str = "latest", **changes: Any) -> e.CheckpointSaved:
    """Return the save of a checkpoint with the weights of `step`."""
    fields = {"name": name, "path": f"/{name}", "bits_per_char": None, "weights_step": step}
    return _event(e.CheckpointSaved, step, changes, elapsed_seconds=1.0, **fields)


def checkpoint_loaded(step: int, name: str, **changes: Any) -> e.CheckpointLoaded:
    fields = {"name": name, "path": f"/{name}", "bits_per_char": None, "epochs": 0.0}
    return _event(e.CheckpointLoaded, step, changes, elapsed_seconds=1.0, **fields)


def change(**settings: Any) -> c.ChangeSettings:
    return c.ChangeSettings(settings=settings)


def budget(**limits: Any) -> c.ChangeSettings:
    """Return the command that lifts all limits but these."""
    return change(**{**NO_LIMIT, **limits})


def settings_changed(step: int, **settings: Any) -> e.SettingsChanged:
    return e.SettingsChanged(step=step, elapsed_seconds=step * 0.05, settings=settings, epochs=0.5)


def paused(step: int, elapsed_seconds: float = 1.0) -> e.Paused:
    return e.Paused(step=step, elapsed_seconds=elapsed_seconds)


def run_finished(step: int, reason: str = "done", **changes: Any) -> e.RunFinished:
    fields = {"reason": reason, "elapsed_seconds": 1.0, "total_seconds": 1.0, "total_chars": 9}
    return _event(e.RunFinished, step, changes, **fields)


def run_failed(step: int = 0, title: str = "Training diverged", **changes: Any) -> e.RunFailed:
    fields = {"title": title, "detail": "It went wrong.", "hint": ""}
    return _event(e.RunFailed, step, changes, elapsed_seconds=1.0, **fields)


def ranks_measured(waiting_shares: Iterable[float], num_hosts: int = 1, device: str = "cpu") -> e.RanksMeasured:
    """Return how long each rank has waited; the ranks of a host are consecutive."""
    shares = tuple(waiting_shares)
    devices = tuple(f"{device}:{rank}" for rank in range(len(shares)))
    hosts = tuple(f"node-{rank * num_hosts // len(shares)}" for rank in range(len(shares)))
    return e.RanksMeasured(step=100, elapsed_seconds=2.0, waiting_shares=shares, devices=devices, hosts=hosts)


def baselines_measured(
    step: int = 0,
    names: Iterable[str] = ("uniform", "unigram", "2-gram", "6-gram"),
    bits_per_char: Iterable[float] = (6.6, 4.4, 3.4, 2.3),
) -> insight.BaselinesMeasured:
    return insight.BaselinesMeasured(
        step=step, elapsed_seconds=1.0, request=0, names=tuple(names), bits_per_char=tuple(bits_per_char)
    )


_LIKELIEST = (CharChance(char="e", probability=0.5), CharChance(char="", probability=0.25))


def text_completed(text: str, request: int = 0, **changes: Any) -> TextCompleted:
    """Return the completion " and on", then most likely a space; characters beyond ASCII are unknown."""
    unknown = tuple(sorted({char for char in text if not char.isascii()}))
    chances = (replace(_LIKELIEST[0], char=" "), _LIKELIEST[1])
    fields = {"completion": tuple(" and on"), "reached_eos": True, "next_chars": chances, "unknown_chars": unknown}
    return _event(TextCompleted, 100, changes, request=request, **fields)


def tweet_read(text: str, **changes: Any) -> TweetRead:
    """Return the surprise of a text: 2 bits per character, with "e" as the most likely one."""
    chars = tuple(CharRead(char=char, bits=2.0, likeliest=_LIKELIEST) for char in [*text, ""])
    copied = {"copied_share": 0.25, "nearest": "a similar tweet", "nearest_share": 0.4}
    return _event(TweetRead, 100, changes, text=text, chars=chars, bits_per_char=2.0, **copied)


def chars_read(text: str, bits: float = 2.0) -> tuple[CharRead, ...]:
    """Return predictions along a text and its end: the true character or "e" is most likely."""
    return tuple(
        CharRead(char=char, bits=bits, likeliest=(replace(_LIKELIEST[0], char=char or "e"), _LIKELIEST[1]))
        for char in [*text, ""]
    )


def _bands(num_rows: int, scale: float = 1.0) -> Bands:
    """Return rows whose four bands rise from 0 towards `scale`, and shift by row."""
    return tuple(tuple(round(scale * ((row + band) % 4) / 3, 3) for band in range(4)) for row in range(num_rows))


def _answer(kind: type[T], changes: dict[str, Any], **fields: Any) -> T:
    """Return an answer about the weights of step 100, but for changes."""
    return _event(kind, 100, changes, request=0, weights_step=100, **fields)


def text_traced(text: str, own_from: int | None = None, **changes: Any) -> insight.TextTraced:
    """Return the trace of a text by a model with one layer and four bands."""
    num_inputs = len(text) + 1
    gates = insight.CharGates(
        reset_mean=0.5, update_mean=0.7, saturated_share=0.2, kept_share=0.15, overwritten_share=0.05, hidden_change=0.3
    )
    own = None
    if own_from is not None:
        own_text = text[:own_from] + "own"
        bands = _bands(len(own_text) + 2, 0.5)
        own = insight.OwnDraw(
            first=own_from, text=own_text, reached_eos=True, chars=chars_read(own_text), hidden_bands=bands
        )
    sizes = {"num_layers": 1, "embedding_size": 8, "hidden_size": 16, "vocab_size": 40}
    rows = {name: _bands(num_inputs) for name in ("embedding_bands", "reset_bands", "update_bands")}
    rows |= {"hidden_bands": _bands(num_inputs + 1, 0.5), "candidate_bands": _bands(num_inputs, -1.0)}
    return _answer(
        insight.TextTraced,
        changes,
        text=text,
        layer=0,
        token_ids=(1, *(4 + ord(char) % 36 for char in text)),
        chars=chars_read(text),
        next_log_probs=(-0.693, -1.386, *[-4.997] * 37),
        gates=(gates,) * num_inputs,
        stepwise_loss=1.386294,
        sequence_loss=1.386295,
        own=own,
        **sizes,
        **rows,
    )


def reach_measured(text: str, position: int, **changes: Any) -> insight.ReachMeasured:
    """Return scores that fall with the distance from the prediction."""
    scores = tuple(round(2.0 / (1 + position - place), 3) for place in range(position + 1))
    return _answer(insight.ReachMeasured, changes, text=text, position=position, method="occlusion", scores=scores)


def units_scored(**changes: Any) -> insight.UnitsScored:
    """Return the scores of two units."""
    units = (
        insight.UnitScore(layer=0, unit=7, concept="in an @name", correlation=0.81),
        insight.UnitScore(layer=0, unit=3, concept="after a space", correlation=-0.62),
    )
    return _answer(insight.UnitsScored, changes, num_tweets=500, num_chars=37_000, units=units)


def unit_held(text: str, unit: int = 7, value: float | None = None, **changes: Any) -> insight.UnitHeld:
    """Return a unit that alternates between -0.5 and 0.5."""
    return _answer(
        insight.UnitHeld,
        changes,
        text=text,
        layer=0,
        unit=unit,
        value=value,
        activations=tuple(0.5 if place % 2 else -0.5 for place in range(len(text) + 1)),
        chars=chars_read(text),
        tweets=("a first tweet", "a second tweet"),
    )


def embeddings_mapped(**changes: Any) -> insight.EmbeddingsMapped:
    """Return a map of five characters."""
    places = {" ": (0.0, 0.0), "e": (1.0, 0.5), "a": (0.9, 0.6), "7": (-1.0, -0.5), "T": (-0.2, 0.9)}
    points = tuple(insight.CharPoint(char=char, x=x, y=y) for char, (x, y) in places.items())
    return _answer(insight.EmbeddingsMapped, changes, points=points, variance_shares=(0.2, 0.1), num_chars=36)


def batch_shown(texts: Iterable[str] = ("good morning", "hi"), **changes: Any) -> insight.BatchShown:
    """Return a batch of these tweets."""
    rows = tuple(insight.BatchRow(text=text, token_ids=(1, *(4 + ord(char) % 36 for char in text))) for text in texts)
    sizes = {"num_tweets": len(rows), "num_columns": 1 + max(len(row.text) for row in rows), "vocab_size": 40}
    shares = {"sorted_padding": 0.04, "shuffled_padding": 0.46}
    num_targets = sum(len(row.text) + 1 for row in rows)
    return _event(
        insight.BatchShown, 100, changes, batch_step=100, rows=rows, num_targets=num_targets, **sizes, **shares
    )


def step_taken(step: int = 101, **changes: Any) -> insight.StepTaken:
    """Return a single step that lowered the loss."""
    losses = {"loss_before": 2.5, "loss_after": 2.4, "grad_norm": 0.8, "learning_rate": 0.004}
    return _event(insight.StepTaken, step, changes, num_tweets=32, num_targets=2400, **losses)


class FakeSession:
    """Emits `RunStarted` and a script of events, then answers commands like a session until `Stop`.

    `emit` adds events while it runs; `received` lists the commands so far.
    """

    num_waiting = 0

    def __init__(self, script: Iterable[e.Event] = (), started: e.RunStarted | None = None) -> None:
        self.received: list[c.Command] = []
        self.has_begun = False
        """Whether it has emitted its script."""
        self.num_handled = 0
        """Commands that it has taken and answered, those that are not in `received` included."""
        self.saved_names: set[str] = set()
        self.measures_baselines = False
        """Whether it answers `MeasureBaselines`, which a screen sends by itself; else that is not in `received`."""
        self.stop_refusal = ""
        """The detail of the refusal of `Stop(unless_unsaved=True)`; empty: it stops."""
        self._script = tuple(script)
        self._started = started or run_started()
        self._step = 0
        self._num_tweets = 0
        self._emit: Callable[[e.Event], None] = _ignore
        self._lock = threading.RLock()

    def run(self, emit: Callable[[e.Event], None], commands: queue.SimpleQueue[c.Command]) -> None:
        self._emit = emit
        self._step = self._started.step
        for event in (self._started, *self._script):
            self.emit(event)
        self.has_begun = True
        is_running = not isinstance(self._script[-1] if self._script else None, e.RunFinished | e.RunFailed)
        while is_running:
            command = commands.get()
            if isinstance(command, insight.MeasureBaselines) and not self.measures_baselines:
                self.num_handled += 1
                continue
            with self._lock:  # what a test emits once a command was received comes after its answer
                self.received.append(command)
                answer = self.answer(command)
                self.emit(answer)
            self.num_handled += 1
            is_running = not isinstance(answer, e.RunFinished)

    def emit(self, event: e.Event) -> None:
        with self._lock:
            self._step = event.step
            self._emit(event)

    def answer(self, command: c.Command) -> e.Event:  # noqa: C901, PLR0912 - one case per kind of command
        now: dict[str, Any] = {"step": self._step, "elapsed_seconds": self._step * 0.05}
        of_weights = {**now, "weights_step": self._step}
        saved = {**now, "bits_per_char": 2.4}
        match command:
            case c.Pause():
                return e.Paused(**now)
            case c.Resume():
                return e.Resumed(**now)
            case c.Stop(unless_unsaved=True) if self.stop_refusal:
                return self._refuse("Stop", self.stop_refusal)
            case c.Stop(reason=reason):
                return e.RunFinished(reason=reason, total_seconds=1.0, total_chars=1000, **now)
            case c.ChangeSettings(settings=settings):
                return e.SettingsChanged(settings=settings, epochs=0.5, **now)
            case c.CompleteText(text=text, request=request):
                return text_completed(text, request, **now)
            case c.ReadTweet(text=text):
                return tweet_read(text, **now)
            case c.SaveLatest():
                return checkpoint_saved(name="latest", **saved)
            case c.Finish(on=on):
                return e.FinishPlanned(last_step=self._step + 20 if on else None, **now)
            case c.SampleNow(prime=prime):
                self._num_tweets += 1
                text = f"{prime or ''}asked-for tweet number {self._num_tweets}"
                return tweet_sampled(text, self._step, prime=prime or "")
            case c.SampleLadder(seed=seed, prime=prime, temperatures=temperatures):
                return e.LadderSampled(prime=prime, seed=seed, rungs=_rungs(seed, temperatures), **now)
            case c.SaveCheckpoint(name=name, replace=is_replacing):
                if name in self.saved_names and not is_replacing:
                    return self._refuse("SaveCheckpoint", f"There is already a checkpoint called {name}.")
                self.saved_names.add(name)
                return checkpoint_saved(name=name, **saved)
            case c.TakeStep():
                return step_taken(self._step + 1)
            case insight.ShowBatch(shuffled=shuffled):
                return batch_shown(shuffled=shuffled, **now)
            case insight.TraceText(text=text, request=request, layer=layer, own_from=own_from):
                return text_traced(text, own_from, request=request, layer=layer, **of_weights)
            case insight.MeasureReach(text=text, position=position, request=request, method=method):
                return reach_measured(text, position, request=request, method=method, **of_weights)
            case insight.ScoreUnits(request=request):
                return units_scored(request=request, **of_weights)
            case insight.HoldUnit(text=text, unit=unit, request=request, value=value):
                return unit_held(text, unit, value, request=request, **of_weights)
            case insight.MapEmbeddings(request=request):
                return embeddings_mapped(request=request, **of_weights)
            case insight.MeasureBaselines(request=request):
                names, bits = ("uniform", "unigram", "2-gram", "5-gram"), (6.6, 4.6, 3.7, 2.6)
                return insight.BaselinesMeasured(request=request, names=names, bits_per_char=bits, **now)
            case c.LoadCheckpoint(name=name):
                return checkpoint_loaded(name=name, **saved)
            case _:
                raise TypeError(type(command))

    def _refuse(self, command: str, detail: str) -> e.CommandRefused:
        sentences = {"title": "The checkpoint can't be used", "hint": "Take another name."}
        return _event(e.CommandRefused, self._step, sentences, command=command, detail=detail)


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
    fields: dict[str, Any] = {"reached_eos": True, "bits_per_char": 2.0, "novelty": "new"}
    return tuple(
        e.LadderTweet(temperature=each, text=f"rung {each:g} of seed {seed}", **fields) for each in temperatures
    )


class BrokenDisk:
    """A stand-in for the module `os` with a disk that fails.

    Every call in `CALLS` is counted. From call number `breaks_at` on (None: never) each fails with `code`, `for_calls`
    times (None: until `breaks_at` is set to None). A failing write writes half of its bytes first. A full disk
    still truncates files; a full or read-only disk still answers `stat`. Files that are only read are not affected.
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
        if name == "open" and args[1] & os.O_NONBLOCK:  # `open_regular`, to read
            return call(*args, **kwargs)
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
