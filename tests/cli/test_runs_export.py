"""`tweetgen-tui runs export`: its formats, its file and its errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import Cli, assert_two_line_error


def test_steps_and_evaluations_are_a_table_on_stdout_and_stderr_says_what_is_thinned(cli: Cli, trained: Path) -> None:
    ended = cli("runs", "export", "last")
    assert ended.code == 0
    heading, *rows = ended.lines
    assert heading.startswith("kind,step,first_step,num_steps,elapsed_seconds,train_loss,")
    assert sum(row.startswith("step,") for row in rows) == 40
    assert any(row.startswith("evaluation,") for row in rows)
    assert ended.err == "No step is thinned.\n"


def test_json_lines_are_the_journal(cli: Cli, trained: Path) -> None:
    journal = (trained / "runs" / "first" / "events.jsonl").read_text(encoding="utf-8")
    assert cli("runs", "export", "first", "--format", "jsonl").out == journal


def test_a_file_is_replaced_only_with_force(cli: Cli, trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.csv"
    expected = cli("runs", "export", "first").out
    assert cli("runs", "export", "first", "--output", file).out == ""
    assert file.read_text(encoding="utf-8") == expected
    assert_two_line_error(cli("runs", "export", "first", "--output", file), "already exists", "--force")
    assert cli("runs", "export", "first", "--output", file, "--format", "jsonl", "--force").code == 0
    assert file.read_text(encoding="utf-8").startswith('{"event":"RunStarted"')


@pytest.mark.parametrize("file", ["missing/run.csv", "/dev/null", "."])
def test_a_file_that_can_not_be_written_is_an_error(cli: Cli, trained: Path, tmp_path: Path, file: str) -> None:
    assert_two_line_error(cli("runs", "export", "first", "--output", tmp_path / file, "--force"), file[:4], "")


def test_a_run_that_does_not_exist_or_has_no_journal_is_an_error(cli: Cli, trained: Path) -> None:
    assert_two_line_error(cli("runs", "export", "second"), "There is no run called second", "runs list")
    (trained / "runs" / "first" / "events.jsonl").unlink()
    assert_two_line_error(cli("runs", "export", "first"), "has no journal", "events.jsonl")


def test_an_unknown_format_is_a_usage_error(cli: Cli, trained: Path) -> None:
    assert cli("runs", "export", "first", "--format", "xlsx").code == 2
