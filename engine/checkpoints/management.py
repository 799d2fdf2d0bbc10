"""Checkpoint files besides saving and loading: delete, rename, pin, export, import, preview.

A pin is an empty file `NAME.pinned` beside the checkpoint: it needs no lock, can't be damaged, and moves with its
folder. Names are resolved by the list (`find_listed`), so only an export writes outside the data folder.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from engine.checkpoints.catalog import CheckpointEntry, find_listed, pin_path, resolve_checkpoint
from engine.checkpoints.format import CheckpointInfo, open_checkpoint
from engine.errors import CheckpointError, StorageError, TweetgenError
from engine.protocol import codec, events
from engine.protocol.events import RunStarted, TweetSampled
from engine.storage.files import is_locked, open_regular, storage_errors, write_atomically
from engine.storage.folders import RUN_CHECKPOINTS, SUFFIX, RunFolder, folder_of_run, home, named_checkpoint_path
from engine.storage.journal import event_in

if TYPE_CHECKING:
    from engine.checkpoints.checkpoint import Checkpoint

LOG = logging.getLogger(__name__)
_NUMBERED = "step-"
_PART_BYTES = 1024 * 1024
_MAX_BYTES = 64 * 1024 * 1024
"""How much of the journal's end is searched: a few million steps."""


def delete_checkpoint(name: str) -> Path:
    """Delete the checkpoint `name` of the list; return its former path.

    Raises `CheckpointError` if it is not listed, is pinned, or an active run needs it; `StorageError` if it can't be
    deleted.
    """
    path = find_listed(name)
    _refuse_pinned(name, path)
    _refuse_in_use(name, path, "deleted")
    with storage_errors(path):
        path.unlink()
    return path


def prune_steps(folder: RunFolder, num_kept: int, step: int, loaded_path: Path | None = None) -> None:
    """Delete all but the newest `num_kept` checkpoints `step-N` of a run that is at `step`; 0 keeps all.

    Pinned ones, and the one at `loaded_path`, are neither deleted nor counted. Age is measured in steps, since clocks
    can be set back: steps after `step`, abandoned by loading an earlier checkpoint, go first, then the lowest. Errors
    are logged.
    """
    if not num_kept:
        return
    try:
        numbered = {
            int(digits): path
            for path in folder.checkpoint_path("latest").parent.glob(f"{_NUMBERED}*{SUFFIX}")
            if (digits := path.stem.removeprefix(_NUMBERED)).isdecimal() and not pin_path(path).exists()
            if loaded_path is None or path.resolve() != loaded_path.resolve()
        }
        for number in sorted(numbered, key=lambda number: (number <= step, number))[:-num_kept]:
            numbered[number].unlink()
    except OSError as error:
        LOG.warning("old checkpoints of %s can't be deleted: %s", folder.path, error)


def rename_checkpoint(old: str, new: str) -> Path:
    """Rename a checkpoint that was saved by name, and its pin; return its new path.

    Raises `ConfigError` if the new name is invalid, `CheckpointError` if `old` is not listed or belongs to a run, or if
    `new` is taken, and `StorageError`.
    """
    path = find_listed(old)
    if "/" in old:
        raise CheckpointError(
            f"{old} belongs to its run and can't be renamed.", "Only checkpoints saved by name can be renamed."
        )
    target = named_checkpoint_path(new)
    if target.exists() and not target.samefile(path):  # only the case may differ, on a case-insensitive disk
        raise CheckpointError(f"There is already a checkpoint called {new}.", "Choose another name.")
    with storage_errors(target):
        if pin_path(path).exists():
            os.replace(pin_path(path), pin_path(target))
        os.replace(path, target)
    return target


def set_pinned(name: str, *, is_pinned: bool) -> None:
    """Protect the checkpoint `name` from being deleted or replaced, or remove the protection.

    Raises `CheckpointError` if it is not listed or its active run overwrites it, and `StorageError`.
    """
    path = find_listed(name)
    pin = pin_path(path)
    if is_pinned:
        _refuse_in_use(name, path, "pinned")
    with storage_errors(pin):
        if is_pinned:
            pin.touch()
        else:
            pin.unlink(missing_ok=True)


def _refuse_pinned(name: str, path: Path) -> None:
    """Raise `CheckpointError` if the checkpoint is pinned."""
    if pin_path(path).exists() and path.exists():
        raise CheckpointError(f"{name} is pinned.", "Unpin it first: k in the list, or `checkpoints unpin`.")


