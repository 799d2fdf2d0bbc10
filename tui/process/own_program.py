"""How this program starts itself: with the same Python, and never with a module of the working directory."""

from __future__ import annotations

import sys


def own_module(name: str, python: str = sys.executable) -> list[str]:
    """Return the beginning of a command that runs a module of this program.

    `-m` alone searches the working directory first, where a folder called `tui` may be anybody's.
    """
    return [python, "-P", "-m", name]
