"""`CorpusConfig`: which files are read, in which format, and which of their tweets are kept.

The text under each field is the help of its command-line option.
"""

from __future__ import annotations

import codecs
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from engine.config.fields import Between, require, require_valid
from engine.config.sampling import MAX_TWEET_CHARS
from engine.errors import ConfigError

FileFormat = Literal["auto", "csv", "x", "mastodon", "bluesky", "jsonl", "json", "parquet", "text"]
DELIMITERS = ",;\t|"
"""Of the tables that are read, and so of those that are refused."""
STANDARD_INPUT = "-"
DEFAULT_LABEL = "happy"


@dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """Settings for reading and cleaning a corpus."""

    files: tuple[str, ...] = ()
    """File, folder or archive of tweets, or - for standard input; repeatable. Default: the embedded corpus."""
    format: FileFormat = "auto"
    """Format of the files; auto detects it from the content, then the name."""
    column: str | None = None
    """Column (name, or number from 1) or JSON key (dotted if nested; array items count from 1) of the tweet text."""
    label: str = DEFAULT_LABEL
    """Sentiment label to keep: happy, sad, neutral, all, or a value such as 2."""
    label_column: str | None = None
    """Column (name, or number from 1) of the labels; by default one with known labels."""
    weight: tuple[float, ...] = ()
    """Repetitions per epoch, one weight per --data file, in order."""
    blank_line_separated: bool = False
    """Plain text: separate tweets at blank lines, not at every line break."""
    separator: str | None = None
    """Plain text: separate tweets at lines that equal this, such as %."""
    encoding: str | None = None
    """Encoding of text files, such as gbk, euc-kr or windows-1251; detected by default."""
    member: str | None = None
    """Folders and archives: read only files whose path matches this pattern, such as 'posts/*.json'."""
    no_replies: bool = False
    """Archives of networks: skip replies to others."""
    no_retweets: bool = False
    """Skip retweets in tables, JSON and text; archives never include them."""
    no_sensitive: bool = False
    """Skip posts marked sensitive or behind a content warning, in formats that mark them."""
    keep_links: bool = False
    """Archives of X, Mastodon and Bluesky: keep links, which are removed by default."""
    lowercase: bool = False
    """Convert all letters to lower case."""
    strip_links: bool = False
    """Remove every link."""
    strip_mentions: bool = False
    """Remove every @name."""
    mask_mentions: bool = False
    """Replace every @name with @user."""
    ascii: bool = False
    """Remove accents from letters, and all other non-ASCII characters."""
    max_length: Annotated[int, Between(1, MAX_TWEET_CHARS)] = 140
    """Maximum length of a training tweet in characters: longer ones are dropped, and sampled ones are cut there."""
    keep_duplicates: bool = False
    """Keep duplicates and near-duplicates; by default only the first tweet of each group is kept."""
    min_char_count: Annotated[int, Between(1)] = 1
    """Minimum count in the training tweets for a character to enter the vocabulary."""
    overfit: Annotated[int | None, Between(0)] = None
    """Overfit one row of the data, counted from 0 (the tutorial uses 200)."""

    def __post_init__(self) -> None:
        require_valid(self)
        allowed = "happy, sad, neutral, all or a value"
        require("label", repr(self.label), allowed, is_valid=bool(self.label.strip()))
        allowed = "a text encoding, such as gbk, big5, euc-kr, shift_jis, koi8-r, windows-1251 or iso-8859-2"
        require("encoding", repr(self.encoding), allowed, is_valid=self.encoding is None or _decodes(self.encoding))
        for name, value in vars(self).items():
            require(name, repr(value), "text in UTF-8", is_valid=not isinstance(value, str) or _is_utf8(value))
        is_line = self.separator is None or (bool(self.separator.strip()) and len(self.separator.splitlines()) == 1)
        require("separator", repr(self.separator), "one line that is not blank", is_valid=is_line)
        is_alone = self.separator is None or not self.blank_line_separated
        require("separator", self.separator, "omitted with --blank-line-separated", is_valid=is_alone)
        allowed = "one number per --data file, each from 0.01 to 100 and the largest at least 1"
        is_complete = (
            len(self.weight) == len(self.files)
            and all(0.01 <= each <= 100 for each in self.weight)
            and max(self.weight, default=0) >= 1
        )
        shown = ", ".join(f"{each:g}" for each in self.weight)
        require("weight", shown, allowed, is_valid=not self.weight or is_complete)


def absolute_path(file: str) -> str:
    """Return the absolute path of tweets, for a checkpoint. Raises `ConfigError` if a name in it is not UTF-8."""
    path = Path(os.path.expanduser(file)).resolve()
    for name in reversed(path.parts):
        if not _is_utf8(name):
            shown, whole = (text.encode("utf-8", "replace").decode() for text in (name, str(path)))
            raise ConfigError(
                f"The name {shown} in {whole} is not UTF-8, so a resumed run could not find the tweets again.",
                "Rename it, or use standard input: --data - < FILE",
            )
    return str(path)


def _is_utf8(text: str) -> bool:
    """Return whether a checkpoint can store the text: arguments that are not UTF-8 have lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _decodes(encoding: str) -> bool:
    """Return whether Python has a codec of this name that can decode any file, with U+FFFD for invalid bytes."""
    try:
        "".encode(encoding)  # fails for those between bytes, such as base64
        codecs.getincrementaldecoder(encoding)(errors="replace").decode(b"\xff", final=True)
    except (LookupError, ValueError):
        return False
    return True
