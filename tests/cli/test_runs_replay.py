"""`tweetgen-tui runs replay`: what it takes, and what it says where it can't."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Cli, assert_told_in_two_lines
from tui.run.replay import OpenReplay


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Return what would be shown, on a terminal that is there."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr("tui.cli.commands.runs.require_terminal", lambda _hint: None)
    monkeypatch.setattr("tui.cli.commands.runs.start_job_control", lambda: None)
    monkeypatch.setattr("tui.cli.commands.runs.show", lambda *arguments: calls.append(arguments))
    return calls


def opening_of(shown: list[tuple[Any, ...]]) -> OpenReplay:
    [(config, bridge, history, _keeper, _guard)] = shown
    opening = bridge._open_session
    assert isinstance(opening, OpenReplay)
    assert opening.config is config
    assert history.is_replay
    return opening


@pytest.mark.parametrize(
    ("arguments", "speed"),
    [(("first",), 10.0), (("last", "--speed", "2.5"), 2.5), (("first", "--speed", "max"), float("inf"))],
)
def test_the_run_is_shown_at_the_speed_that_was_asked_for(
    cli: Cli, trained: Path, shown: list[tuple[Any, ...]], arguments: tuple[str, ...], speed: float
) -> None:
    assert cli("runs", "replay", *arguments).code == 0
    assert opening_of(shown).folder.path == trained / "runs" / "first"
    assert opening_of(shown).speed == speed


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan", "inf", ""])
def test_a_speed_that_is_none_is_a_mistake_in_usage(
    cli: Cli, trained: Path, shown: list[tuple[Any, ...]], speed: str
) -> None:
    ended = cli("runs", "replay", "first", "--speed", speed)
    assert ended.code == 2
    assert "max" in ended.err
    assert shown == []


def test_without_a_terminal_there_is_nothing_to_see(cli: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    assert_told_in_two_lines(cli("runs", "replay", "first"), "needs a terminal", "events.jsonl")
