"""Lists checkpoints and resolves their names. Reads headers only; never changes a file, never imports torch."""

from __future__ import annotations

import contextlib
import difflib
import os
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints.format import CheckpointInfo, read_info
from engine.errors import CheckpointError, ConfigError
from engine.storage.folders import SUFFIX, RunFolder, find_run, home, list_runs, named_checkpoint_path

_PIN_SUFFIX = ".pinned"
_MAX_OFFERED = 12


@dataclass(frozen=True, kw_only=True)
class CheckpointEntry:
    """One file in the list; `problem` is the error of a damaged one, or empty."""

    name: str
    """NAME if the user saved it, RUN/latest, RUN/best or RUN/step-N if its run did."""
    path: Path
    saved_at: float
    """Seconds since 1970."""
    num_bytes: int
    info: CheckpointInfo | None
    problem: str = ""
    is_pinned: bool = False
    """Whether it is protected from being deleted or replaced until it is unpinned."""

    @property
    def is_named(self) -> bool:
        """Whether the user saved it by name, rather than its run."""
        return "/" not in self.name

    @property
    def step(self) -> int | None:
        """The step at which it was saved."""
        return self.info.step if self.info else None

    @property
    def bits_per_char(self) -> float | None:
        """Bits per character of the last evaluation before it was saved."""
        return self.info.progress.bits_per_char if self.info else None


def iterate_checkpoints() -> Iterator[CheckpointEntry]:
    """Yield the checkpoints saved by name, then those of runs, each the latest first, the damaged ones included.

    They are sorted before the first file is opened, so a list can be shown while the rest is read.
    """
    files: list[tuple[str, Path, os.stat_result]] = []
    for name, path in paths_by_name().items():
        with contextlib.suppress(OSError):  # deleted meanwhile
            files.append((name, path, path.stat()))
    for name, path, stat in sorted(files, key=lambda file: ("/" in file[0], -file[2].st_mtime)):
        info, problem = None, ""
        try:
            info, _ = read_info(path)
        except CheckpointError as error:
            problem = error.message
        yield CheckpointEntry(
            name=name,
            path=path,
            saved_at=stat.st_mtime,
            num_bytes=stat.st_size,
            info=info,
            problem=problem,
            is_pinned=pin_path(path).exists(),
        )


def paths_by_name() -> dict[str, Path]:
    """Return every checkpoint file by its name in the list, without opening any."""
    named = {path.stem: path for path in (home() / "checkpoints").glob("*" + SUFFIX)}
    of_runs = {
        f"{run.name}/{path.stem}": path
        for run in list_runs()
        for path in sorted(run.checkpoint_path("latest").parent.glob("*" + SUFFIX))
    }
    return named | of_runs


def checkpoint_name(path: Path) -> str:
    """Return the name of a checkpoint file in the list, or its path if it is not listed."""
    return next((name for name, listed in paths_by_name().items() if listed == path), str(path))


def pin_path(path: Path) -> Path:
    """Return the path of the empty file that marks the checkpoint at `path` as pinned."""
    return path.with_suffix(_PIN_SUFFIX)


def resolve_checkpoint(name: str | None) -> Path:
    """Return the file of `name`: a saved name, RUN/latest, RUN/best, a path, or a run (its best).

    None: the best of the latest run. Raises `CheckpointError` if there is no such checkpoint.
    """
    if name is None:
        return _best_of_run("last")
    by_name = paths_by_name()
    if name in by_name:  # before paths: a name from the list never means a file in the working directory
        return by_name[name]
    path = os.path.expanduser(name)
    if os.path.isfile(path):  # False for an invalid name, for which `Path.is_file` raises
        return Path(path)
    runs = [run.name for run in list_runs()]
    if name in runs or name == "last":
        return _best_of_run(name)
    if path.endswith(SUFFIX):
        return Path(path)
    raise _not_found(name, [*by_name, *runs])


def find_listed(name: str) -> Path:
    """Return the file that is called `name` in the list, never a path. Raises `CheckpointError` if it is not listed."""
    by_name = paths_by_name()
    if name not in by_name:
        raise _not_found(name, by_name)
    return by_name[name]


def _not_found(name: str, others: Iterable[str]) -> CheckpointError:
    near = difflib.get_close_matches(name, list(others), n=3)
    hint = f"Did you mean {', '.join(near)}?" if near else "`tweetgen-tui checkpoints list` shows all."
    return CheckpointError(f"There is no checkpoint called {name}.", hint)


def _best_of_run(run_name: str) -> Path:
    """Return the best checkpoint of a run, or its latest if it was never evaluated."""
    run = find_run(run_name)
    for name in ("best", "latest"):
        if os.path.isfile(run.checkpoint_path(name)):  # `Path.is_file` raises if the folder can't be read
            return run.checkpoint_path(name)
    raise _no_checkpoint(run, "best or latest", "Start one with `tweetgen-tui train`.")


def latest_of(run: RunFolder) -> Path:
    """Return the checkpoint from which a run is resumed. Raises `CheckpointError` if it has none."""
    path = run.checkpoint_path("latest")
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise _no_checkpoint(run, "latest", "Start a new run under another name.") from None
    except OSError:  # reading it reports the error
        pass
    return path


def may_read_files(path: Path, info: CheckpointInfo) -> bool:
    """Return whether the training tweets of a checkpoint may be read without asking: it is local, or they are embedded.

    Symbolic links are resolved on both sides: the data folder or a run may be on another disk.
    """
    if not info.corpus.files or info.is_imported:
        return not info.corpus.files and info.knows_corpus
    folder = os.path.dirname(os.path.realpath(path))
    own = (home() / "checkpoints", *(home() / "runs").glob("*/checkpoints"))
    return any(os.path.realpath(each) == folder for each in own)


def require_trusted_corpus(path: Path, info: CheckpointInfo, named: Iterable[str] = ()) -> None:
    """Raise `CheckpointError` if a checkpoint from elsewhere names files, which can be any file of this machine.

    They may be read if the user has `named` every one of them too. One that names no tweets at all is refused as well.
    """
    confirmed = {os.path.realpath(os.path.expanduser(file)) for file in named}
    if not info.knows_corpus:
        hint = "Omit --baselines and --quality, which need them." if confirmed else "Name other tweets: --data FILE"
        raise CheckpointError(f"{path.name} does not say which tweets it was trained on.", hint)
    if not may_read_files(path, info) and not confirmed.issuperset(map(os.path.realpath, info.corpus.files)):
        raise CheckpointError(
            f"{path.name} comes from elsewhere. It was trained on {', '.join(info.corpus.files)}, "
            "which is read only if you name it too.",
            f"To read it: {' '.join(f'--data {shlex.quote(file)}' for file in info.corpus.files)}",
        )


def _no_checkpoint(run: RunFolder, wanted: str, hint: str) -> CheckpointError:
    """Return the error of a run without the `wanted` checkpoint; the hint lists the ones it has."""
    names = [name for name in paths_by_name() if name.startswith(f"{run.name}/")]
    if not names:
        return CheckpointError(f"The run {run.name} has saved no checkpoint.", hint)
    found = ", ".join(names[:_MAX_OFFERED]) + (", ..." if len(names) > _MAX_OFFERED else "")
    return CheckpointError(
        f"The run {run.name} has no checkpoint {wanted}.", f"Choose another one with --checkpoint: {found}."
    )


def is_taken(name: str) -> bool:
    """Return whether a checkpoint was saved as `name` already; False for an invalid name."""
    try:
        return named_checkpoint_path(name).exists()
    except ConfigError:
        return False
