"""Names in the commands that the program prints. Imports nothing: the supervisor of the job uses it before all else."""

from __future__ import annotations


def quoted(name: str) -> str:
    """Return a run's name as one word for a shell."""
    return f'"{name}"' if " " in name else name
