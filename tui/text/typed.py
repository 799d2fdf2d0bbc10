"""A typed amount of training: steps, a time or epochs. Pure.

Options of a corpus typed after a path, as on the command line: `my.csv --column 2`. Never opens a file.

The words of `--avoid` and of its line on the screen: separated by commas, or one word or phrase per line of a file.

A file is read only where its name follows an @, so what an option means does not depend on which files exist.

Open other data: the path in a terminal's paste, and the configuration of a new run on it.

Checks whether paths exist; never opens a file.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from engine.config.corpus import STANDARD_INPUT, CorpusConfig
from engine.config.run import RunConfig
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


@dataclass(frozen=True)
class Amount:
    """How much longer a run trains."""

    number: float
    unit: Unit


def amount_in(text: str) -> Amount | None:
    """Parse "2,500", "90 s", "10 min", "1:30", "2 h" or "1.5 epochs"; a number without a unit is one of steps."""
    text = text.strip().lower()
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return _checked(Amount(3600 * hours + 60 * minutes + seconds, "seconds"))
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if match is None or match[2] not in _UNITS:
        return None
    unit, factor = _UNITS[match[2]]
    digits = re.sub(r"[ _\u00a0\u202f]|,(?=\d{3}(?!\d))", "", match[1]).replace(",", ".")
    try:
        return _checked(Amount(float(digits) * factor, unit))
    except ValueError:  # two points
        return None


def _checked(amount: Amount) -> Amount | None:
    """Return an amount that a run can train for; None for others."""
    is_whole = amount.unit != "steps" or amount.number.is_integer()
    least = 0.01 if amount.unit == "epochs" else 1
    return amount if is_whole and least <= amount.number <= MAX_AMOUNT else None


OptionValue = str | int | bool

_NOT_OF_ONE_FILE = frozenset({"files", "weight", "overfit"})
_DEFAULTS: Final[Mapping[str, object]] = {
    field.name: field.default for field in fields(CorpusConfig) if field.name not in _NOT_OF_ONE_FILE
}
_FIRST_OPTION = re.compile(r"\s+--(?=[a-z-]*(?:[\s=]|$))")
"""Not "notes --old.txt", a file name."""


def split_options(typed: str) -> tuple[str, str]:
    """Return the path of a typed line, and the rest: a space and the options, or ""."""
    found = _FIRST_OPTION.search(typed)
    return (typed, "") if found is None else (typed[: found.start()], typed[found.start() :])


def parsed_options(text: str) -> dict[str, OptionValue]:
    """Return the fields of a `CorpusConfig` that options set, unchecked. Raises `ConfigError`."""
    options: dict[str, OptionValue] = {}
    words = iter(_words(text))
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
        options[name] = _number(option, value) if isinstance(_DEFAULTS[name], int) else value
    return options


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"The options can't be read: {error}.", "Close each quotation mark.") from None


def _number(option: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ConfigError(
            f"{option} is {value!r}, which is no whole number.", f"Type {option} 280, for example."
        ) from None


def _similar_to(option: str) -> str:
    """Return a hint that names the most similar option, or else where all are listed."""
    known = [f"--{name.replace('_', '-')}" for name in _DEFAULTS]
    similar = difflib.get_close_matches(option, known, n=1)
    return f"Did you mean {similar[0]}?" if similar else "tweetgen-tui --help lists those of files and cleaning."


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


_MAX_PASTED_CHARS = 4096
_FIELDS_OF_FILES = (
    *("format", "column", "label", "label_column", "separator", "encoding", "member", "weight", "blank_line_separated"),
    "overfit",
)
"""Fields of a corpus that describe its files, and mean nothing for others."""


def config_for_new_data(config: RunConfig, path: Path, options: Mapping[str, OptionValue]) -> RunConfig:
    """Return the configuration of a new run on a file, folder or archive; `options` set fields of its corpus.

    Preset, settings, runtime and tweet cleaning are kept; the format of the previous files, the run's name and its
    checkpoint are reset. Raises `ConfigError` for an invalid option.
    """
    defaults = {name: getattr(CorpusConfig, name) for name in _FIELDS_OF_FILES}
    changes: dict[str, Any] = {**defaults, "files": (str(path),), **options}
    corpus = replace(config.corpus or CorpusConfig(), **changes)
    return replace(config, corpus=corpus, run_name=None, checkpoint=None, resume=None)


def initial_path(config: RunConfig) -> Path:
    """Return the path that a file dialog starts at: the run's data, or the working directory."""
    files = config.corpus.files if config.corpus else ()
    first = next((file for file in files if file != STANDARD_INPUT), "")
    return Path(os.path.abspath(os.path.expanduser(first)))


def dropped_path(pasted: str) -> Path | None:
    """Return the path that was dropped into the terminal and pasted by it; None if the text is not a path.

    Terminals quote spaces in different ways, and some paste a `file://` URL. An absolute path counts even if it does
    not exist, so that the error can be reported.
    """
    text = pasted.strip()
    if not text or len(text) > _MAX_PASTED_CHARS or "\n" in text:
        return None
    quoted = [_from_word(word) for word in _only_word(text)]
    whole = (path for path in quoted if path.is_absolute())
    return next((path for path in (_from_word(text), *quoted) if _exists(path)), next(whole, None))


def _only_word(text: str) -> list[str]:
    """Return the single word that a shell would split `text` into; empty if there are more or quotes are unbalanced."""
    try:
        words = shlex.split(text)
    except ValueError:  # an unquoted apostrophe
        return []
    return words if len(words) == 1 else []


def _from_word(word: str) -> Path:
    """Return the path of a word: `file://` URLs are decoded, `~` is expanded."""
    if word.startswith("file://"):
        word = unquote(urlsplit(word).path)
    return Path(os.path.expanduser(word))


def _exists(path: Path) -> bool:
    """Return whether a pasted path exists; a relative one must be a file."""
    try:
        return path.exists() if path.is_absolute() else path.is_file()
    except (OSError, ValueError):  # too long, or contains NUL
        return False
