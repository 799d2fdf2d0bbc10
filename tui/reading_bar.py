"""A progress bar on stderr while a corpus is read, gone when it was; nothing where there is no terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from engine.corpus.collection import OnProgress
from engine.text import harmless


@contextlib.contextmanager
def reading_bar(console: Console) -> Iterator[OnProgress]:
    """Give a function that moves the bar."""
    columns = (BarColumn(bar_width=30), TextColumn("{task.percentage:>3.0f}%  {task.description}", markup=False))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("opening", total=1.0)

        def on_progress(share: float | None, doing: str) -> None:
            progress.update(task, completed=share, description=harmless(doing))

        yield on_progress
