"""Options of a corpus typed after a path, as on the command line: `my.csv --column 2`. Never opens a file."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from engine.config.corpus import CorpusConfig
from engine.errors import ConfigError

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
