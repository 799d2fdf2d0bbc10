"""`runs list`: what is said of a run in each state."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.protocol import codec
from engine.protocol.events import RunFailed
from tests.cli.program import Cli
from tests.fakes import run_started
from tests.tui.process.host_and_client import RUN, hosted
from tui.cli.commands.runs import facts_of, row_of


def _replace(path: Path, before: str, after: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")


def _end_with(path: Path, line: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:-1], line]), encoding="utf-8")


def _configure(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


FAILED = RunFailed(step=40, elapsed_seconds=1.0, title="Loss not finite", detail="It is nan.", hint="Lower it.")
RUNS: dict[str, Callable[[Path], object]] = {
    "finished": lambda run: None,
    "stopped by the user": lambda run: _replace(run / "events.jsonl", '"max_steps"', '"stopped by the user"'),
    "terminated": lambda run: _replace(run / "events.jsonl", '"max_steps"', '"terminated"'),
    "failed": lambda run: _end_with(run / "events.jsonl", codec.encode(FAILED) + "\n"),
    "cut off": lambda run: _end_with(run / "events.jsonl", '{"event":"StepsFin'),
    "damaged": lambda run: (run / "checkpoints" / "latest.safetensors").write_bytes(b"x"),
    "of two processes": lambda run: _configure(run / "config.json", world_size=2, backend="gloo"),
    "with an invalid config": lambda run: (run / "config.json").write_text('{"world_size": "two"}'),
    "deleted": shutil.rmtree,
}


@pytest.mark.parametrize("kind", RUNS)
def test_the_list_of_runs_shows_a_run_that_is(cli: Cli, trained: Path, snapshot: SnapshotAssertion, kind: str) -> None:
    (trained / "runs" / "stray").mkdir()  # no run
    (trained / "runs" / "file").touch()
    RUNS[kind](trained / "runs" / "first")
    assert cli.transcript("runs list", HOME=trained) == snapshot


def test_the_list_of_runs_as_json_has_an_object_per_line(cli: Cli, trained: Path) -> None:
    run = cli("runs", "list", "--json").object
    assert (run["run"], run["step"], run["corpus"], run["problem"]) == ("first", 40, "tweets.txt", "")
    assert (run["state"], run["reason"], run["world_size"]) == ("finished", "max_steps", 1)
    assert run["best_bits_per_char"] > 0
    assert Path(run["path"]) == trained / "runs" / "first"
    RUNS["damaged"](trained / "runs" / "first")
    assert "damaged" in cli("runs", "list", "--json").object["problem"]


def test_a_run_that_trains_is_listed_as_it_says_itself_without_a_latest_and_with_one_that_can_not_be_read() -> None:
    with hosted(run_started(run=RUN, corpus="own.csv")) as made:
        latest = made.folder.checkpoint_path("latest")
        latest.parent.mkdir()
        for write in (lambda: None, lambda: latest.write_bytes(b"x")):
            write()
            facts = facts_of(made.folder)
            assert (facts["corpus"], facts["problem"]) == ("own.csv", "")
            assert row_of(facts, has_ranks=False)[-1] == "training"
    assert row_of(facts_of(made.folder), has_ranks=False)[-1] == "can't be resumed"
