"""Paths on disk: the data folder, its runs and named checkpoints. Creates run folders, never writes a file.

$TWEETGEN_HOME, or the platform's user data folder for "tweetgen-tui"
├── runs/<run>/          config.json  events.jsonl  pins.jsonl  tweetgen.log  agent.json
│                        checkpoints/{latest,best,step-N,step-N-before-load}.safetensors
├── checkpoints/         <name>.safetensors, saved by name; an empty <name>.pinned beside it protects it
├── data/                downloads of `data fetch`
└── input/               copies of standard input, so that a run can be resumed

$TWEETGEN_HOME/cache, or the platform's user cache folder
├── corpora/             parsed corpora; safe to delete at any time
└── baselines/           n-gram scores of corpora; safe to delete at any time
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import platformdirs

from engine.errors import CheckpointError, ConfigError
from engine.storage.files import storage_errors
from engine.text import quoted

APP_NAME = "tweetgen-tui"
SUFFIX = ".safetensors"
BEFORE_LOAD = "-before-load"
"""In the names of checkpoints that hold what a load has replaced. Not numbered like `step-N`: retention keeps them."""
_NAME = re.compile(r"[\w][\w .+-]{0,99}")
_MAX_NAME_BYTES = 200
"""File systems allow 255, and the suffix and a temporary file's additions need some."""
RUN_CHECKPOINTS = ("latest", "best")
"""The checkpoints that a run overwrites."""
_RESERVED_NAMES = {"run": {"last"}, "checkpoint": {"last", *RUN_CHECKPOINTS}}
"""Names with a meaning on the command line."""


def home() -> Path:
    """Return the data folder; it need not exist."""
    override = os.environ.get("TWEETGEN_HOME")
    return Path(os.path.expanduser(override) if override else platformdirs.user_data_dir(APP_NAME, appauthor=False))


def cache_folder() -> Path:
    """Return the cache folder; it need not exist."""
    if os.environ.get("TWEETGEN_HOME"):
        return home() / "cache"
    return Path(platformdirs.user_cache_dir(APP_NAME, appauthor=False))


def checked_name(name: str, kind: str) -> str:
    """Return `name` if it is a valid name of a `kind`, "run" or "checkpoint"; else raise `ConfigError`."""
    if not _NAME.fullmatch(name) or name != name.strip() or len(name.encode()) > _MAX_NAME_BYTES:
        raise ConfigError(
            f"A {kind} can't be called {name!r}.",
            "Use up to 100 letters, digits, spaces, '.', '_', '+' and '-', beginning with a letter or digit.",
        )
    if name in _RESERVED_NAMES[kind]:
        raise ConfigError(f"A {kind} can't be called {name}.", "The name is reserved; choose another one.")
    return name


@dataclass(frozen=True)
class RunFolder:
    """The paths inside the folder of one run. Creates nothing on disk."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    @property
    def config_path(self) -> Path:
        """The settings of the run, as JSON for people and scripts."""
        return self.path / "config.json"

    @property
    def journal_path(self) -> Path:
        """All events of the run, one per line."""
        return self.path / "events.jsonl"

    @property
    def pins_path(self) -> Path:
        """The tweets that the user pinned, one per line; missing until the first pin."""
        return self.path / "pins.jsonl"

    @property
    def agent_path(self) -> Path:
        """The process that has started the ranks of the run, as JSON; missing where one process trains."""
        return self.path / "agent.json"

    @property
    def log_path(self) -> Path:
        """Tracebacks and warnings."""
        return self.path / "tweetgen.log"

    def checkpoint_path(self, name: str) -> Path:
        """Return the path of the run's own checkpoint `name` (`latest`, `best`, `step-N`)."""
        return self.path / "checkpoints" / (name + SUFFIX)

    def name_before_load(self, step: int) -> str:
        """Return a free name for the weights of `step`, which a load replaces in the run."""
        name = f"step-{step}{BEFORE_LOAD}"
        names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
        return next(each for each in names if not os.path.exists(self.checkpoint_path(each)))

    @property
    def last_changed(self) -> float:
        """When its journal, settings or checkpoints last changed, seconds since 1970."""
        changed_at = 0.0
        for path in (*map(self.checkpoint_path, RUN_CHECKPOINTS), self.journal_path, self.config_path):
            with contextlib.suppress(OSError):
                changed_at = max(changed_at, path.stat().st_mtime)
        return changed_at


def named_checkpoint_path(name: str) -> Path:
    """Return the path of the checkpoint that the user saves as `name`. Raises `ConfigError` on an invalid name."""
    return home() / "checkpoints" / (checked_name(name, "checkpoint") + SUFFIX)


def list_runs() -> list[RunFolder]:
    """Return all runs, the latest first."""
    folders = [RunFolder(path.parent) for path in (home() / "runs").glob("*/config.json")]
    return sorted(folders, key=lambda run: (run.last_changed, run.name), reverse=True)


def find_run(name: str) -> RunFolder:
    """Return the run called `name`, or the latest for "last". Raises `CheckpointError` if there is no such run."""
    found = [run for run in list_runs() if name in (run.name, "last")]
    if found:
        return found[0]
    if name == "last":
        hint = "Start one with `tweetgen-tui`, or name a checkpoint: `tweetgen-tui checkpoints list` shows all."
        raise CheckpointError("There is no run yet.", hint)
    raise CheckpointError(f"There is no run called {name}.", "`tweetgen-tui runs list` shows all runs.")


def folder_of_run(name: str) -> RunFolder:
    """Return the folder of the run called `name`; it need not exist. Raises `ConfigError` on an invalid name."""
    return RunFolder(home() / "runs" / checked_name(name, "run"))


def create_run_folder(name: str | None) -> RunFolder:
    """Create the folder of a new run, named by date and time if `name` is None.

    Raises `ConfigError` if the name is invalid or taken, `StorageError` if the folder can't be created.
    """
    runs = home() / "runs"
    candidates = _names_by_time() if name is None else [checked_name(name, "run")]
    for candidate in candidates:
        run = RunFolder(runs / candidate)
        with storage_errors(run.path):
            runs.mkdir(parents=True, exist_ok=True)
            try:
                run.path.mkdir()
            except FileExistsError:
                continue
        return run
    raise name_taken_error(RunFolder(runs / candidates[0]))


def _names_by_time() -> list[str]:
    """Return names for a new run, by date and time, in order of preference."""
    stamp = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    return [stamp, *(f"{stamp}-{number}" for number in range(2, 100))]


def free_run_name() -> str:
    """Return the name that a new run would get now, for a run that several processes start."""
    names = _names_by_time()
    return next((name for name in names if not (home() / "runs" / name).exists()), names[-1])


def name_taken_error(run: RunFolder) -> ConfigError:
    """Return the error for a run name that is taken; the hint offers `--resume` if that run can be resumed."""
    remedy = f"Resume it: --resume {quoted(run.name)}; or choose" if run.config_path.exists() else "Choose"
    return ConfigError(f"There is already a run called {run.name}.", f"{remedy} another name.")
