"""Checks of a `RunConfig` that take milliseconds: before a screen opens, and without torch."""

from __future__ import annotations

import tempfile
from pathlib import Path

from engine.checkpoints.catalog import latest_of, require_trusted_corpus, resolve_checkpoint
from engine.checkpoints.format import read_info
from engine.config.corpus import absolute_path
from engine.config.run import RunConfig
from engine.corpus.report import CorpusPreview
from engine.errors import CorpusError
from engine.export.tensorboard import require_tensorboard, write_error
from engine.storage.files import in_use_error, is_locked, storage_errors
from engine.storage.folders import find_run, folder_of_run, home, name_taken_error


def check(config: RunConfig) -> CorpusPreview | None:
    """Raise the `TweetgenError` that the run would fail with, as far as it can be found this early.

    Returns a preview of the corpus; None for the embedded tweets, and where they are those of a checkpoint.
    """
    check_storage()
    if config.runtime.tensorboard is not None:
        _check_tracker(Path(config.runtime.tensorboard))
    if config.run_name is not None and (folder := folder_of_run(config.run_name)).path.exists():
        if is_locked(folder.journal_path):
            raise in_use_error(folder.journal_path)
        raise name_taken_error(folder)
    if config.resume is not None:
        run = find_run(config.resume)
        if is_locked(run.journal_path):
            raise in_use_error(run.journal_path)
        read_info(latest_of(run))
    elif config.checkpoint is not None:
        path = resolve_checkpoint(config.checkpoint)
        info, _ = read_info(path)
        if config.corpus is None:
            require_trusted_corpus(path, info)
    if config.corpus is None or (not config.corpus.files and config.corpus.overfit is None):
        return None
    from engine.corpus.corpus import check_corpus  # 60 ms, which the embedded corpus does not need

    preview = check_corpus(config.corpus)
    for file in config.corpus.files:
        absolute_path(file)
    return preview


def require_text(preview: CorpusPreview | None) -> None:
    """Raise `CorpusError` if a preview's first rows do not look like text."""
    for source in preview.sources if preview else ():
        if source.doubt:
            raise CorpusError(
                f"{source.name} does not look like text: {source.doubt}.",
                f"If it is what you want to train on, set the format: --format {source.format}.",
            )


def _check_tracker(directory: Path) -> None:
    """Raise `ConfigError` without TensorBoard's package, `StorageError` unless its folder can be written."""
    require_tensorboard()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise write_error(directory, error) from error


def check_storage() -> None:
    """Raise `StorageError` unless the data folder can be written."""
    runs = home() / "runs"
    with storage_errors(runs):
        runs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=runs) as file:
            file.write(b"\n")
