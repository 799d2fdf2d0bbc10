"""The eight stops of the lesson: the texts of `assets/lesson/stops.toml`, and the lines of PyTorch beside it."""

from __future__ import annotations

import importlib.resources
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_WANTED_CHARS = 60
"""Of a tweet to look at: fits most terminals, and has several words."""
_ASSETS = importlib.resources.files("assets") / "lesson"


@dataclass(frozen=True, kw_only=True)
class Stop:
    """One stop of the lesson."""

    number: int
    """Counted from 1."""
    title: str
    part: str
    """The parts of the tutorial that it is about."""
    text: str
    """Paragraphs, with an empty line between them."""
    task: str
    """The one thing to do."""
    learned: str
    """Shown once it is done: what was seen."""
    action: str = ""
    """What enter does, for the key bar."""
    train_to: int = 0
    """The step up to which this stop trains the model of the lesson, once it does; 0: it does not."""

    @property
    def code(self) -> str:
        """Its lines of PyTorch, which only tests run."""
        return (_ASSETS / f"stop_{self.number}.py").read_text(encoding="utf-8")


def _unwrapped(value: Any) -> Any:  # noqa: ANN401 - a value of the file
    """Return a text of the file with each paragraph on one line; anything else as it is."""
    if not isinstance(value, str):
        return value
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in value.split("\n\n"))


def _stops() -> tuple[Stop, ...]:
    entries = tomllib.loads((_ASSETS / "stops.toml").read_text(encoding="utf-8"))["stop"]
    return tuple(
        Stop(number=number, **{name: _unwrapped(value) for name, value in entry.items()})
        for number, entry in enumerate(entries, start=1)
    )


STOPS = _stops()


def tweet_to_look_at(tweets: Sequence[str]) -> str:
    """Return the first tweet with a name in it of about the wanted length, else the one closest to that length."""

    def distance(tweet: str) -> tuple[bool, int]:
        return "@" not in tweet, abs(len(tweet) - _WANTED_CHARS)

    return min(tweets, key=distance, default="")
