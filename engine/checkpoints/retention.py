"""Deletes old `step-N` checkpoints, so that a long run does not fill the disk. Never deletes a pinned one."""

from __future__ import annotations

import logging
from pathlib import Path

from engine.checkpoints.catalog import pin_path
from engine.storage.folders import SUFFIX, RunFolder

LOG = logging.getLogger(__name__)
_PREFIX = "step-"


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
            for path in folder.checkpoint_path("latest").parent.glob(f"{_PREFIX}*{SUFFIX}")
            if (digits := path.stem.removeprefix(_PREFIX)).isdecimal() and not pin_path(path).exists()
            if loaded_path is None or path.resolve() != loaded_path.resolve()
        }
        for number in sorted(numbered, key=lambda number: (number <= step, number))[:-num_kept]:
            numbered[number].unlink()
    except OSError as error:
        LOG.warning("old checkpoints of %s can't be deleted: %s", folder.path, error)
