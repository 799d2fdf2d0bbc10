"""A new run after this one, from a checkpoint, from scratch or on other tweets: its config, and the curve beside it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.checkpoints.catalog import CheckpointEntry, may_read_files, require_trusted_corpus, resolve_checkpoint
from engine.checkpoints.format import CheckpointInfo, read_info
from engine.config.corpus import STANDARD_INPUT, CorpusConfig
from engine.config.run import RunConfig, Setting
from engine.errors import TweetgenError
from engine.protocol.events import RunStarted
from engine.storage.folders import folder_of_run
from engine.storage.journal import SkippedLines, read_journal
from tui.run.ending import doubled
from tui.run.journal import read_history
from tui.run.series import Series
from tui.run.view import RunView
from tui.text.typed import OptionValue

_NOT_CHOSEN = {"preset", "preset_reason", "seed"}
"""Fields of `TrainingConfig` that are not copied into the settings of a new run as they are."""
_SIZES = {"embedding_size", "hidden_size", "num_layers"}
"""Fields that are not copied after a warm start, which they would exclude: they are those of the shipped model."""
_FIELDS_OF_FILES = (
    *("format", "column", "label", "label_column", "separator", "encoding", "member", "weight", "blank_line_separated"),
    "overfit",
)
"""Fields of a corpus that describe its files, and mean nothing for others."""


@dataclass(frozen=True)
class OverlayCurve:
    """The train loss of another run, plotted for comparison."""

    run: str
    train_losses: Series


@dataclass(frozen=True)
class NewRun:
    """A run that is to take the place of the one on the screen."""

    config: RunConfig
    origin: str
    """What it starts from, as in "from “happy”" or "on tweets.csv"."""
    overlay: OverlayCurve | None = None
    """The curve to compare its own with."""


def config_of_branch(entry: CheckpointEntry, config: RunConfig) -> RunConfig:
    """Return the config of a run from a checkpoint, which replaces the run of `config`.

    Model, training and corpus are those of the checkpoint at its step; the device stays that of `config`, and a
    budget that is used up is doubled, or the new run would end at once. The files that a checkpoint of another user
    names are left out: the session refuses to read them.
    """
    info = entry.info
    if info is None:
        return RunConfig(runtime=config.runtime, checkpoint=entry.name)
    return RunConfig(
        preset="tutorial" if info.training.preset == "tutorial" else "auto",
        settings=doubled_budgets(info),
        corpus=info.corpus if may_read_files(entry.path, info) else None,
        runtime=config.runtime,
        checkpoint=entry.name,
    )


def config_of_new_run(config: RunConfig, started: RunStarted) -> RunConfig:
    """Return the config of a new run from scratch, with the tweets and settings that a run with `config` began with.

    The tweets are those of its latest checkpoint: a resumed run has none in its config, and standard input is gone.
    Raises `TweetgenError` where there is none, or where it names files that were not this run's own.
    """
    path = folder_of_run(started.run).checkpoint_path("latest")
    info, _ = read_info(path)
    require_trusted_corpus(path, info)
    config = config_at_start(config, started)
    return replace(config, corpus=info.corpus, run_name=None, checkpoint=None, resume=None)


def config_at_start(config: RunConfig, started: RunStarted) -> RunConfig:
    """Return `config` with the settings that its run began with; where it was resumed, those of its first session.

    A config that resumes a run, or starts from a checkpoint, has only the settings that differ from the checkpoint's.
    """
    if config.resume is None and config.checkpoint is None:
        return config
    with suppress(OSError):
        journal = read_journal(folder_of_run(started.run).journal_path, SkippedLines())
        started = next((event for event in journal if isinstance(event, RunStarted)), started)
    settings = {**asdict(started.model), **asdict(started.training), **asdict(started.sampling)}
    omitted = _NOT_CHOSEN | (_SIZES if started.is_warm_start else set())
    settings = {name: value for name, value in settings.items() if value is not None and name not in omitted}
    if started.training.seed:  # a seed in the settings, 0 as well, makes a run repeatable
        settings["seed"] = started.training.seed
    return replace(config, preset="tutorial" if started.training.preset == "tutorial" else "auto", settings=settings)


def doubled_budgets(info: CheckpointInfo) -> dict[str, Setting]:
    """Return each used-up budget of a checkpoint's run, doubled: twice the limit, or twice the amount used if more."""
    used = {"max_steps": info.step, "epochs": info.position.epoch, "max_seconds": info.elapsed_seconds}
    limits = {name: limit for name in used if (limit := getattr(info.training, name)) is not None}
    limits_reached = {**limits, "epochs": math.floor(limits.get("epochs", 0))}  # an epoch counts once it is complete
    return {name: doubled(limit, used[name]) for name, limit in limits.items() if used[name] >= limits_reached[name]}


def curve_of(view: RunView) -> OverlayCurve | None:
    """Return the curve of a run; None without a step."""
    if view.started is None or not len(view.train_losses):
        return None
    return OverlayCurve(view.started.run, view.train_losses)


def curve_before(checkpoint: str) -> OverlayCurve | None:
    """Read the curve of the run that saved a checkpoint from its journal; None where either is missing. Slow."""
    try:
        info, _ = read_info(resolve_checkpoint(checkpoint))
        view, _ = read_history(folder_of_run(info.run).journal_path)
    except (TweetgenError, OSError):
        return None
    return curve_of(view)


def config_for_new_data(config: RunConfig, path: Path, options: Mapping[str, OptionValue]) -> RunConfig:
    """Return the configuration of a new run on a file, folder or archive; `options` set fields of its corpus.

    Preset, settings, runtime and tweet cleaning are kept; the format of the previous files, the run's name and its
    checkpoint are reset. Raises `ConfigError` for an invalid option.
    """
    defaults = {name: getattr(CorpusConfig, name) for name in _FIELDS_OF_FILES}
    changes: dict[str, Any] = {**defaults, "files": (str(path),), **options}
    corpus = replace(config.corpus or CorpusConfig(), **changes)
    return replace(config, corpus=corpus, run_name=None, checkpoint=None, resume=None)


def initial_path(config: RunConfig) -> Path:
    """Return the path that a file dialog starts at: the run's data, or the working directory."""
    files = config.corpus.files if config.corpus else ()
    first = next((file for file in files if file != STANDARD_INPUT), "")
    return Path(os.path.abspath(os.path.expanduser(first)))
