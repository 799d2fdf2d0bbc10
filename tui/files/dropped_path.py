"""Another run on other tweets: what is kept of the run before, and which file a terminal means by what it pastes.

Pure but for asking whether a path exists; never opens a file.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from engine.config.corpus import DEFAULT_LABEL, STANDARD_INPUT, CorpusConfig
from engine.config.run import RunConfig

_MAX_PASTED_CHARS = 4096


def config_for_new_data(config: RunConfig, path: Path) -> RunConfig:
    """Return the config of a new run on a file, folder or archive.

    Preset, settings, machine and what becomes of a tweet stay; how the files before were written, what the run was
    called and where it went on from do not.
    """
    corpus = replace(
        config.corpus or CorpusConfig(),
        files=(str(path),),
        format="auto",
        column=None,
        label=DEFAULT_LABEL,
        weight=(),
        blank_line_separated=False,
        overfit=None,
    )
    return replace(config, corpus=corpus, run_name=None, checkpoint=None, resume=None)


def initial_path(config: RunConfig) -> Path:
    """Return where a person begins to look for other tweets: at those of this run, or where the program was started."""
    files = config.corpus.files if config.corpus else ()
    first = next((file for file in files if file != STANDARD_INPUT), "")
    return Path(os.path.abspath(os.path.expanduser(first)))


def dropped_path(pasted: str) -> Path | None:
    """Return the path that was dropped into the terminal, which pastes it; None where the text is none.

    Terminals quote blanks each in its own way, and some paste an address. A whole path counts even if there is nothing
    at it: then the user can be told so.
    """
    text = pasted.strip()
    if not text or len(text) > _MAX_PASTED_CHARS or "\n" in text:
        return None
    quoted = [_from_word(word) for word in _only_word(text)]
    whole = (path for path in quoted if path.is_absolute())
    return next((path for path in (_from_word(text), *quoted) if _exists(path)), next(whole, None))


def _only_word(text: str) -> list[str]:
    """Return the one word that a shell would make of `text`, if it makes one."""
    try:
        words = shlex.split(text)
    except ValueError:  # an apostrophe in a name that is not quoted
        return []
    return words if len(words) == 1 else []


def _from_word(word: str) -> Path:
    """Return the path that a word stands for: an address is decoded, `~` is the home."""
    if word.startswith("file://"):
        word = unquote(urlsplit(word).path)
    return Path(os.path.expanduser(word))


def _exists(path: Path) -> bool:
    """Say whether a path that was pasted exists; one that is not whole only counts if it is a file."""
    try:
        return path.exists() if path.is_absolute() else path.is_file()
    except (OSError, ValueError):  # too long, or with a NUL in it
        return False
