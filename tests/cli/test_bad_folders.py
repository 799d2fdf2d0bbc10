"""A data folder that can't be made or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import Cli, assert_told_in_two_lines


@pytest.fixture
def blocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that can't be made: a file lies in its way."""
    (tmp_path / "file").write_text("keep me", encoding="utf-8")
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path / "file" / "home"))
    return tmp_path / "file"


def test_a_run_whose_folder_cannot_be_made_does_not_start(cli: Cli, tweets: Path, blocked: Path) -> None:
    assert_told_in_two_lines(
        cli("train", "--data", tweets), f"{blocked}/home/runs", "can't be written", "TWEETGEN_HOME"
    )
    assert blocked.read_text(encoding="utf-8") == "keep me"


@pytest.mark.parametrize("command", [("runs", "list"), ("checkpoints", "list")])
def test_a_list_of_a_folder_that_cannot_be_is_empty(cli: Cli, blocked: Path, command: tuple[str, str]) -> None:
    assert (cli(*command).code, cli(*command).out) == (0, "")


def test_the_data_folder_is_made_with_all_above_it(cli: Cli, tweets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tweets.parent / "not" / "yet" / "there"
    monkeypatch.setenv("TWEETGEN_HOME", str(home))
    budget = ("--hidden-size", "8", "--embedding-size", "4", "--threads", "1", "--max-steps", "1", "--run-name", "x")
    assert cli("train", "--data", tweets, *budget).code == 0
    assert (home / "runs" / "x" / "checkpoints" / "latest.safetensors").is_file()
