"""Hostile text in data and arguments reaches stdout, stderr and logs only as harmless text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import hostile
from tests.cli.program import SMALL_MODEL, Cli, Finished

WORST = hostile.ALL_AT_ONCE.replace("\0", "")  # which no argument can hold
BUDGET = ("--max-steps", "6", "--eval-every", "3", "--sample-every", "1", "--run-name", "zqj + run")
NAME = "zqj\x1b]52;c;PWNED\x07\x9b31m\u202e\n[red] :smile: =1"


def assert_harmless(finished: Finished) -> None:
    """Assert that the output has no control characters."""
    for line in [*finished.out.split("\n"), *finished.err.split("\n")]:
        assert hostile.obeyed(line) == [], ascii(line)
        if not line.startswith("{"):  # JSON has names in full
            assert hostile.most_marks_on_one(line) <= 8, ascii(line)[:200]


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
        lines = (home / "runs" / "zqj + run" / name).read_text("utf-8").split("\n")
        assert [found for line in lines for found in hostile.obeyed(line)] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--run-name", WORST),
        ("train", "--data", WORST),
        ("train", f"--{WORST}", "1"),
        (WORST,),
        ("checkpoints", "rename", WORST, WORST),
        ("data", "fetch", WORST),
    ],
    ids=lambda arguments: " ".join(arguments).replace(WORST, "TEXT"),
)
def test_a_quoted_argument_is_harmless(cli: Cli, arguments: tuple[str, ...]) -> None:
    told = cli(*arguments)
    assert told.code in (1, 2), told.err
    assert told.err
    assert "Traceback" not in told.err
    assert_harmless(told)


def test_a_traceback_on_stderr_and_in_the_log_is_harmless(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError(hostile.ALL_AT_ONCE)

    monkeypatch.setattr("tui.__main__._run", fail)
    told = cli("doctor")
    assert told.code == 3
    assert_harmless(told)
    written = (home / "tweetgen.log").read_text("utf-8")
    assert "    raise RuntimeError" in written
    assert [found for line in written.split("\n") for found in hostile.obeyed(line)] == []
