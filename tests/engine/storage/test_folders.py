"""Paths in the data folder, valid names, and the latest run."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given

from engine.config.run import RunConfig
from engine.errors import ConfigError
from engine.session.startup.preflight import check
from engine.storage import folders
from engine.storage.folders import checked_name, create_run_folder, find_run, list_runs, named_checkpoint_path
from tests.strategies import hostile_text


@pytest.mark.parametrize("value", [None, "", "~/tweets"])
def test_the_data_folder_is_set_by_the_environment_or_the_platform(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TWEETGEN_HOME")
    if value is not None:
        monkeypatch.setenv("TWEETGEN_HOME", value)
    platforms = Path(platformdirs.user_data_dir("tweetgen-tui", appauthor=False))
    assert folders.home() == (tmp_path / "tweets" if value else platforms)


@pytest.mark.parametrize(
    ("kind", "name"), [("run", "last"), ("checkpoint", "last"), ("checkpoint", "latest"), ("checkpoint", "best")]
)
def test_a_reserved_name_is_refused(kind: str, name: str) -> None:
    with pytest.raises(ConfigError, match=f"A {kind} can't be called {name}"):
        checked_name(name, kind)
    assert checked_name(name + "-2", kind) == name + "-2"


@given(name=hostile_text(max_pieces=3))
def test_an_accepted_name_is_a_file_directly_in_the_folder(name: str) -> None:
    try:
        path = named_checkpoint_path(name)
    except ConfigError:
        return
    assert path.parent == folders.home() / "checkpoints"
    assert path.name == f"{name}.safetensors"
    assert len(path.name.encode()) + 20 <= 255


@pytest.mark.parametrize("has_saved", [False, True])
def test_a_taken_name_is_refused_and_resume_is_offered_if_the_run_can_be_resumed(has_saved: bool) -> None:
    run = create_run_folder("mine")
    assert list(run.path.iterdir()) == []
    if has_saved:
        run.config_path.touch()
    for refuse in (lambda: create_run_folder("mine"), lambda: check(RunConfig(run_name="mine"))):
        with pytest.raises(ConfigError, match="already a run called mine") as caught:
            refuse()
        assert ("--resume mine" in caught.value.hint) == has_saved


def test_runs_of_the_same_second_get_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Noon(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override] # of the one way in which it is called
            return datetime(2026, 1, 1, 12, 0, 0)  # noqa: DTZ001 - as the name of a run has it

    monkeypatch.setattr(folders, "datetime", Noon)
    names = [create_run_folder(None).name for _ in range(3)]
    assert names == ["2026-01-01-120000", "2026-01-01-120000-2", "2026-01-01-120000-3"]


def a_run(name: str, changed_at: float) -> None:
    """Create a run that was last changed at this time."""
    path = create_run_folder(name).config_path
    path.write_text("{}")
    os.utime(path, (changed_at, changed_at))


@pytest.mark.parametrize("saved", ["config.json", "checkpoints/latest.safetensors", "events.jsonl"])
def test_the_latest_run_is_the_one_with_the_newest_file(saved: str) -> None:
    for name, changed_at in [("one", 100.0), ("three", 300.0), ("two", 200.0)]:
        a_run(name, changed_at)
    assert [run.name for run in list_runs()] == ["three", "two", "one"]
    one = find_run("one")
    (one.path / saved).parent.mkdir(exist_ok=True)
    (one.path / saved).write_bytes(b"")
    os.utime(one.path / saved, (400.0, 400.0))
    assert find_run("last") == one


def test_a_folder_without_a_config_or_just_deleted_is_not_a_run(home: Path) -> None:
    a_run("real", 100.0)
    a_run("gone", 200.0)
    (home / "runs" / "empty").mkdir()
    (home / "runs" / "file").write_text("")
    gone, real = list_runs()
    gone.config_path.unlink()
    assert (gone.last_changed, list_runs()) == (0.0, [real])
