"""The data sets that can be fetched by name: where each lies, how to know that it is whole, and what to know before.

None is shipped with the program, and none is fetched unasked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError
from engine.storage.folders import home


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One data set of somebody else's."""

    name: str
    """What it is called on the command line."""
    file_name: str
    """What its file is called in the data folder."""
    url: str
    """Where its authors put it."""
    num_bytes: int
    """How long the file is."""
    md5: str
    """The checksum of the file, 32 hexadecimal digits."""
    notice: tuple[str, ...]
    """What it is, who made it and on which terms, in lines of at most 80 characters."""

    @property
    def path(self) -> Path:
        """Where it lies once it is fetched."""
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
    """Return the data set called `name`. Raises `ConfigError` where there is none."""
    try:
        return DATASETS[name]
    except KeyError:
        raise ConfigError(f"There is no data set called {name}.", f"Known: {', '.join(DATASETS)}.") from None
