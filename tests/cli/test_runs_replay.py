"""`tweetgen-tui runs replay`: its options and errors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Cli, assert_two_line_error
from tui.run.replay import OpenReplay


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Pretend to have a terminal, and record the call of `show`."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr("tui.cli.commands.runs.require_terminal", lambda _hint: None)
    monkeypatch.setattr("tui.cli.commands.runs.start_job_control", lambda: None)
    monkeypatch.setattr("tui.cli.commands.runs.show", lambda *arguments: calls.append(arguments))
    return calls


def opening_of(shown: list[tuple[Any, ...]]) -> OpenReplay:
    [(bridge, history, _store, _job_control)] = shown
    opening = bridge._open_session
    assert isinstance(opening, OpenReplay)
    assert opening.config is bridge.config
    assert history.is_replay
    return opening


@pytest.mark.parametrize(
    ("arguments", "speed"),
    [(("first",), 10.0), (("last", "--speed", "2.5"), 2.5), (("first", "--speed", "max"), float("inf"))],
)
def test_the_run_is_replayed_at_the_given_speed(
    cli: Cli, trained: Path, shown: list[tuple[Any, ...]], arguments: tuple[str, ...], speed: float
) -> None:
    assert cli("runs", "replay", *arguments).code == 0
    assert opening_of(shown).folder.path == trained / "runs" / "first"
    assert opening_of(shown).speed == speed


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan", "inf", ""])
def test_an_invalid_speed_is_a_usage_error(cli: Cli, trained: Path, shown: list[tuple[Any, ...]], speed: str) -> None:
    ended = cli("runs", "replay", "first", "--speed", speed)
    assert ended.code == 2
    assert "max" in ended.err
    assert shown == []


def test_a_replay_requires_a_terminal(cli: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    assert_two_line_error(cli("runs", "replay", "first"), "needs a terminal", "--svg FILE records")
