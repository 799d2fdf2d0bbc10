"""Which checkpoint a command uses, as a line on stderr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from engine.checkpoints.catalog import checkpoint_name
from engine.text import sanitize_line

if TYPE_CHECKING:
    from engine.checkpoints.format import CheckpointInfo


def print_checkpoint(path: Path, info: CheckpointInfo) -> None:
    """Print the name and step of a checkpoint."""
    typer.echo(sanitize_line(f"checkpoint: {checkpoint_name(path)}, step {info.step:,}"), err=True)
