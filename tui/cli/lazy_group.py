"""The commands below `tweetgen-tui`, each imported when it is asked for: the screen, which asks for none, opens sooner.

A command's module in `tui.cli.commands` is called like it, and holds a function of that name, or a typer `app`.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any

import typer.main
from typer.core import TyperGroup

from engine.errors import TweetgenError
from engine.text import harmless_lines

NAMES = ("train", "attach", "generate", "evaluate", "bench", "checkpoints", "runs", "data", "doctor")

_PLAIN_WORDS = (
    (r"Input should be a valid (\w+), unable to parse string.*", r"Not a valid \1."),
    (r"Input should be (.*\w)$", r"It should be \1."),
    ("Value error, ", ""),
)
"""What typer (0.29) takes over from the library that checks values, and what is said in its place."""


class LazyGroup(TyperGroup):
    """A group of the commands of `NAMES`."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - whatever typer hands over
        """Know their names."""
        super().__init__(**attributes)
        self.commands = _Commands()

    def make_context(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as above
        """Read the arguments."""
        with _ended_by_closed_pipe(), _told_harmlessly():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as above
        """Do what they ask for."""
        with _ended_by_closed_pipe(), _told_harmlessly():
            return super().invoke(ctx)


@contextlib.contextmanager
def _ended_by_closed_pipe() -> Iterator[None]:
    """End the program without a word, as SIGPIPE would, once the reader of its output has left (`... | head -1`)."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as error:
        if isinstance(error, SystemExit) and not isinstance(
            error.__context__, BrokenPipeError
        ):  # rich (15) exits with 1
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
        sys.exit(128 + signal.SIGPIPE)


@contextlib.contextmanager
def _told_harmlessly() -> Iterator[None]:
    """Make messages about wrong arguments harmless and plain: typer (0.29) quotes some of them as they were given."""
    try:
        yield
    except Exception as error:  # raised on, with other words
        message = getattr(error, "message", None)  # the class of typer's errors has no public name
        if isinstance(message, str) and not isinstance(error, TweetgenError):
            for pattern, plain in _PLAIN_WORDS:
                message = re.sub(pattern, plain, message)
            error.message = harmless_lines(message)  # type: ignore[attr-defined] # it has one
        raise


class _Commands(MutableMapping[str, Any]):
    """The commands by name, in the order of `NAMES`."""

    def __init__(self) -> None:
        """Begin without any that was asked for."""
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - typer's class of commands has no public name
        """Import and return a command."""
        if name not in NAMES:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = _made(name)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:  # noqa: ANN401 - as above
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


def _made(name: str) -> Any:  # noqa: ANN401 - as above
    """Return a command as typer makes it below a parent."""
    module = import_module(f"tui.cli.commands.{name}")
    parent = typer.Typer(add_completion=False, rich_markup_mode="rich")
    parent.callback()(lambda: None)  # so that it stays a parent, of however few
    if hasattr(module, "app"):
        parent.add_typer(module.app, name=name)
    else:
        parent.command(name)(getattr(module, name))
    group: Any = typer.main.get_command(parent)
    return group.commands[name]
