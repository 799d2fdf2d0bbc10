"""Several processes on the command line: what is refused, and how a run ends that can't start or is lost."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.compute import device
from engine.config.run import RunConfig, RuntimeConfig
from engine.errors import DeviceError, RestartsUsedUpError
from engine.protocol import events as e
from engine.storage.file_lock import try_lock
from engine.storage.folders import folder_of_run
from engine.storage.journal import Journal
from engine.storage.journal_reader import last_event, read_journal
from tests.cli.program import SMALL_MODEL, Cli, assert_error_at_the_end, assert_two_line_error
from tests.engine.session.stream_rules import assert_valid_stream
from tests.fakes import run_started, steps_finished
from tui.cli import run_launcher
from tui.process.launch.folder import VARIABLE, LaunchFolder
from tui.process.launch.notes import LaunchNotes
from tui.process.launch.order import LaunchOrder
from tui.remote.socket_path import is_launched, launch_lock_path, make_private_folder

TWO = ("--nproc-per-node", "2", "--device", "cpu")
Torchrun = Callable[..., None]


@pytest.fixture
def torchrun(monkeypatch: pytest.MonkeyPatch) -> Torchrun:
    """Set the variables of torchrun by hand, for a rank that waits for the others for one second."""

    def set_(rank: int = 0, port: int = 0) -> None:
        place = {"RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "localhost", "MASTER_PORT": port}
        for name, value in {**place, "TWEETGEN_RANK_TIMEOUT": 1}.items():
            monkeypatch.setenv(name, str(value))

    return set_


@pytest.mark.parametrize("text", ["0", "-1", "257", "two", "1.5", ""])
def test_a_number_of_processes_that_is_none_is_a_usage_error(cli: Cli, text: str) -> None:
    ended = cli("train", f"--nproc-per-node={text}")
    assert ended.code == 2
    assert "nor auto" in " ".join(ended.err.split())


def test_more_processes_than_cores_are_refused_with_the_number_that_fits(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "available_cores", lambda: 2)
    ended = cli("train", "--nproc-per-node", "3", "--device", "cpu")
    assert_two_line_error(ended, "2 CPU cores", "at most 2")
    assert not (home / "runs").exists() or not list((home / "runs").iterdir())


def test_auto_without_a_gpu_trains_in_one_process_and_gives_the_reason(cli: Cli, home: Path, tweets: Path) -> None:
    ended = cli(
        "train", "--nproc-per-node", "auto", "--data", tweets, *SMALL_MODEL, "--max-steps", "2", "--device", "cpu"
    )
    assert ended.code == 0, ended.err
    assert "--nproc-per-node auto: 1 process on cpu" in ended.err


def test_a_run_whose_others_do_not_come_ends_after_the_timeout(
    cli: Cli, home: Path, torchrun: Torchrun, tweets: Path
) -> None:
    torchrun()
    ended = cli("train", "--data", tweets, "--json")
    assert ended.code == 1
    [failed] = map(e.from_json, ended.lines)
    assert isinstance(failed, e.RunFailed)
    assert "within 1 s" in failed.detail
    assert "TWEETGEN_RANK_TIMEOUT" in failed.hint
    assert ended.error_lines[-2] == f"tweetgen-tui: {failed.detail}"


def test_a_port_in_use_is_named(cli: Cli, home: Path, torchrun: Torchrun, tweets: Path) -> None:
    with socket.socket(socket.AF_INET6) as other:
        other.bind(("", 0))
        other.listen()
        torchrun(port=other.getsockname()[1])
        ended = cli("train", "--data", tweets)
    assert_error_at_the_end(ended, "MASTER_PORT", "in use")


@pytest.mark.parametrize("options", [("train", *TWO), ("train", "--detach"), ()])
def test_a_rank_of_torchrun_launches_nothing_detaches_from_nothing_and_has_no_screen(
    cli: Cli, home: Path, torchrun: Torchrun, options: tuple[str, ...]
) -> None:
    torchrun()
    assert_two_line_error(cli(*options), "RANK is set", "torchrun")


def test_a_run_whose_processes_are_started_again_is_listed_so(cli: Cli, trained: Path) -> None:
    path = launch_lock_path(folder_of_run("first"))
    make_private_folder(path.parent)
    with path.open("w", encoding="ascii") as file:
        assert try_lock(file.fileno())
        assert cli("runs", "list", "--json").object["state"] == "restarting"
    assert cli("runs", "list", "--json").object["state"] == "finished"


Lost = Callable[..., Any]


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> Lost:
    """Have a launch fail, after the run has emitted some events."""

    def set_(*events: e.Event) -> None:
        def fail(*_arguments: object, folder: LaunchFolder, **_options: object) -> int:
            order = LaunchOrder.read(folder)
            assert is_launched(folder_of_run(order.run))
            for event in events:
                LaunchNotes(folder).note(event)
            if events:
                folder_of_run(order.run).path.mkdir(parents=True)
                journal = Journal(folder_of_run(order.run).journal_path)
                for event in events:
                    journal.write(event)
                journal.close()
            raise RestartsUsedUpError("A process of the run was lost 4 times. Rank 1 was killed.")

        monkeypatch.setattr(run_launcher, "launch_processes", fail)

    return set_


def test_a_run_that_was_lost_too_often_ends_in_its_journal_and_can_be_continued(
    cli: Cli, home: Path, lost: Lost, tweets: Path
) -> None:
    saved = e.CheckpointSaved(step=2, elapsed_seconds=0.2, name="latest", path="", bits_per_char=None, weights_step=2)
    lost(run_started(run="lost"), steps_finished(1, [3.0, 2.0]), saved)
    ended = cli("train", *TWO, "--data", tweets, "--run-name", "lost", "--json")
    assert ended.code == 1
    assert ended.error_lines[-2:] == [
        "tweetgen-tui: A process of the run was lost 4 times. Rank 1 was killed.",
        "Continue from its latest checkpoint: tweetgen-tui --resume lost",
    ]
    journal = folder_of_run("lost").journal_path
    failed = last_event(journal)
    assert isinstance(failed, e.RunFailed)
    assert (failed.step, failed.title) == (2, "The restarts are used up")
    assert_valid_stream(list(read_journal(journal)))
    assert e.from_json(ended.lines[-1]) == failed
    assert not launch_lock_path(folder_of_run("lost")).exists()


def test_processes_that_never_started_a_run_leave_no_journal(cli: Cli, home: Path, lost: Lost, tweets: Path) -> None:
    lost()
    ended = cli("train", *TWO, "--data", tweets, "--run-name", "lost")
    assert ended.code == 1
    assert ended.error_lines[-1] == "tweetgen-tui: A process of the run was lost 4 times. Rank 1 was killed."
    assert not folder_of_run("lost").path.exists()


def test_the_launcher_of_a_screen_prints_the_error_as_an_event(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "available_cores", lambda: 2)
    folder = LaunchFolder.create()
    monkeypatch.setenv(VARIABLE, str(folder.path))
    runtime = RuntimeConfig(device="cpu")
    LaunchOrder(config=RunConfig(run_name="three", runtime=runtime), wanted=3, is_for_screen=True).write(folder)
    ended = cli("train")
    assert ended.code == 1
    [failed] = map(e.from_json, ended.lines)
    assert isinstance(failed, e.RunFailed)
    assert (failed.title, failed.hint) == (DeviceError.title, "Set --nproc-per-node to at most 2.")
    assert not folder.path.exists()
