"""Hostile text and files: output and logs stay harmless, and every command works on what is not damaged."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import hostile
from tests.cli.program import SMALL_MODEL, Cli, Finished, assert_two_line_error
from tests.engine.checkpoints.damage import with_raw_header

# Text -----------------------------------------------------------------------------------------------------------------

WORST = hostile.ALL_AT_ONCE.replace("\0", "")  # which no argument can hold
BUDGET = ("--max-steps", "6", "--eval-every", "3", "--sample-every", "1", "--run-name", "zqj + run")
NAME = "zqj\x1b]52;c;PWNED\x07\x9b31m\u202e\n[red] :smile: =1"


def assert_harmless(finished: Finished) -> None:
    """Assert that the output has no control characters."""
    for line in [*finished.out.split("\n"), *finished.err.split("\n")]:
        assert hostile.obeyed(line) == [], ascii(line)
        if not line.startswith("{"):  # JSON has names in full
            assert hostile.most_marks_on_one(line) <= 8, ascii(line)[:200]


def assert_harmless_file(path: Path) -> None:
    assert [found for line in path.read_text("utf-8").split("\n") for found in hostile.obeyed(line)] == []


def test_a_run_with_hostile_corpus_and_name_prints_and_logs_harmless_text(
    cli: Cli, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    corpus = hostile.write_corpus(tmp_path_factory.mktemp("in") / f"{NAME}.txt")
    trained = cli("train", "--data", corpus, *SMALL_MODEL, *BUDGET, "--json")
    assert trained.code == 0, trained.err
    assert trained.objects[0]["corpus"].startswith("zqj")
    assert_harmless(trained)
    (home / "checkpoints").mkdir()
    saved = home / "runs" / "zqj + run" / "checkpoints" / "latest.safetensors"
    (home / "checkpoints" / f"{NAME}.safetensors").write_bytes(saved.read_bytes())
    (home / "runs" / os.fsdecode(b"zqj \xff\x1b[31m") / "checkpoints").mkdir(parents=True)
    for command in (
        ("generate", "-n", "3", "--temperature", "5", "--seed", "1"),
        ("evaluate", "--data", corpus),
        ("data", "inspect", corpus),
        ("checkpoints", "list"),
        ("checkpoints", "show", NAME),
        ("runs", "list"),
        ("doctor",),
    ):
        for option in ((), ("--json",)):
            told = cli(*command, *option)
            assert told.code == 0, told.err
            assert told.out
            assert_harmless(told)
    for name in ("tweetgen.log", "events.jsonl"):
        assert_harmless_file(home / "runs" / "zqj + run" / name)


def test_a_quoted_argument_and_a_traceback_are_harmless(cli: Cli, home: Path) -> None:
    for arguments in (
        ("train", "--run-name", WORST),
        ("train", "--data", WORST),
        ("train", f"--{WORST}", "1"),
        (WORST,),
        ("checkpoints", "rename", WORST, WORST),
        ("data", "fetch", WORST),
    ):
        told = cli(*arguments)
        assert told.code in (1, 2), told.err
        assert told.err
        assert "Traceback" not in told.err
        assert_harmless(told)

    def fail() -> None:
        raise RuntimeError(hostile.ALL_AT_ONCE)

    cli.monkeypatch.setattr("tui.__main__._run", fail)
    told = cli("doctor")
    assert told.code == 3
    assert_harmless(told)
    assert "    raise RuntimeError" in (home / "tweetgen.log").read_text("utf-8")
    assert_harmless_file(home / "tweetgen.log")


# Files ----------------------------------------------------------------------------------------------------------------


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
    cli: Cli, tweets: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("keep me", encoding="utf-8")
    cli.monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path / "file" / "home"))
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
