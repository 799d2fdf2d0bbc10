"""Invalid or hostile files in the data folder: every command still works on the others, without delay."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.program import Cli, assert_two_line_error
from tests.engine.checkpoints.damage import with_raw_header


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def hundred_gigabytes(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 10**11 - 8))
    os.truncate(path, 10**11)


def brackets(path: Path) -> None:
    path.write_bytes(with_raw_header(b"[" * 5_000_000))


HARM = (pipe, folder, hundred_gigabytes, brackets)


def test_a_data_folder_that_cannot_be_created_starts_no_run_and_lists_none(
    cli: Cli, tweets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("keep me", encoding="utf-8")
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path / "file" / "home"))
    refused = cli("train", "--data", tweets)
    assert_two_line_error(refused, f"{tmp_path}/file/home/runs", "can't be written", "TWEETGEN_HOME")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "keep me"
    for command in ("runs", "checkpoints"):
        assert (cli(command, "list").code, cli(command, "list").out) == (0, "")


@pytest.mark.parametrize("make", HARM)
def test_a_file_that_is_no_checkpoint_does_not_block_the_others(
    cli: Cli, trained: Path, make: Callable[[Path], None]
) -> None:
    checkpoints = trained / "checkpoints"
    checkpoints.mkdir(exist_ok=True)
    make(checkpoints / "odd.safetensors")

    listed = cli("checkpoints", "list", "--json")
    shown = cli("checkpoints", "show", "odd")
    exported = cli("checkpoints", "export", "odd", str(trained / "out.safetensors"))
    imported = cli("checkpoints", "import", str(checkpoints / "odd.safetensors"), "--name", "mine")
    written = cli("generate", "-n", "1", "--checkpoint", "odd")
    begun = cli("train", "--checkpoint", "odd", "--max-steps", "1")

    problems = {entry["name"]: entry["problem"] for entry in listed.objects}
    assert "odd.safetensors" in problems.pop("odd")
    assert problems
    assert not any(problems.values())
    assert listed.code == 0
    for refused in (shown, exported, imported, written, begun):
        assert refused.code == 1
        assert len(refused.error_lines) == 2
        assert "odd.safetensors" in refused.error_lines[0]


@pytest.mark.parametrize("make", [pipe, folder])
def test_a_run_with_invalid_files_does_not_block_the_others(
    cli: Cli, trained: Path, make: Callable[[Path], None]
) -> None:
    run = trained / "runs" / "odd"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.json").write_text("not even JSON")
    make(run / "events.jsonl")
    make(run / "checkpoints" / "latest.safetensors")

    listed = cli("runs", "list", "--json")
    resumed = cli("train", "--resume", "odd")

    assert listed.code == 0
    problems = {fact["run"]: fact["problem"] for fact in listed.objects}
    assert "latest.safetensors" in problems.pop("odd")
    assert not any(problems.values())
    assert resumed.code == 1
    assert len(resumed.error_lines) == 2