def _refuse_in_use(name: str, path: Path, verb: str) -> None:
    """Raise `CheckpointError` for `latest` and `best` of an active run, which overwrites them."""
    run = RunFolder(path.parent.parent)
    if "/" in name and path.stem in RUN_CHECKPOINTS and is_locked(run.journal_path):
        raise CheckpointError(
            f"{name} can't be {verb}: its run is active and overwrites it.", "Stop the run first, or save under a name."
        )


def checked_content(path: Path) -> bytes:
    """Return the content of a checkpoint file, after the checks of a load. Raises `CheckpointError`."""
    from engine.checkpoints.checkpoint import load_checkpoint  # imports torch, which listing does not need

    load_checkpoint(path)
    with open_checkpoint(path) as file:
        return file.read()


def export_checkpoint(name: str, target: Path, *, replace: bool) -> Path:
    """Copy the checkpoint `name` (a name or path) to the file or into the folder `target`; return the file written.

    Raises `CheckpointError` if it is missing or damaged, `StorageError` if `target` exists and is not to be replaced,
    or can't be written.
    """
    path = resolve_checkpoint(name)
    content = checked_content(path)
    if target.is_dir():
        is_of_run = path.parent.parent.parent == home() / "runs"
        target /= f"{path.parent.parent.name}-{path.name}" if is_of_run else path.name
    if not target.parent.is_dir():
        raise StorageError(f"There is no folder {target.parent}.", "Create it first, or export to another folder.")
    if target.exists() and not replace:
        raise StorageError(f"{target} already exists.", "--force replaces it.")
    write_atomically(target, content, 0o666, "Export to another folder.")
    return target


def import_checkpoint(
    source: Path, name: str, *, replace: bool, load: Callable[[Path], Checkpoint] | None = None
) -> Path:
    """Check a checkpoint and save it under a name; return the file written. `load` reads what is no checkpoint file.

    The copy is marked as imported, so that the training files that it names are never read without asking.

    Raises `CheckpointError` if the source is missing, damaged or foreign, or the name is pinned, or taken and not to be
    replaced; `ConfigError` if the name is invalid; `StorageError`.
    """
    target = named_checkpoint_path(name)
    if target.exists() and not replace:
        raise CheckpointError(
            f"There is already a checkpoint called {name}.", "Choose another name, or replace it (--force)."
        )
    _refuse_pinned(name, target)
    from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint  # imports torch

    checkpoint = (load or load_checkpoint)(source)
    save_checkpoint(target, dataclasses.replace(checkpoint.info, is_imported=True), checkpoint.tensors)
    return target


def sample_of(entry: CheckpointEntry) -> TweetSampled | None:
    """Return the last tweet that the run sampled before the checkpoint, or None if its journal has none.

    Never runs the model. Reads the disk: call it on a thread of its own.
    """
    from engine.model.vocab import Vocab  # imports numpy

    info = entry.info
    if info is None:
        return None
    try:
        run = folder_of_run(info.run) if entry.is_named else RunFolder(entry.path.parent.parent)
        with open_regular(run.journal_path) as file:
            started = events.from_json(file.readline(_PART_BYTES))
            wanted = (info.corpus_name, len(Vocab(info.vocab)))
            is_same_run = isinstance(started, RunStarted) and (started.corpus, started.vocab_size) == wanted
            return _last_tweet(file, info) if is_same_run else None
    except (OSError, TweetgenError, codec.DecodeError):
        return None


def _last_tweet(file: BinaryIO, info: CheckpointInfo) -> TweetSampled | None:
    """Search a journal backwards for the last tweet before the checkpoint; it may have hundreds of megabytes."""
    end = file.seek(0, os.SEEK_END)
    first, rest = max(0, end - _MAX_BYTES), b""
    while end > first:
        start = max(first, end - _PART_BYTES)
        file.seek(start)
        rest, *lines = (file.read(end - start) + rest).split(b"\n")  # the first may be the end of a line
        for line in reversed(lines):
            event = event_in(line) if b'"TweetSampled"' in line[:40] else None
            if (
                isinstance(event, TweetSampled)
                and event.step <= info.step
                and event.elapsed_seconds <= info.elapsed_seconds
            ):
                return event
        end = start
    return None
