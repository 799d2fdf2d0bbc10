"""Which of a run's checkpoints `step-N` are deleted, so that a long run does not fill the disk."""

from __future__ import annotations

import logging
from pathlib import Path

from engine.checkpoint_list import pin_path
from engine.folders import SUFFIX, RunFolder

LOG = logging.getLogger(__name__)
_PREFIX = "step-"


def prune_steps(folder: RunFolder, num_kept: int, step: int) -> list[Path]:
    """Delete all but the newest `num_kept` (0: none) checkpoints `step-N` of a run that stands at `step`.

    Pinned ones are neither deleted nor counted. Old is told by steps, since clocks are set back: first what lies beyond
    `step`, of a stretch that was left by loading an earlier checkpoint, then the lowest. Returns what was deleted; what
    can't be is left.
    """
    if not num_kept:
        return []
    try:
        numbered = _unpinned(folder)
    except OSError as error:
        LOG.warning("the checkpoints of %s can't be counted: %s", folder.path, error)
        return []
    old_first = sorted(numbered, key=lambda number: (number <= step, number))
    return [numbered[number] for number in old_first[:-num_kept] if _is_deleted(numbered[number])]


def _unpinned(folder: RunFolder) -> dict[int, Path]:
    """Return the checkpoints `step-N` that are not pinned, by N. Raises `OSError`."""
    return {
        int(path.stem.removeprefix(_PREFIX)): path
        for path in folder.checkpoint_path("latest").parent.glob(f"{_PREFIX}*{SUFFIX}")
        if path.stem.removeprefix(_PREFIX).isdecimal() and not pin_path(path).exists()
    }


def _is_deleted(path: Path) -> bool:
    """Delete a file; returns whether that worked."""
    try:
        path.unlink()
    except OSError as error:
        LOG.warning("%s can't be deleted: %s", path, error)
        return False
    return True
