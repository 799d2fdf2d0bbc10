"""The data sets that can be fetched by name, with address, checksum and terms.

None is part of the program, and none is ever fetched without a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError
from engine.storage.folders import home


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A third-party data set."""

    name: str
    """Its name on the command line."""
    file_name: str
    """Its file name in the data folder."""
    url: str
    """The authors' download address."""
    num_bytes: int
    """Size of the file."""
    md5: str
    """Checksum of the file, 32 hexadecimal digits."""
    notice: tuple[str, ...]
    """Content, authors and terms, in lines of at most 80 characters."""

    @property
    def path(self) -> Path:
        """Its path in the data folder; it need not exist."""
        return home() / "data" / self.file_name


SENTIMENT140 = Dataset(
    name="sentiment140",
    file_name="sentiment140.zip",
    url="http://cs.stanford.edu/people/alecmgo/trainingandtestdata.zip",
    num_bytes=81_363_704,
    md5="1647eb110dd2492512e27b9a70d5d1bc",
    notice=(
        "Sentiment140: 1.6 million tweets of 2009, labelled happy or sad by their",
        "emoticons, which were then taken out. Made by Alec Go, Richa Bhayani and Lei",
        "Huang (Stanford, 2009) for research: http://help.sentiment140.com/for-students",
        "",
        "Its page names no licence; the authors ask you to cite Sentiment140 as your",
        "source. The tweets are real people's words, with @names and profanity in them,",
        "and the terms of Twitter/X apply: learn from them, but do not publish them.",
    ),
)
DATASETS = {SENTIMENT140.name: SENTIMENT140}


def find_dataset(name: str) -> Dataset:
    """Return the data set called `name`. Raises `ConfigError` if there is no such data set."""
    try:
        return DATASETS[name]
    except KeyError:
        raise ConfigError(f"There is no data set called {name}.", f"Known: {', '.join(DATASETS)}.") from None
