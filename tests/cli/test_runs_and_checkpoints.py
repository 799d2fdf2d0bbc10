"""`checkpoints` and `runs list`: sessions as they are printed, JSON, pipes; and what `doctor` reports."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from syrupy.assertion import SnapshotAssertion

from engine.protocol import codec
from engine.protocol.events import RunFailed
from tests.cli.program import Cli, Terminal, assert_two_line_error, sections_of
from tests.fakes import run_started
from tests.tui.process.host_and_client import RUN, hosted
from tui.cli.output.run_list import facts_of, row_of

SESSIONS = sections_of(Path(__file__).with_name("sessions.txt"))


@pytest.fixture
def saved(trained: Path) -> Path:
    """A data folder with a checkpoint saved as `mine` besides the run's own."""
    (trained / "checkpoints").mkdir()
    shutil.copy(_best(trained), trained / "checkpoints" / "mine.safetensors")
    return trained


def _best(home: Path) -> Path:
    return home / "runs" / "first" / "checkpoints" / "best.safetensors"


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_prints(cli: Cli, saved: Path, elsewhere: Path, snapshot: SnapshotAssertion, session: str) -> None:
    out, content = elsewhere, _best(saved).read_bytes()
    (out / "notes.txt").write_text("mine")
    if session == "import":
        shutil.copy(_best(saved), out / "copy.safetensors")
    (saved / "secret.safetensors").touch()
    if session == "a truncated file":
        (saved / "checkpoints" / "torn.safetensors").write_bytes(content[:1000])
    lines = [f"checkpoints {line}" for line in SESSIONS[session]]
    assert cli.transcript(*lines, OWN=_best(saved).parent, OUT=out, HOME=saved) == snapshot
    assert (saved / "secret.safetensors").exists()
    if session == "export":
        assert (out / "copy.safetensors").read_bytes() == (out / "notes.txt").read_bytes() == content


def test_json_has_an_object_per_checkpoint(cli: Cli, saved: Path) -> None:
    entries = cli("checkpoints", "list", "--json").objects
    assert {entry["name"] for entry in entries} == {"mine", "first/latest", "first/best"}
    fields = "name path step bits_per_char evaluated_at_step saved_at num_bytes pinned problem"
    assert all(list(entry) == fields.split() for entry in entries)
    assert all((entry["step"], entry["evaluated_at_step"], entry["problem"]) == (40, 40, "") for entry in entries)
    info = cli("checkpoints", "show", "mine", "--json").object
    assert (info["run"], info["step"], info["model"]["hidden_size"], len(info["sha256"])) == ("first", 40, 8, 64)


def test_delete_without_confirmation_deletes_nothing(cli: Cli, saved: Path) -> None:
    for answer in (b"\n", b""):
        cli.reads(answer, is_terminal=True)
        assert cli("checkpoints", "delete", "mine").code == 1
        assert (saved / "checkpoints" / "mine.safetensors").is_file()


def test_an_export_to_stdout_is_the_file_alone_and_refused_on_a_terminal(cli: Cli, saved: Path) -> None:
    piped, shown = io.BytesIO(), io.BytesIO()
    cli.monkeypatch.setattr("sys.stdout", io.TextIOWrapper(piped))
    assert cli("checkpoints", "export", "mine", "-").code == 0
    assert piped.getvalue() == (saved / "checkpoints" / "mine.safetensors").read_bytes()
    cli.monkeypatch.setattr("sys.stdout", Terminal(shown))
    ended = cli("checkpoints", "export", "mine", "-")
    assert (ended.code, shown.getvalue()) == (1, b"")
    assert "is binary" in ended.err


