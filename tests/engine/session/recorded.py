"""Runs as lines for a snapshot: events and the last checkpoint, without what differs between machines.

That are losses and sampled texts; times are those of a clock that stands, unless a test lets it advance.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from itertools import groupby
from typing import Any

from engine.checkpoints.format import CheckpointInfo
from engine.config.run import Computation, RunConfig
from engine.protocol import events as e
from engine.protocol import insight
from tests.engine.helpers import TINY, Script, info_of, run_session

SHOWN: dict[type, tuple[str, ...]] = {
    e.RunStarted: ("run", "resumed_from", "epochs", "is_warm_start"),
    e.TweetSampled: ("prime", "temperature", "num_drafts"),
    e.LadderSampled: ("prime", "seed"),
    e.TextCompleted: ("request", "unknown_chars"),
    e.EvalFinished: ("is_best", "is_early"),
    e.CheckpointSaved: ("name", "weights_step"),
    e.CheckpointLoaded: ("name", "bits_per_char"),
    e.ModelChanged: ("model",),
    insight.StepTaken: ("num_tweets", "learning_rate"),
    e.RunFinished: ("reason",),
}
"""The fields that are shown of events of these types; of others all but step and time."""
COMPUTED = ("num_threads", "precision", "tuning")
EMPTY = {"None", "False", "''", "()"}
"""Values of fields that are left out."""


def record(config: RunConfig, script: Script | None = None, **options: Any) -> str:
    """Run a session and return its lines."""
    return lines_of(run_session(config, script, **options))


def lines_of(emitted: Iterable[e.Event]) -> str:
    """Return one line per event, one for all steps between two other events, and those of the checkpoint `latest`."""
    lines, run = list[str](), ""
    for are_steps, group in groupby(emitted, lambda event: isinstance(event, e.StepsFinished)):
        events: list[Any] = list(group)
        if are_steps:
            rates = [rate for rate, _ in groupby(f"{event.learning_rate:.2g}" for event in events)]
            shown = rates if len(rates) < 6 else [rates[0], "...", rates[-1]]
            first, last = events[0].first_step, events[-1].step
            numbers = f"steps {first} to {last}" if last > first else f"step {last}"
            lines.append(f"     {numbers}, learning rate {' '.join(shown)}")
        else:
            lines += map(line_of, events)
            run = next((event.run for event in events if isinstance(event, e.RunStarted)), run)
    lines += [summary(info_of(run))] if run else []
    return "\n".join(lines).replace(os.environ["TWEETGEN_HOME"], "HOME")


def line_of(event: e.Event) -> str:
    """Return step, time, type and fields that are not empty."""
    names = SHOWN.get(type(event), event.__struct_fields__[2:])
    if isinstance(event, e.RunStarted) and not _is_usual(event):
        names = (*names, *COMPUTED)
    values = {name: getattr(event, name) for name in names}
    shown = [f"{name}={_shown(name, value)}" for name, value in values.items() if repr(value) not in EMPTY]
    seconds = [f"{event.elapsed_seconds:.6g}s"] if event.elapsed_seconds else []
    return " ".join([f"{event.step:4}", *seconds, type(event).__name__, *shown])


def summary(info: CheckpointInfo) -> str:
    """Return what a resume from a checkpoint continues with, and the settings that are not those of `tiny_config`."""
    progress, computation = info.progress, info.computation
    names = ("train_loss", "bits_per_char", "best_bits_per_char")
    figures = ", ".join(name for name in names if getattr(progress, name) is not None)
    return "\n    ".join(
        (
            f"latest: step {info.step} in {info.elapsed_seconds:.6g} s, {progress.total_chars} characters",
            f"epoch {info.position.epoch}, batch {info.position.batch}, {len(info.vocab)} different characters",
            f"last tweet {progress.last_sample_step}, last evaluation {progress.last_eval_step}, "
            + (figures or "no figures"),
            f"{_shown('', info.training)} {_shown('', info.sampling)}",
            *([] if _is_usual(computation) else [", ".join(str(getattr(computation, name)) for name in COMPUTED)]),
        )
    )


def _is_usual(found: Computation | e.RunStarted) -> bool:
    """Return whether a run computes as `tiny_config` has it: on one thread in float32, and measures nothing."""
    return (found.num_threads, found.precision, found.tuning) == (1, "float32", "fixed")


def _shown(name: str, value: Any) -> str:
    """Return a value: of settings those that are neither default nor in `tiny_config`, of a figure that it is known."""
    if not is_dataclass(value):
        return "known" if name == "bits_per_char" else f"{value:.6g}" if isinstance(value, float) else repr(value)
    default = type(value)()  # type: ignore[misc] # no class, but an instance
    own = {each.name: getattr(value, each.name) for each in fields(value) if each.name != "preset_reason"}
    return repr({name: each for name, each in own.items() if each not in (getattr(default, name), TINY.get(name))})
