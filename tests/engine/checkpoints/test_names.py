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


def save_named(name: str) -> Path:
    return write_checkpoint(named_checkpoint_path(name))


def save_of_run(run: str, *names: str) -> Path:
    """Create a run with these checkpoints; return its folder."""
    folder = create_run_folder(run)
    folder.config_path.write_text("{}")
    for name in names:
        write_checkpoint(folder.checkpoint_path(name))
    return folder.path


def test_the_list_has_checkpoints_saved_by_name_before_those_of_runs(home: Path) -> None:
    old, new = save_named("old"), save_named("new")
    run = save_of_run("a run", "latest", "best")
    os.utime(old, (1000, 1000))
    os.utime(new, (2000, 2000))
    os.utime(run / "checkpoints" / "best.safetensors", (3000, 3000))
    os.utime(run / "checkpoints" / "latest.safetensors", (4000, 4000))

    assert [entry.name for entry in list_checkpoints()] == ["new", "old", "a run/latest", "a run/best"]


def test_the_list_is_read_lazily(home: Path) -> None:
    """The list is sorted before a file is opened; later files may be deleted meanwhile."""
    old, new = save_named("old"), save_named("new")
    os.utime(old, (1000, 1000))
    os.utime(new, (2000, 2000))
    entries = iterate_checkpoints()
    first = next(entries)
    old.unlink()
    rest = list(entries)

    assert (first.name, first.step, first.is_named, first.is_pinned) == ("new", 2, True, False)
    assert [(entry.name, entry.info) for entry in rest] == [("old", None)]
    assert "can't be read" in rest[0].problem


def test_a_listed_name_takes_precedence_over_a_file_in_the_working_directory(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_named("mine")
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    Path("mine").write_bytes(b"not this one")

    assert resolve_checkpoint("mine") == path


@pytest.mark.parametrize("name", ["v1.5", "happy.safetensors", "été 2026", "a+b-c_d"])
def test_every_valid_name_can_be_resolved(home: Path, name: str) -> None:
    path = save_named(name)

    assert is_taken(name)
    assert resolve_checkpoint(name) == path
    assert delete_checkpoint(name) == path
    assert not is_taken(name)


def test_the_name_of_a_run_resolves_to_its_best_or_else_its_latest(home: Path) -> None:
    with_both, with_latest = save_of_run("one", "latest", "best"), save_of_run("two", "latest")

    assert resolve_checkpoint("one") == with_both / "checkpoints" / "best.safetensors"
    assert resolve_checkpoint("one/latest") == with_both / "checkpoints" / "latest.safetensors"
    assert resolve_checkpoint("two") == with_latest / "checkpoints" / "latest.safetensors"


def test_the_error_of_a_run_without_latest_lists_its_checkpoints() -> None:
    folder = save_of_run("bare", "best", "step-10", "step-20")

    with pytest.raises(CheckpointError, match="bare has no checkpoint latest") as raised:
        latest_of(RunFolder(folder))
    assert raised.value.hint == "Choose another one with --checkpoint: bare/best, bare/step-10, bare/step-20."
    (folder / "checkpoints" / "best.safetensors").unlink()
    with pytest.raises(CheckpointError, match="bare has no checkpoint best or latest") as raised:
        resolve_checkpoint("bare")
    assert "bare/step-10" in raised.value.hint
