"""Where things lie, what they may be called, and which run is the latest."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given

from engine import folders
from engine.errors import CheckpointError, ConfigError, StorageError
from engine.folders import RunFolder, checked_name, create_run_folder, find_run, list_runs, named_checkpoint_path
from tests.strategies import hostile_text


def a_run(name: str, changed_at: float) -> RunFolder:
    """Make a run that was last changed at this moment."""
    run = create_run_folder(name)
    run.config_path.write_text("{}")
    os.utime(run.config_path, (changed_at, changed_at))
    return run


# The data folder ------------------------------------------------------------------------------------------------------


def test_the_data_folder_is_the_one_of_the_environment(home: Path) -> None:
    assert folders.home() == home


NAMES_WITH_A_MEANING = ("last", "latest", "best")


@pytest.mark.parametrize("value", [None, ""])
def test_without_it_the_data_folder_is_the_platforms(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("TWEETGEN_HOME")
    if value is not None:
        monkeypatch.setenv("TWEETGEN_HOME", value)
    assert folders.home() == Path(platformdirs.user_data_dir("tweetgen-tui", appauthor=False))


def test_a_tilde_is_the_users_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TWEETGEN_HOME", "~/tweets")
    assert folders.home() == tmp_path / "tweets"


def test_looking_makes_no_folder(home: Path) -> None:
    assert list_runs() == []
    with pytest.raises(CheckpointError):
        find_run("last")
    assert list(home.iterdir()) == []


# Names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a", "A1", "my run", "v1.2-final+more_x", "2026-11-25-101112", "größe", "日本", "x" * 100]
)
def test_a_usual_name_can_be_used(name: str) -> None:
    assert checked_name(name, "run") == name


HOSTILE_NAMES = [
    ".",
    "..",
    ".hidden",
    "-x",
    "a/b",
    "../up",
    "a\\b",
    "a:b",
    "a\nb",
    "a\n",
    "a ",
    " a",
    "a\0b",
    "\x1b[31m",
]


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "日" * 100, *HOSTILE_NAMES])
def test_a_name_that_is_a_path_hidden_or_hostile_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="A run can't be called"):
        checked_name(name, "run")


@given(name=hostile_text(max_pieces=3))
def test_a_name_that_is_not_refused_is_a_file_directly_in_the_folder(name: str) -> None:
    try:
        path = named_checkpoint_path(name)
    except ConfigError:
        return
    assert path.parent == folders.home() / "checkpoints"
    assert path.name == f"{name}.safetensors"
    assert len(path.name.encode()) + 20 <= 255


# Runs -----------------------------------------------------------------------------------------------------------------


def test_a_new_run_has_its_folder_and_one_for_checkpoints(home: Path) -> None:
    run = create_run_folder("mine")
    assert run.name == "mine"
    assert run.path == home / "runs" / "mine"
    assert [path.name for path in run.path.iterdir()] == ["checkpoints"]


def test_what_a_run_keeps_lies_where_the_design_says() -> None:
    run = RunFolder(Path("/x/runs/r"))
    assert run.config_path == Path("/x/runs/r/config.json")
    assert run.journal_path == Path("/x/runs/r/events.jsonl")
    assert run.log_path == Path("/x/runs/r/tweetgen.log")
    assert run.checkpoint_path("best") == Path("/x/runs/r/checkpoints/best.safetensors")


def test_a_name_that_is_taken_is_refused_with_the_way_to_go_on() -> None:
    create_run_folder("mine")
    with pytest.raises(ConfigError, match="already a run called mine") as caught:
        create_run_folder("mine")
    assert "--resume mine" in caught.value.hint


@pytest.mark.parametrize("name", ["last", "a/b", ""])
def test_a_run_cannot_be_called_what_means_something_else(name: str) -> None:
    with pytest.raises(ConfigError):
        create_run_folder(name)


def test_runs_without_a_name_are_called_by_date_and_never_share_a_folder() -> None:
    runs = [create_run_folder(None) for _ in range(5)]
    assert len({run.path for run in runs}) == 5
    assert all(run.name.startswith("20") and checked_name(run.name, "run") for run in runs)


@pytest.mark.parametrize("in_the_way", ["data", "data/runs"])
def test_a_file_in_the_way_of_the_runs_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_the_way: str
) -> None:
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path / "data"))
    (tmp_path / in_the_way).parent.mkdir(exist_ok=True)
    (tmp_path / in_the_way).write_text("in the way")
    for name in (None, "mine"):
        with pytest.raises(StorageError, match="can't be written"):
            create_run_folder(name)


def test_the_latest_run_is_the_one_that_was_changed_last() -> None:
    for name, changed_at in [("one", 100.0), ("three", 300.0), ("two", 200.0)]:
        a_run(name, changed_at)
    assert [run.name for run in list_runs()] == ["three", "two", "one"]
    assert find_run("last").name == "three"
    assert find_run("two").name == "two"


@pytest.mark.parametrize("saved", ["checkpoints/latest.safetensors", "checkpoints/best.safetensors", "events.jsonl"])
def test_whatever_a_run_saves_makes_it_the_latest(saved: str) -> None:
    old, _ = a_run("old", 100.0), a_run("new", 200.0)
    (old.path / saved).write_bytes(b"")
    os.utime(old.path / saved, (300.0, 300.0))
    assert find_run("last") == old
    assert old.last_changed == 300.0


def test_a_folder_without_a_config_is_no_run(home: Path) -> None:
    a_run("real", 100.0)
    (home / "runs" / "empty").mkdir()
    (home / "runs" / "file").write_text("")
    assert [run.name for run in list_runs()] == ["real"]


def test_a_run_that_is_not_there_is_named_with_the_way_to_see_those_that_are() -> None:
    a_run("real", 100.0)
    with pytest.raises(CheckpointError, match="no run called unreal") as caught:
        find_run("unreal")
    assert "runs list" in caught.value.hint


def test_before_the_first_run_last_says_how_to_start_one() -> None:
    with pytest.raises(CheckpointError, match="no run yet") as caught:
        find_run("last")
    assert "tweetgen-tui train" in caught.value.hint


def test_a_run_that_is_deleted_while_the_runs_are_listed_disturbs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    a_run("real", 100.0)
    monkeypatch.setattr(Path, "exists", lambda _: True)  # as each file was a moment ago
    assert [run.name for run in list_runs()] == ["real"]


@pytest.mark.parametrize(("kind", "name"), [("run", "last"), *(("checkpoint", name) for name in NAMES_WITH_A_MEANING)])
def test_what_has_a_meaning_already_can_not_be_a_new_name(kind: str, name: str) -> None:
    with pytest.raises(ConfigError, match=f"A {kind} can't be called {name}"):
        checked_name(name, kind)
    assert checked_name(name + "-2", kind) == name + "-2"
