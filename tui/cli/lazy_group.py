"""The commands of `tweetgen-tui`, each imported on first use, so that the screen, which uses none, opens sooner.

The module `tui.cli.commands.NAME` has a function of the command's name, or a `typer.Typer` called `app`.
"""

from __future__ import annotations

import contextlib
import inspect
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
from engine.text import sanitize_lines

NAMES = (
    *("lesson", "train", "attach", "serve", "generate", "evaluate", "xray", "bench"),
    *("checkpoints", "export", "runs", "data", "doctor"),
)

EXAMPLES = "Examples:\n"
"""Begins the examples, the last paragraph of the docstring of a command."""
_PLAIN_WORDS = (
    (r"Input should be a valid (\w+), unable to parse string.*", r"Not a valid \1."),
    (r"Input should be (.*\w)$", r"It should be \1."),
    ("Value error, ", ""),
)
"""Patterns in messages of typer (0.29), and what replaces them."""


class LazyGroup(TyperGroup):
    """The group of the commands in `NAMES`."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - typer's arguments
        """Create the group without importing a command."""
        super().__init__(**attributes)
        self.help = _flowing(self.help)
        self.commands = _Commands()

    def make_context(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as above
        """Parse the arguments."""
        with _ended_by_closed_pipe(), _plain_usage_errors():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as above
        """Run the command that they name."""
        with _ended_by_closed_pipe(), _plain_usage_errors():
            return super().invoke(ctx)


@contextlib.contextmanager
def _ended_by_closed_pipe() -> Iterator[None]:
    """Exit quietly with the code of SIGPIPE once the reader of stdout has closed it (`... | head -1`)."""
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
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # discards what is still buffered
        sys.exit(128 + signal.SIGPIPE)


@contextlib.contextmanager
def _plain_usage_errors() -> Iterator[None]:
    """Reword messages of typer (0.29), and escape control characters, since some quote the argument as it was typed."""
    try:
        yield
    except Exception as error:  # re-raised, reworded
        message = getattr(error, "message", None)  # the class of typer's errors has no public name
        if isinstance(message, str) and not isinstance(error, TweetgenError):
            for pattern, plain in _PLAIN_WORDS:
                message = re.sub(pattern, plain, message)
            error.message = sanitize_lines(message)  # type: ignore[attr-defined] # it has one
        raise


class _Commands(MutableMapping[str, Any]):
    """The commands by name, in the order of `NAMES`."""

    def __init__(self) -> None:
        """Start with no command imported."""
        self._imported: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - typer's class of commands has no public name
        """Import and return a command."""
        if name not in NAMES:
            raise KeyError(name)
        if name not in self._imported:
            self._imported[name] = _imported(name)
        return self._imported[name]

    def __setitem__(self, name: str, command: Any) -> None:  # noqa: ANN401 - as above
        self._imported[name] = command

    def __delitem__(self, name: str) -> None:
        del self._imported[name]

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


def _imported(name: str) -> Any:  # noqa: ANN401 - as above
    """Import a command, and return it as typer makes it below a parent group."""
    module = import_module(f"tui.cli.commands.{name}")
    parent = typer.Typer(add_completion=False)
    parent.callback()(lambda: None)  # without a callback, typer makes a single command the program itself
    if hasattr(module, "app"):
        parent.add_typer(module.app, name=name)
    else:
        parent.command(name)(getattr(module, name))
    group: Any = typer.main.get_command(parent)
    command = group.commands[name]
    for each in (command, *getattr(command, "commands", {}).values()):
        each.help = _flowing(each.help)
    return command


def _flowing(text: str | None) -> str:
    """Return a docstring without the line breaks in its paragraphs, which typer (0.29) keeps; examples stay lines."""
    paragraphs = inspect.cleandoc(text or "").split("\n\n")
    return "\n\n".join(each if each.startswith(EXAMPLES) else " ".join(each.split()) for each in paragraphs)
