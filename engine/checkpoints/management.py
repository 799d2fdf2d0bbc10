"""What the user does to checkpoint files: delete, rename, pin, export, import.

A pin is an empty file `NAME.pinned` beside the checkpoint: it needs no lock, can't be damaged, and goes where the
folder goes. Names come from the list (`find_listed`), so nothing here leaves the data folder but an export.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from engine.checkpoints.catalog import find_listed, pin_path, resolve_checkpoint
from engine.checkpoints.metadata import open_checkpoint
from engine.errors import CheckpointError, StorageError
from engine.storage.atomic_write import storage_errors, write_atomically
from engine.storage.file_lock import is_locked
from engine.storage.folders import RUN_CHECKPOINTS, RunFolder, home, named_checkpoint_path


def delete_checkpoint(name: str) -> Path:
    """Delete what is called `name` in the list; returns the file that it was.

    Raises `CheckpointError` where there is none of that name, it is pinned, or a run that goes on needs it;
    `StorageError` where it can't be deleted.
    """
    path = find_listed(name)
    _refuse_pinned(name, path)
    _refuse_in_use(name, path, "deleted")
    with storage_errors(path):
        path.unlink()
    return path


def rename_checkpoint(old: str, new: str) -> Path:
    """Give what the user saved as `old` another name; a pin goes with it. Returns its new file.

    Raises `ConfigError` where the new name is impossible, `CheckpointError` where there is no `old`, `old` is a run's
    own, or `new` is taken, and `StorageError`.
    """
    path = find_listed(old)
    if "/" in old:
        raise CheckpointError(
            f"{old} is its run's own, which finds it by its name.", "Only what was saved by name can."
        )
    target = named_checkpoint_path(new)
    if target.exists() and not target.samefile(path):  # the same: other capitals where the disk knows no difference
        raise CheckpointError(f"There is already a checkpoint called {new}.", "Take another name.")
    with storage_errors(target):
        if pin_path(path).exists():
            os.replace(pin_path(path), pin_path(target))
        os.replace(path, target)
    return target


def set_pinned(name: str, *, is_pinned: bool) -> None:
    """Keep what is called `name` from being deleted or replaced, or no longer.

    Raises `CheckpointError` where there is none of that name or its run writes over it, and `StorageError`.
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


def export_checkpoint(name: str, target: Path, *, replace: bool) -> Path:
    """Copy the checkpoint `name` (a name or path) out, into the folder `target` or the file; returns the file written.

    Raises `CheckpointError` where it is missing or damaged, `StorageError` where `target` is there and not to
    `replace`, or can't be written.
    """
    path = resolve_checkpoint(name)
    content = _checked_content(path)
    if target.is_dir():
        is_of_run = path.parent.parent.parent == home() / "runs"
        target /= f"{path.parent.parent.name}-{path.name}" if is_of_run else path.name
    if not target.parent.is_dir():
        raise StorageError(f"There is no folder {target.parent}.", "Make it first, or export to another place.")
    if target.exists() and not replace:
        raise StorageError(f"{target} is there already.", "--force replaces it.")
    try:
        write_atomically(target, content, mode=0o666)
    except StorageError as error:
        raise StorageError(error.message, "Export to another place.") from error
    return target


def export_bytes(name: str) -> bytes:
    """Return the whole file of the checkpoint `name` (a name or path). Raises `CheckpointError`."""
    return _checked_content(resolve_checkpoint(name))


def import_checkpoint(source: Path, name: str, *, replace: bool) -> Path:
    """Copy a checkpoint file in under a name, after checking all of it; returns the file written.

    It is marked as one that comes from elsewhere, so that no file which it names is read unasked.

    Raises `CheckpointError` where the file is missing, damaged or foreign, or the name is pinned, or taken and not to
    `replace`; `ConfigError` where the name is impossible; `StorageError`.
    """
    target = named_checkpoint_path(name)
    if target.exists() and not replace:
        raise CheckpointError(f"There is already a checkpoint called {name}.", "Take another, or replace it (--force).")
    _refuse_pinned(name, target)
    from engine.checkpoints.checkpoint import (  # bring torch, which the screen's list does without
        load_checkpoint,
        save_checkpoint,
    )

    checkpoint = load_checkpoint(source)
    save_checkpoint(target, dataclasses.replace(checkpoint.info, is_imported=True), checkpoint.tensors)
    return target


def _checked_content(path: Path) -> bytes:
    """Return the content of a checkpoint file, checked as it is on loading. Raises `CheckpointError`."""
    from engine.checkpoints.checkpoint import load_checkpoint  # brings torch, which the screen's list does without

    load_checkpoint(path)
    with open_checkpoint(path) as file:
        return file.read()


def _refuse_pinned(name: str, path: Path) -> None:
    """Raise `CheckpointError` where a checkpoint is pinned."""
    if pin_path(path).exists() and path.exists():
        raise CheckpointError(f"{name} is pinned.", "Unpin it first: k in the list, or `checkpoints unpin`.")


def _refuse_in_use(name: str, path: Path, verb: str) -> None:
    """Raise `CheckpointError` where a checkpoint is one that a run which goes on writes and would be resumed from."""
    run = RunFolder(path.parent.parent)
    if "/" in name and path.stem in RUN_CHECKPOINTS and is_locked(run.journal_path):
        raise CheckpointError(
            f"{name} can't be {verb}: the run goes on and writes it itself.", "End the run first, or save under a name."
        )
