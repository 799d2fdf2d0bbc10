"""Invalid or hostile files in the data folder: every command still works on the others, without delay."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.program import Cli, assert_two_line_error
from tests.engine.checkpoints.damage import with_raw_header


def hundred_gigabytes(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 10**11 - 8))
    os.truncate(path, 10**11)


HARM: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "large": hundred_gigabytes,
    "brackets": lambda path: path.write_bytes(with_raw_header(b"[" * 5_000_000)),
}


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
    report = cli("doctor", "--json").object["folders"]
    assert report["writable"] is False
    assert "can't be written" in report["problem"]


def test_files_that_are_no_checkpoints_or_runs_are_refused_by_name_and_block_no_other(cli: Cli, trained: Path) -> None:
    (trained / "checkpoints").mkdir()
    for name, make in HARM.items():
        odd = trained / "checkpoints" / f"{name}.safetensors"
        make(odd)
        for refused in (
            ("checkpoints", "show", name),
            ("checkpoints", "export", name, trained / "out.safetensors"),
            ("checkpoints", "import", odd, "--name", "mine"),
            ("generate", "--checkpoint", name),
            ("train", "--checkpoint", name, "--max-steps", "1"),
        ):
            assert_two_line_error(cli(*refused), odd.name)
    for name in ("pipe", "folder"):
        run = trained / "runs" / name
        (run / "checkpoints").mkdir(parents=True)
        (run / "config.json").write_text("not even JSON")
        HARM[name](run / "events.jsonl")
        HARM[name](run / "checkpoints" / "latest.safetensors")
        assert_two_line_error(cli("train", "--resume", name))
    checkpoints = {entry["name"]: entry["problem"] for entry in cli("checkpoints", "list", "--json").objects}
    assert {name for name, problem in checkpoints.items() if not problem} == {"first/best", "first/latest"}
    assert all(f"{name}.safetensors" in checkpoints[name] for name in HARM)
    runs = {fact["run"]: fact["problem"] for fact in cli("runs", "list", "--json").objects}
    assert runs.pop("first") == ""
    assert runs.keys() == {"pipe", "folder"}
    assert all("latest.safetensors" in problem for problem in runs.values())
