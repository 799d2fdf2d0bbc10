"""The words of `--avoid` and of its line on the screen: separated by commas, or one word or phrase per line of a file.

A file is read only where its name follows an @, so what an option means does not depend on which files exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.errors import ConfigError
from engine.text import clean, sanitize_line

MAX_FILE_BYTES = 64 * 1024


def avoided_words(values: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct words and phrases in the values of `--avoid`, in order. Raises `ConfigError`."""
    pieces = [piece for value in values for piece in _pieces(value.strip())]
    return tuple(dict.fromkeys(filter(None, map(clean, pieces))))


def _pieces(value: str) -> list[str]:
    """Return the words and phrases of one value, as they were typed."""
    if value.startswith("@"):
        return _lines_of(value[1:])
    if "," not in value and Path(value).suffix and _is_file(value):
        raise ConfigError(
            f"--avoid {sanitize_line(value)} names a file without an @.", f"Use --avoid @{sanitize_line(value)}"
        )
    return value.split(",")


def _is_file(name: str) -> bool:
    """Return whether a readable folder has this file; false for a text that can be no path."""
    try:
        return Path(name).is_file()
    except OSError:  # longer than a path can be, or in a folder without permission
        return False


def _lines_of(name: str) -> list[str]:
    """Return the lines of a small text file. Raises `ConfigError`."""
    shown = sanitize_line(name)
    try:
        with Path(name).expanduser().open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:  # also a null character, and ~name of no user
        reason = error.strerror if isinstance(error, OSError) else error
        hint = "Write --avoid @FILE for a file, and a name without its @: anna also refuses @anna."
        raise ConfigError(f"The file {shown} of --avoid can't be read: {reason}.", hint) from None
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{shown} is too large for --avoid: over {MAX_FILE_BYTES >> 10} KB.", "Shorten the list.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ConfigError(f"{shown} is no text in UTF-8.", "Save one word or phrase per line, as UTF-8.")
    return text.splitlines()
