"""Open other data: the path in a terminal's paste, and the configuration of a new run on it.

Checks whether paths exist; never opens a file.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from engine.config.corpus import STANDARD_INPUT, CorpusConfig
from engine.config.run import RunConfig
from tui.files.typed_options import OptionValue

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
