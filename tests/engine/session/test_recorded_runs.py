"""Short runs, as recorded: what they emit when they are sent commands, continued or given other tweets, and save."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

from syrupy.assertion import SnapshotAssertion

from engine.protocol import events as e
from engine.storage.folders import home
from tests.engine import helpers as h
from tests.engine.session.recorded import Play, recorded_plays


def itself(corpus: Path) -> Path:
    """Use the same file."""
    return corpus


def fewer(corpus: Path) -> Path:
    return h.write_corpus(corpus.parent, h.small_tweets()[:40], "fewer.txt")


def others(corpus: Path) -> Path:
    """Write tweets that a model of the small tweets predicts far worse.

    Its vocabulary lacks more of their characters than are named, one of them invisible.
    """
    joined = "e\N{COMBINING TILDE}\N{ZERO WIDTH JOINER}e Ж"
    return h.write_corpus(corpus.parent, [f"{each[::-1].upper()} {joined}" for each in h.small_tweets()], "others.txt")


def change_tweets() -> None:
    others(home() / "small.txt").replace(home() / "small.txt")


def write_markup() -> None:
    h.write_corpus(home(), [f"<li id='{n}'>{tweet}</li>" for n, tweet in enumerate(h.small_tweets())])


def trained() -> None:
    """Train to step 13, of a second each; the last evaluation and tweet are those of step 12."""
    settings: dict[str, Any] = {"max_steps": 10**6, "eval_every": 6, "sample_every": 6}
    h.run_tiny(home() / "small.txt", h.stop_at(13), seconds={e.StepsFinished: 1.0}, **settings)


@recorded_plays("runs")
@mock.patch("engine.training.schedule._FIRST_EARLY_EVALUATION", 4)
def test_a_run_is_as_recorded(corpus: Path, play: Play, snapshot: SnapshotAssertion) -> None:
    assert play.lines(corpus, globals()) == snapshot
