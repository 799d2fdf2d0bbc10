"""`tweetgen-tui runs list` and `tweetgen-tui doctor`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.program import Cli

TYPES: dict[str, dict[str, type]] = {
    "machine": {"system": str, "cores": int, "device": str, "threads_to_try": list, "bfloat16": bool, "cuda": list}
    | {"nvml": bool, "nvml_problem": str, "mps": bool},
    "distributed": {"gpus": int, "gloo": bool, "nccl": bool, "nccl_version": str, "environment": dict},
    "folders": {"data": str, "writable": bool, "problem": str, "free_gigabytes": float, "runs": int, "cache": str}
    | {"cache_megabytes": float},
    "terminal": {"term": str, "columns": int, "rows": int, "is_terminal": bool, "colours": str, "encoding": str}
    | {"utf8": bool, "glyphs": str, "glyphs_chosen": bool, "multiplexer": str, "ssh": bool},
}


def test_the_list_of_runs_has_step_time_best_and_corpus(cli: Cli, trained: Path) -> None:
    [heading, row] = cli("runs", "list").lines
    assert heading.startswith("RUN ")
    assert row.split()[:2] == ["first", "40"]
    assert row.endswith("  finished: max steps")
    assert "tweets.txt" in row


def test_the_list_of_runs_as_json_has_an_object_per_line(cli: Cli, trained: Path) -> None:
    run = cli("runs", "list", "--json").object
    assert (run["run"], run["step"], run["corpus"], run["problem"]) == ("first", 40, "tweets.txt", "")
    assert run["best_bits_per_char"] > 0
    assert Path(run["path"]) == trained / "runs" / "first"


@pytest.mark.parametrize(
    ("reason", "text"),
    [("stopped by the user", "stopped by the user"), ("terminated", "stopped: terminated"), ("finished", "finished")],
)
def test_the_list_of_runs_calls_only_those_finished_that_reached_their_end(
    cli: Cli, trained: Path, reason: str, text: str
) -> None:
    path = trained / "runs" / "first" / "events.jsonl"
    path.write_text(path.read_text().replace('"reason":"max_steps"', f'"reason":"{reason}"'), encoding="utf-8")
    assert cli("runs", "list").lines[1].endswith(f"  {text}")
    run = cli("runs", "list", "--json").object
    assert (run["state"], run["reason"]) == ("finished", reason)


def test_a_run_whose_checkpoint_is_damaged_is_still_listed(cli: Cli, trained: Path) -> None:
    (trained / "runs" / "first" / "checkpoints" / "latest.safetensors").write_bytes(b"x")
    assert "can't be resumed" in cli("runs", "list").lines[1]
    assert "damaged" in cli("runs", "list", "--json").object["problem"]


def test_a_run_of_several_processes_is_listed_with_their_number_and_backend(cli: Cli, trained: Path) -> None:
    assert (cli("runs", "list", "--json").object["world_size"], "RANKS" in cli("runs", "list").out) == (1, False)
    path = trained / "runs" / "first" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"world_size": 2, "backend": "gloo"}), encoding="utf-8")
    run = cli("runs", "list", "--json").object
    assert (run["world_size"], run["backend"]) == (2, "gloo")
    heading, row = cli("runs", "list").lines
    assert row[heading.index("RANKS") :].startswith("2 gloo ")
    path.write_text('{"world_size": "two"}', encoding="utf-8")
    assert cli("runs", "list", "--json").object["world_size"] == 1


def test_without_a_run_the_list_names_on_stderr_the_command_that_starts_one(cli: Cli) -> None:
    ended = cli("runs", "list")
    assert (ended.code, ended.out) == (0, "")
    assert "tweetgen-tui train" in ended.err


def test_a_folder_without_a_run_is_not_listed(cli: Cli, trained: Path) -> None:
    (trained / "runs" / "stray").mkdir()
    (trained / "runs" / "file").touch()
    assert len(cli("runs", "list").lines) == 2


def test_doctor_prints_versions_machine_folders_and_terminal(cli: Cli, trained: Path) -> None:
    ended = cli("doctor")
    assert (ended.code, ended.err) == (0, "")
    for words in ("versions", "torch", "machine", "cores", "folders", str(trained), "terminal", "encoding"):
        assert words in ended.out
    report = cli("doctor", "--json").object
    assert {"python", "tweetgen-tui", "torch", "textual"} <= set(report["versions"])
    assert (report["folders"]["data"], report["folders"]["runs"]) == (str(trained), 1)
    for heading, types in TYPES.items():
        assert {name: type(value) for name, value in report[heading].items()} == types


def test_doctor_reports_an_unwritable_data_folder(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path / "file"))
    ended = cli("doctor", "--json")
    assert ended.code == 0
    folders = ended.object["folders"]
    assert folders["writable"] is False
    assert "can't be written" in folders["problem"]


def test_doctor_reports_multiplexer_and_ssh(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMUX", "SSH_CONNECTION"):
        monkeypatch.setenv(name, "x")
    terminal = cli("doctor", "--json").object["terminal"]
    assert (terminal["multiplexer"], terminal["ssh"]) == ("tmux", True)


def test_doctor_reports_the_variables_of_torchrun(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "RANK" not in cli("doctor", "--json").object["distributed"]["environment"]
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    environment = cli("doctor", "--json").object["distributed"]["environment"]
    assert (environment["RANK"], environment["WORLD_SIZE"]) == ("0", "2")
    assert "RANK=0, WORLD_SIZE=2" in cli("doctor").out


def test_doctor_reports_the_chosen_glyphs(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text('[screen]\nglyphs = "block"\n', encoding="utf-8")
    terminal = cli("doctor", "--json").object["terminal"]
    assert (terminal["glyphs"], terminal["glyphs_chosen"], terminal["utf8"]) == ("block", True, False)
