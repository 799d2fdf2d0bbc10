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

import contextlib
import errno
import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import platformdirs

from engine.errors import CheckpointError, ConfigError, StorageError

APP_NAME = "tweetgen-tui"
SUFFIX = ".safetensors"
_NAME = re.compile(r"[\w][\w .+-]{0,99}")
_MAX_NAME_BYTES = 200
"""A file's name may have 255, of which the suffix and a temporary file's additions take some."""
_SHOWN_NAME_CHARS = 50
"""Of a file's name, in that of its temporary file."""
WRITTEN_BY_THE_RUN = ("latest", "best")
"""What a run calls the checkpoints of its own that it writes again and again."""
_MEANINGS = {"run": {"last"}, "checkpoint": {"last", *WRITTEN_BY_THE_RUN}}
"""Names that mean something already."""
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Free some space or set"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "Give yourself the permission or set"),
}


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
    raise taken_error(RunFolder(runs / candidates[0]))


def taken_error(run: RunFolder) -> ConfigError:
    """Return the error of a name that a run has; one that saved nothing can't be resumed."""
    way = f"Go on with it: --resume {run.name}; or take" if run.config_path.exists() else "Take"
    return ConfigError(f"There is already a run called {run.name}.", f"{way} another name.")


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` inside into a `StorageError` that names `path`, the cause, and what helps against that."""
    try:
        yield
    except OSError as error:
        cause = error.strerror or str(error)
        remedy = _REMEDIES.get(error.errno or 0, "Set")
        hint = f"{remedy} TWEETGEN_HOME to a folder that can be written."
        raise StorageError(f"{path} can't be written: {cause}.", hint) from error


@dataclass
class NewFile:
    """A file that is written under a temporary name."""

    path: Path
    """What it is called once it is whole; may be set until then."""
    temporary: Path
    descriptor: int

    def write(self, content: bytes) -> None:
        """Append `content`; the system may accept it in parts. Raises `OSError`."""
        write_all(self.descriptor, content)


@contextlib.contextmanager
def new_file(path: Path, mode: int = 0o600) -> Iterator[NewFile]:
    """Write a file inside that appears at `path` whole, in place of the old one, or not at all.

    Sibling temporary file, fsync, rename, fsync of the folder, which is made where it is missing. `mode` is subject to
    the umask. Raises `StorageError`, also for an `OSError` inside, and leaves nothing behind.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name[:_SHOWN_NAME_CHARS]}.{secrets.token_hex(4)}.tmp")
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        new = NewFile(path, temporary, descriptor)
        try:
            try:
                yield new
                os.fsync(descriptor)
            finally:
                os.close(descriptor)  # before the rename: some network file systems report only now what went wrong
            os.replace(temporary, new.path)
        except BaseException:  # raised on; also an interrupt leaves no temporary file behind
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(path.parent)


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file so that at any moment it is whole: the old one or the new one. Raises `StorageError`."""
    with new_file(path, mode) as new:
        new.write(content)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of `content`; the system may accept it in parts. Raises `OSError`."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power loss, where the system can; some network file systems can't."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(folder: Path, min_age_seconds: float = 3600.0) -> None:
    """Remove the temporary files that killed processes left in a folder; what can't be removed stays.

    Other processes may be writing theirs in it: `min_age_seconds` is 0 only for a folder that the caller has locked.
    """
    with contextlib.suppress(OSError):
        for path in folder.glob(".*.????????.tmp"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime >= min_age_seconds:
                    path.unlink()
