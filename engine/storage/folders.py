"""Where things lie on disk: the data folder, runs, checkpoints; and the one way a file is written. Knows no torch.

$TWEETGEN_HOME, or the platform's user data folder for "tweetgen-tui"
├── runs/<run>/          config.json  events.jsonl  pins.jsonl  tweetgen.log
│                        checkpoints/{latest,best,step-N}.safetensors
├── checkpoints/         <name>.safetensors, what the user saved by name; <name>.pinned beside it keeps it
├── data/                what `data fetch` got
└── input/               what came through standard input, kept so that a run can go on

$TWEETGEN_HOME/cache, or the platform's user cache folder
└── corpora/             corpora that were read once; can be made again at any time
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import platformdirs

from engine.errors import CheckpointError, ConfigError
from engine.storage.atomic_write import storage_errors

APP_NAME = "tweetgen-tui"
SUFFIX = ".safetensors"
_NAME = re.compile(r"[\w][\w .+-]{0,99}")
_MAX_NAME_BYTES = 200
"""A file's name may have 255, of which the suffix and a temporary file's additions take some."""
RUN_CHECKPOINTS = ("latest", "best")
"""What a run calls the checkpoints of its own that it writes again and again."""
_MEANINGS = {"run": {"last"}, "checkpoint": {"last", *RUN_CHECKPOINTS}}
"""Names that mean something already."""


def home() -> Path:
    """Return the folder that everything is kept in; it need not exist."""
    override = os.environ.get("TWEETGEN_HOME")
    return (
        Path(os.path.expanduser(override)) if override else Path(platformdirs.user_data_dir(APP_NAME, appauthor=False))
    )


def cache_folder() -> Path:
    """Return where what can be made again is kept; it need not exist."""
    if os.environ.get("TWEETGEN_HOME"):
        return home() / "cache"
    return Path(platformdirs.user_cache_dir(APP_NAME, appauthor=False))


def checked_name(name: str, kind: str) -> str:
    """Return `name` if what a user makes can be called so; raises `ConfigError`. `kind` is "run" or "checkpoint"."""
    if not _NAME.fullmatch(name) or name != name.strip() or len(name.encode()) > _MAX_NAME_BYTES:
        raise ConfigError(
            f"A {kind} can't be called {name!r}.",
            "Use letters, digits, blanks, '.', '_', '+' and '-', up to 100, beginning with a letter or digit.",
        )
    if name in _MEANINGS[kind]:
        raise ConfigError(f"A {kind} can't be called {name}.", "That means something already; take another name.")
    return name


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run. Makes nothing on disk by itself."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    @property
    def config_path(self) -> Path:
        """What the run was asked for, for people and scripts to read."""
        return self.path / "config.json"

    @property
    def journal_path(self) -> Path:
        """All events of the run, one a line."""
        return self.path / "events.jsonl"

    @property
    def pins_path(self) -> Path:
        """The tweets that the user keeps, one a line; only there once any was kept."""
        return self.path / "pins.jsonl"

    @property
    def log_path(self) -> Path:
        """Tracebacks, and whatever else helps to find a bug."""
        return self.path / "tweetgen.log"

    def checkpoint_path(self, name: str) -> Path:
        """Where the run's own checkpoint of that name (`latest`, `best`) lies."""
        return self.path / "checkpoints" / (name + SUFFIX)

    @property
    def last_changed(self) -> float:
        """When anything was last saved in it, seconds since 1970."""
        paths = (self.checkpoint_path("latest"), self.checkpoint_path("best"), self.journal_path, self.config_path)
        return max(map(_changed_at, paths))


def _changed_at(path: Path) -> float:
    """Return when a file was changed, seconds since 1970; 0 for one that is not there, or no more."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def named_checkpoint_path(name: str) -> Path:
    """Return where the checkpoint lies that the user saves as `name`. Raises `ConfigError` on an impossible name."""
    return home() / "checkpoints" / (checked_name(name, "checkpoint") + SUFFIX)


def list_runs() -> list[RunFolder]:
    """Return all runs, the latest first."""
    folders = [RunFolder(path.parent) for path in (home() / "runs").glob("*/config.json")]
    return sorted(folders, key=lambda run: (run.last_changed, run.name), reverse=True)


def find_run(name: str) -> RunFolder:
    """Return the run called `name`, or the latest for "last". Raises `CheckpointError` where there is none."""
    runs = list_runs()
    if name == "last":
        found = runs[:1]
        if not found:
            raise CheckpointError("There is no run yet.", "Start one with `tweetgen-tui` or `tweetgen-tui train`.")
    else:
        found = [run for run in runs if run.name == name]
        if not found:
            raise CheckpointError(f"There is no run called {name}.", "`tweetgen-tui runs list` shows those there are.")
    return found[0]


def folder_of_run(name: str) -> RunFolder:
    """Return the folder of the run called `name`; it need not exist. Raises `ConfigError` on an impossible name."""
    return RunFolder(home() / "runs" / checked_name(name, "run"))


def create_run_folder(name: str | None) -> RunFolder:
    """Make a new run's folder; without a name, one called by date and time.

    Raises `ConfigError` where the name is impossible or taken, `StorageError` where the folder can't be made.
    """
    runs = home() / "runs"
    if name is not None:
        candidates = [checked_name(name, "run")]
    else:
        stamp = datetime.now().strftime("%Y-%m-%d-%H%M%S")
        candidates = [stamp, *(f"{stamp}-{number}" for number in range(2, 100))]
    for candidate in candidates:
        with storage_errors(runs / candidate):
            runs.mkdir(parents=True, exist_ok=True)
            try:
                (runs / candidate).mkdir()
            except FileExistsError:
                continue
        return RunFolder(runs / candidate)
    raise name_taken_error(RunFolder(runs / candidates[0]))


def name_taken_error(run: RunFolder) -> ConfigError:
    """Return the error of a name that a run has; one that saved nothing can't be resumed."""
    way = f"Go on with it: --resume {run.name}; or take" if run.config_path.exists() else "Take"
    return ConfigError(f"There is already a run called {run.name}.", f"{way} another name.")
