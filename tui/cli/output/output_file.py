"""The file that a command writes, as its option names it: a path, or - for standard output."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import typer

from engine.errors import ConfigError, StorageError
from engine.export.tweets import check_export, write_export
from engine.text import sanitize_line
from tui.text.numbers import format_size

STANDARD_STREAM = "-"


def require_effect(options: Mapping[str, object], where: str, command: str, *, has_effect: bool) -> None:
    """Raise `ConfigError` for an option that is given although it has no effect."""
    name = next((name for name, value in options.items() if value is not None), None)
    if name is not None and not has_effect:
        raise ConfigError(
            f"--{name} has no effect {where}.", f"Omit --{name}; `tweetgen-tui {command} --help` lists all."
        )


def check_output(name: str, *, may_replace: bool, is_binary: bool = False) -> None:
    """Raise `StorageError` before the work for a file that exists and may not be replaced, or without a folder.

    Raises `ConfigError` for binary output on a terminal.
    """
    if name == STANDARD_STREAM:
        if is_binary and sys.stdout.isatty():
            raise ConfigError(
                "The file is binary: it can't be printed on a terminal.", "Name a file, or redirect: ... - > FILE"
            )
    else:
        file = Path(name).expanduser()
        with _hint_at_force(file):
            check_export(file, may_replace=may_replace)


def write_output(name: str, content: bytes, *, may_replace: bool) -> None:
    """Write the content, and report a file and its size on stderr. Raises `StorageError`."""
    if name == STANDARD_STREAM:
        try:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StorageError(f"Standard output can't be written: {error.strerror}.", "Free some space.") from error
        return
    file = Path(name).expanduser()
    with _hint_at_force(file):
        write_export(file, [content], may_replace=may_replace)
    typer.echo(sanitize_line(f"wrote {file}, {format_size(len(content))}"), err=True)


@contextlib.contextmanager
def _hint_at_force(file: Path) -> Iterator[None]:
    """Turn `FileExistsError` into a `StorageError`."""
    try:
        yield
    except FileExistsError as error:
        raise StorageError(f"{file} already exists.", "--force replaces it.") from error
