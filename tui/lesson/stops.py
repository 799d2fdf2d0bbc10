"""The eight stops of the lesson, and the progress of a user. No run, no screen.

The texts are those of `assets/lesson/stops.toml`, with the lines of PyTorch beside it. The lesson keeps in its own data
folder which stop is open and which are done (a damaged file counts as none), and a lock that keeps a second lesson out:
both would train, replace and remove the same runs.
"""

from __future__ import annotations

import importlib.resources
import json
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import StorageError
from engine.storage.files import is_locked, storage_errors, try_lock, write_atomically
from engine.storage.folders import home, list_runs

_WANTED_CHARS = 60
"""Length of the tweet to inspect: it fits most terminals, and has several words."""
_FEW_RUNS = 3
"""A user with fewer runs is invited to the lesson."""
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
        """The lines of PyTorch that do what the stop shows; only tests run them."""
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


# Progress -------------------------------------------------------------------------------------------------------------


def lesson_home() -> Path:
    """Return the data folder of the lesson, in that of the user."""
    return home() / "lesson"


def progress_path() -> Path:
    """Return the path of the file in the user's data folder."""
    return lesson_home() / "progress.json"


def invitation_to_lesson() -> str:
    """Return a line for a user of few runs who has not opened the lesson yet; empty for any other."""
    is_new = not progress_path().exists() and len(list_runs()) < _FEW_RUNS
    return "New here? tweetgen-tui lesson shows each idea happen." if is_new else ""


@dataclass(frozen=True)
class Progress:
    """The progress of a user in the lesson."""

    stop: int = 1
    """The open stop, from 1."""
    done: frozenset[int] = frozenset()
    """The stops whose task was done."""

    @property
    def is_complete(self) -> bool:
        """Whether the task of every stop was done."""
        return len(self.done) == len(STOPS)


def read_progress(path: Path) -> Progress:
    """Return the progress stored in a file; no progress if it is missing or damaged."""
    try:
        content = json.loads(path.read_bytes())
        stop, done = content["stop"], content["done"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Progress()
    numbers = range(1, len(STOPS) + 1)
    if type(stop) is not int or stop not in numbers or not isinstance(done, list):
        return Progress()
    return Progress(stop, frozenset(each for each in done if type(each) is int and each in numbers))


def write_progress(path: Path, progress: Progress) -> None:
    """Replace the file. Raises `StorageError`."""
    content = {"stop": progress.stop, "done": sorted(progress.done)}
    write_atomically(path, json.dumps(content).encode())


def _lock_path() -> Path:
    return lesson_home() / "lock"


def lock_lesson() -> int:
    """Lock the lesson against other processes until this one ends, or the returned descriptor is closed.

    Raises `StorageError`, also if another process has the lesson open.
    """
    path = _lock_path()
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not try_lock(descriptor):
            os.close(descriptor)
            raise lesson_open_error()
    return descriptor


def is_lesson_open() -> bool:
    """Return whether a process has the lesson open."""
    return is_locked(_lock_path())


def lesson_open_error() -> StorageError:
    """Return the error of a lesson that another process has open."""
    hint = "Go on there, or leave it there with q and open it here again."
    return StorageError("The lesson is open in another terminal.", hint)
