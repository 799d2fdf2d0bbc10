"""`tweetgen-tui runs list` and `tweetgen-tui doctor`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.protocol.events import RunFailed, to_json
from tests.cli.program import Cli, transcript

# The list of runs -----------------------------------------------------------------------------------------------------


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
    "failed": lambda run: _end_with(run / "events.jsonl", to_json(FAILED) + "\n"),
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
    assert transcript(cli, "runs list", HOME=trained) == snapshot


def test_the_list_of_runs_as_json_has_an_object_per_line(cli: Cli, trained: Path) -> None:
    run = cli("runs", "list", "--json").object
    assert (run["run"], run["step"], run["corpus"], run["problem"]) == ("first", 40, "tweets.txt", "")
    assert (run["state"], run["reason"], run["world_size"]) == ("finished", "max_steps", 1)
    assert run["best_bits_per_char"] > 0
    assert Path(run["path"]) == trained / "runs" / "first"
    RUNS["damaged"](trained / "runs" / "first")
    assert "damaged" in cli("runs", "list", "--json").object["problem"]


# Doctor ---------------------------------------------------------------------------------------------------------------


def test_doctor_prints_versions_machine_folders_and_terminal(
    cli: Cli, trained: Path, snapshot: SnapshotAssertion
) -> None:
    report = cli("doctor", "--json").object
    assert {"python", "tweetgen-tui", "torch", "textual"} <= set(report.pop("versions"))
    assert (report["folders"]["data"], report["folders"]["runs"]) == (str(trained), 1)
    types = {
        heading: {name: type(value).__name__ for name, value in facts.items()} for heading, facts in report.items()
    }
    assert json.dumps(types, indent=1) == snapshot
    ended = cli("doctor")
    assert (ended.code, ended.err) == (0, "")
    for words in ("versions", "torch", "machine", "cores", "folders", str(trained), "terminal", "encoding"):
        assert words in ended.out


def test_doctor_reports_multiplexer_ssh_glyphs_and_the_variables_of_torchrun(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TMUX": "x", "SSH_CONNECTION": "x", "LC_ALL": "C", "RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    (home / "config.toml").write_text('[screen]\nglyphs = "block"\n', encoding="utf-8")
    report = cli("doctor", "--json").object
    terminal, environment = report["terminal"], report["distributed"]["environment"]
    assert (terminal["multiplexer"], terminal["ssh"]) == ("tmux", True)
    assert (terminal["glyphs"], terminal["glyphs_chosen"], terminal["utf8"]) == ("block", True, False)
    assert (environment["RANK"], environment["WORLD_SIZE"]) == ("0", "2")
    assert "RANK=0, WORLD_SIZE=2" in cli("doctor").out
