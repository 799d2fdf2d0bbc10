"""Names of checkpoints are resolved to saved ones, those of runs, or paths."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.checkpoints.catalog import is_taken, iterate_checkpoints, latest_of, list_checkpoints, resolve_checkpoint
from engine.checkpoints.management import delete_checkpoint
from engine.errors import CheckpointError
from engine.storage.folders import RunFolder, create_run_folder, named_checkpoint_path
from tests.engine.checkpoints.saved import write_checkpoint


def save_named(name: str, changed_at: float = 0.0) -> Path:
    path = write_checkpoint(named_checkpoint_path(name))
    os.utime(path, (changed_at, changed_at))
    return path


def save_of_run(run: str, *names: str) -> RunFolder:
    """Create a run with these checkpoints, each later than the one before."""
    folder = create_run_folder(run)
    folder.config_path.write_text("{}")
    for seconds, name in enumerate(names, start=3000):
        os.utime(write_checkpoint(folder.checkpoint_path(name)), (seconds, seconds))
    return folder


def test_the_list_has_checkpoints_saved_by_name_before_those_of_runs_the_latest_first() -> None:
    save_named("old", 1000)
    save_named("new", 2000)
    save_of_run("a run", "best", "latest")

    assert [entry.name for entry in list_checkpoints()] == ["new", "old", "a run/latest", "a run/best"]


def test_the_list_is_read_lazily() -> None:
    """The list is sorted before a file is opened; later files may be deleted meanwhile."""
    old = save_named("old", 1000)
    save_named("new", 2000)
    entries = iterate_checkpoints()
    first = next(entries)
    old.unlink()
    [rest] = entries

    assert (first.name, first.step, first.is_named, first.is_pinned) == ("new", 2, True, False)
    assert (rest.name, rest.info) == ("old", None)
    assert "can't be read" in rest.problem


@pytest.mark.parametrize("name", ["v1.5", "happy.safetensors", "été 2026", "a+b-c_d"])
def test_every_valid_name_is_resolved_and_precedes_a_file_in_the_working_directory(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = save_named(name)
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    Path(name).write_bytes(b"not this one")

    assert is_taken(name)
    assert resolve_checkpoint(name) == path
    assert delete_checkpoint(name) == path
    assert not is_taken(name)


def test_the_name_of_a_run_resolves_to_its_best_or_else_its_latest() -> None:
    with_both, with_latest = save_of_run("one", "latest", "best"), save_of_run("two", "latest")

    assert resolve_checkpoint("one") == with_both.checkpoint_path("best")
    assert resolve_checkpoint("one/latest") == with_both.checkpoint_path("latest")
    assert resolve_checkpoint("two") == with_latest.checkpoint_path("latest")


def test_the_error_of_a_run_without_latest_lists_its_checkpoints() -> None:
    folder = save_of_run("bare", "best", "step-10", "step-20")

    with pytest.raises(CheckpointError, match="bare has no checkpoint latest") as raised:
        latest_of(folder)
    assert raised.value.hint == "Choose another one with --checkpoint: bare/best, bare/step-10, bare/step-20."
    folder.checkpoint_path("best").unlink()
    with pytest.raises(CheckpointError, match="bare has no checkpoint best or latest") as raised:
        resolve_checkpoint("bare")
    assert "bare/step-10" in raised.value.hint
