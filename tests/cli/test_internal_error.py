"""Bugs: exit code 3, two lines, and the traceback in a log whose path is shown."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import SMALL_MODEL, Cli


def _raise(*_: Any, **__: Any) -> None:
    raise ZeroDivisionError("out of \x1b[31mthe blue")


def test_an_unexpected_error_is_two_lines_and_a_traceback_in_the_log_or_without_one_on_stderr(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.cli.commands.doctor.installed_versions", _raise)
    ended = cli("doctor")
    assert (ended.code, ended.out) == (3, "")
    [what, hint] = ended.error_lines
    assert what == "tweetgen-tui: ZeroDivisionError: out of the blue"
    assert str(home / "tweetgen.log") in hint
    assert "ZeroDivisionError" in (home / "tweetgen.log").read_text(encoding="utf-8")
    monkeypatch.setenv("TWEETGEN_HOME", str(home / "tweetgen.log"))
    ended = cli("doctor")
    assert ended.code == 3
    assert ended.err.startswith("Traceback")
    assert "the lines above" in ended.error_lines[-1]


def test_an_unexpected_error_of_a_run_exits_with_3_and_is_in_its_log(
    cli: Cli, home: Path, tweets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.training.trainer.Trainer.step", _raise)
    ended = cli("train", "--json", "--data", tweets, *SMALL_MODEL, "--run-name", "x")
    assert (ended.code, ended.objects[-1]["event"]) == (3, "RunFailed")
    assert "Traceback" not in ended.err
    assert "ZeroDivisionError" in (home / "runs" / "x" / "tweetgen.log").read_text(encoding="utf-8")


def test_characters_that_stdout_can_not_encode_are_replaced(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cafe.txt"
    path.write_text("".join(f"un café numéro {number} ☕\n" for number in range(60)), encoding="utf-8")
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stdout)
    ended = cli("data", "inspect", path)
    assert (ended.code, ended.err) == (0, "")
    assert b"un caf? num?ro" in stdout.buffer.getvalue()
