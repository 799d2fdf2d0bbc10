"""Parses what a user types or drops: an amount of training, options after a path, words to avoid, a path.

A value of `--avoid` is read as a file only if it begins with an @: what it means does not depend on which files exist.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from engine.config.corpus import CorpusConfig
from engine.errors import ConfigError
from engine.text import clean, sanitize_line

Unit = Literal["steps", "seconds", "epochs"]
MAX_AMOUNT = 1e12
_NUMBER_AND_UNIT = re.compile(r"([\d., _\u00a0\u202f]*\d)\s*([a-z]*)")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):([0-5]\d)")
_UNITS: dict[str, tuple[Unit, float]] = {
    **dict.fromkeys(("", "step", "steps"), ("steps", 1.0)),
    **dict.fromkeys(("s", "sec", "second", "seconds"), ("seconds", 1.0)),
    **dict.fromkeys(("m", "min", "minute", "minutes"), ("seconds", 60.0)),
    **dict.fromkeys(("h", "hour", "hours"), ("seconds", 3600.0)),
    **dict.fromkeys(("e", "epoch", "epochs"), ("epochs", 1.0)),
}

OptionValue = str | int | bool
_NOT_OF_ONE_FILE = {"files", "weight", "overfit"}
_DEFAULTS: Final[Mapping[str, object]] = {
    field.name: field.default for field in fields(CorpusConfig) if field.name not in _NOT_OF_ONE_FILE
}
_FIRST_OPTION = re.compile(r"\s+--(?=[a-z-]*(?:[\s=]|$))")
"""Finds where options begin; there are none in "notes --old.txt", a file name."""

MAX_FILE_BYTES = 64 * 1024
"""The largest size of a file with words to avoid."""
_MAX_PATH_CHARS = 4096


@dataclass(frozen=True)
class Amount:
    """How much longer a run trains."""

    number: float
    unit: Unit


def amount_in(text: str) -> Amount | None:
    """Parse "2,500", "90 s", "10 min", "1:30", "2 h" or "1.5 epochs"; a number without a unit is one of steps."""
    text = text.strip().lower()
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        amount = Amount(3600 * hours + 60 * minutes + seconds, "seconds")
    elif (match := _NUMBER_AND_UNIT.fullmatch(text)) and match[2] in _UNITS:
        unit, factor = _UNITS[match[2]]
        digits = re.sub(r"[ _\u00a0\u202f]|,(?=\d{3}(?!\d))", "", match[1]).replace(",", ".")
        try:
            amount = Amount(float(digits) * factor, unit)
        except ValueError:  # two points
            return None
    else:
        return None
    is_whole = amount.unit != "steps" or amount.number.is_integer()
    least = 0.01 if amount.unit == "epochs" else 1
    return amount if is_whole and least <= amount.number <= MAX_AMOUNT else None


def split_options(typed: str) -> tuple[str, str]:
    """Return the path of a typed line, and the rest: a space and the options, or ""."""
    found = _FIRST_OPTION.search(typed)
    return (typed, "") if found is None else (typed[: found.start()], typed[found.start() :])


def parsed_options(text: str) -> dict[str, OptionValue]:
    """Return the fields of a `CorpusConfig` that options set, unchecked. Raises `ConfigError`."""
    try:
        words = iter(shlex.split(text))
    except ValueError as error:
        raise ConfigError(f"The options can't be read: {error}.", "Close each quotation mark.") from None
    options: dict[str, OptionValue] = {}
    for word in words:
        option, equals, value = word.partition("=")
        name = option.removeprefix("--").replace("-", "_")
        if not option.startswith("--") or name not in _DEFAULTS:
            raise ConfigError(f"{option} is no option of a file.", _similar_to(option))
        if isinstance(_DEFAULTS[name], bool):
            options[name] = True
            continue
        value = value if equals else next(words, "")
        if not value:
            raise ConfigError(f"{option} has no value.", f"Type it after the option: {option} VALUE")
        try:
            options[name] = int(value) if isinstance(_DEFAULTS[name], int) else value
        except ValueError:
            hint = f"Type {option} 280, for example."
            raise ConfigError(f"{option} is {value!r}, which is no whole number.", hint) from None
    return options


def _similar_to(option: str) -> str:
    """Return a hint that names the most similar option, or else where all are listed."""
    similar = difflib.get_close_matches(option, [f"--{name.replace('_', '-')}" for name in _DEFAULTS], n=1)
    return f"Did you mean {similar[0]}?" if similar else "tweetgen-tui --help lists those of files and cleaning."


def avoided_words(values: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct words and phrases in the values of `--avoid`, in order. Raises `ConfigError`.

    They are separated by commas, or one to a line of a file; a phrase keeps its spaces.
    """
    pieces: list[str] = []
    for value in map(str.strip, values):
        if value.startswith("@"):
            pieces += _lines_of(value[1:])
        elif "," not in value and Path(value).suffix and os.path.isfile(value):
            shown = sanitize_line(value)
            raise ConfigError(f"--avoid {shown} names a file without an @.", f"Use --avoid @{shown}")
        else:
            pieces += value.split(",")
    return tuple(dict.fromkeys(filter(None, map(clean, pieces))))


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


def dropped_path(pasted: str) -> Path | None:
    """Return the path that was dropped into the terminal and pasted by it; None if the text is not a path.

    Terminals quote spaces in different ways, and some paste a `file://` URL. An absolute path counts even if it does
    not exist, so that the error can be reported.
    """
    text = pasted.strip()
    if not text or len(text) > _MAX_PATH_CHARS or any(char in text for char in "\n\0"):
        return None
    try:
        words = shlex.split(text)
    except ValueError:  # an unquoted apostrophe
        words = []
    unquoted = [_path_in(words[0])] if len(words) == 1 else []
    absolute = (path for path in unquoted if path.is_absolute() and "\0" not in str(path))
    return next((path for path in (_path_in(text), *unquoted) if _exists(path)), next(absolute, None))


def _path_in(word: str) -> Path:
    """Return the path of a word: a valid `file://` URL is decoded, `~` is expanded."""
    with suppress(ValueError):  # also a user name that can't be encoded
        if word.startswith("file://"):
            word = unquote(urlsplit(word).path)
        word = os.path.expanduser(word)
    return Path(word)


def _exists(path: Path) -> bool:
    return os.path.exists(path) if path.is_absolute() else os.path.isfile(path)  # false for what can be no path