def test_an_import_reads_standard_input_under_a_name_and_is_verified(cli: Cli, saved: Path) -> None:
    cli.reads(_best(saved).read_bytes())
    assert cli("checkpoints", "import", "-", "--name", "piped").code == 0
    piped, best = (cli("checkpoints", "show", name, "--json").object for name in ("piped", "first/best"))
    assert (piped["run"], piped["step"], piped["sha256"]) == (best["run"], best["step"], best["sha256"])
    cli.reads(b"good morning")
    assert_two_line_error(cli("checkpoints", "import", "-"), "needs a name", "--name")
    ended = cli("checkpoints", "import", "-", "--name", "damaged")
    assert_two_line_error(ended, "tweetgen-tui: standard input is damaged")
    assert not (saved / "checkpoints" / "damaged.safetensors").exists()


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


def test_doctor_prints_machine_folders_and_surroundings(cli: Cli, trained: Path, snapshot: SnapshotAssertion) -> None:
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

    for name, value in {"TMUX": "x", "SSH_CONNECTION": "x", "LC_ALL": "C", "RANK": "0", "WORLD_SIZE": "2"}.items():
        cli.monkeypatch.setenv(name, value)
    (trained / "config.toml").write_text('[screen]\nglyphs = "block"\n', encoding="utf-8")
    report = cli("doctor", "--json").object
    terminal, environment = report["terminal"], report["distributed"]["environment"]
    assert (terminal["multiplexer"], terminal["ssh"]) == ("tmux", True)
    assert (terminal["glyphs"], terminal["glyphs_chosen"], terminal["utf8"]) == ("block", True, False)
    assert (environment["RANK"], environment["WORLD_SIZE"]) == ("0", "2")
    assert "RANK=0, WORLD_SIZE=2" in cli("doctor").out


OLD_DRIVER = RuntimeError("The NVIDIA driver on your system is too old (found version 12020).")


@pytest.mark.parametrize("is_available", [False, True], ids=["old driver", "busy"])
def test_doctor_reports_a_gpu_that_torch_can_not_use(cli: Cli, trained: Path, is_available: bool) -> None:
    """NVML counts GPUs before CUDA starts, and all that is asked then raises."""
    raising = mock.Mock(side_effect=OLD_DRIVER)
    cli.monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    cli.monkeypatch.setattr(torch.cuda, "is_available", lambda: is_available)
    for name in ("init", "get_device_name", "get_device_capability", "is_bf16_supported"):
        cli.monkeypatch.setattr(torch.cuda, name, raising)
    cli.monkeypatch.setattr(torch.backends.cudnn, "version", raising)
    machine = cli("doctor", "--json").object["machine"]
    problem = f"a GPU is there, but torch can't use it: {OLD_DRIVER}"
    assert (machine["gpu_problem"], machine["cuda"], machine["device"]) == (problem, [str(OLD_DRIVER)], "cpu")
    ended = cli("doctor")
    assert (ended.code, ended.err) == (0, "")
    assert problem in ended.out


def test_doctor_reports_versions_and_abilities_of_gpus(cli: Cli, trained: Path) -> None:
    nvml = SimpleNamespace(
        NVMLError=OSError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlSystemGetDriverVersion=lambda: "580.65.06",
    )
    cli.monkeypatch.setitem(sys.modules, "pynvml", nvml)
    cli.monkeypatch.setattr(torch.version, "cuda", "13.0")
    for name, value in {
        "device_count": 1,
        "is_available": True,
        "init": None,
        "get_device_name": "NVIDIA H100",
        "get_device_capability": (9, 0),
        "is_bf16_supported": True,
    }.items():
        cli.monkeypatch.setattr(torch.cuda, name, lambda *_, value=value, **__: value)
    cli.monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91500)
    machine = cli("doctor", "--json").object["machine"]
    expected = {
        "device": "cuda",
        "cuda": ["NVIDIA H100, capability 9.0"],
        "gpu_problem": "",
        "gpu_bfloat16": True,
        "driver": "580.65.06",
        "cuda_version": "13.0",
        "cudnn_version": "91500",
    }
    assert {name: machine[name] for name in expected} == expected
