"""Checkpoints are deleted, renamed, pinned, exported and imported, and never lost."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.checkpoints.catalog import list_checkpoints
from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.management import (
    delete_checkpoint,
    export_bytes,
    export_checkpoint,
    import_checkpoint,
    rename_checkpoint,
    set_pinned,
)
from engine.errors import CheckpointError
from engine.storage.folders import RunFolder, create_run_folder, named_checkpoint_path
from engine.storage.journal import Journal
from tests.engine.checkpoints.saved import write_checkpoint
from tests.engine.helpers import assert_same_tensors


@pytest.fixture
def mine(home: Path) -> Path:
    """The file of a checkpoint saved as `mine`."""
    return write_checkpoint(named_checkpoint_path("mine"))


@pytest.fixture
def run(home: Path) -> RunFolder:
    """A run `one` with `latest` and `best`."""
    folder = create_run_folder("one")
    folder.config_path.write_text("{}")
    for name in ("latest", "best"):
        write_checkpoint(folder.checkpoint_path(name))
    return folder


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the data folder."""
    return tmp_path_factory.mktemp("elsewhere")


def names() -> dict[str, bool]:
    """Return the listed names, and whether each is pinned."""
    return {entry.name: entry.is_pinned for entry in list_checkpoints()}


def test_renaming_keeps_content_and_pin_and_is_refused_for_an_existing_name(mine: Path) -> None:
    content = mine.read_bytes()
    other = write_checkpoint(named_checkpoint_path("other"), step=7)
    before = other.read_bytes()
    set_pinned("mine", is_pinned=True)

    with pytest.raises(CheckpointError, match="already a checkpoint called other"):
        rename_checkpoint("mine", "other")
    assert (mine.read_bytes(), other.read_bytes()) == (content, before)

    assert rename_checkpoint("mine", "my best").read_bytes() == content
    assert names() == {"my best": True, "other": False}
    assert sorted(path.suffix for path in mine.parent.glob("my*")) == [".pinned", ".safetensors"]


@pytest.mark.parametrize("name", ["gone", "../mine"])
def test_only_listed_checkpoints_can_be_renamed_pinned_or_deleted(mine: Path, name: str) -> None:
    for change in (
        lambda: rename_checkpoint(name, "other"),
        lambda: set_pinned(name, is_pinned=True),
        lambda: delete_checkpoint(name),
    ):
        with pytest.raises(CheckpointError, match="no checkpoint called"):
            change()
    assert mine.is_file()


@pytest.mark.parametrize("name", ["one/latest", "one/best"])
def test_the_checkpoints_of_an_active_run_are_protected(run: RunFolder, name: str) -> None:
    journal = Journal(run.journal_path)
    for change in (lambda: delete_checkpoint(name), lambda: set_pinned(name, is_pinned=True)):
        with pytest.raises(CheckpointError, match="its run is active"):
            change()
    journal.close()

    set_pinned(name, is_pinned=True)
    set_pinned(name, is_pinned=False)
    delete_checkpoint(name)
    assert name not in names()


def test_export_and_import_change_nothing_but_the_imported_flag(mine: Path, elsewhere: Path) -> None:
    exported = export_checkpoint("mine", elsewhere / "copy.safetensors", replace=False)
    back, own = load_checkpoint(import_checkpoint(exported, "back", replace=False)), load_checkpoint(mine)

    assert exported.read_bytes() == mine.read_bytes() == export_bytes("mine")
    assert back.info == replace(own.info, is_imported=True)
    assert_same_tensors(back.tensors, own.tensors)
    assert names() == {"back": False, "mine": False}
    (elsewhere / "usual").touch()
    assert stat.S_IMODE(exported.stat().st_mode) == stat.S_IMODE((elsewhere / "usual").stat().st_mode)


def test_into_a_folder_a_checkpoint_is_exported_under_its_name(mine: Path, run: RunFolder, elsewhere: Path) -> None:
    assert export_checkpoint("mine", elsewhere, replace=False) == elsewhere / "mine.safetensors"
    assert export_checkpoint("one/best", elsewhere, replace=False) == elsewhere / "one-best.safetensors"
    assert export_checkpoint("one", elsewhere, replace=True) == elsewhere / "one-best.safetensors"


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "text": lambda path: path.write_text("good morning"),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_broken_file_is_neither_imported_nor_exported(
    home: Path, mine: Path, elsewhere: Path, damage: Callable[[Path], object]
) -> None:
    source = write_checkpoint(elsewhere / "other.safetensors")
    damage(source)
    before = sorted(home.rglob("*"))

    with pytest.raises(CheckpointError) as raised:
        import_checkpoint(source, "other", replace=False)
    assert str(source) in raised.value.message
    assert sorted(home.rglob("*")) == before
    with pytest.raises(CheckpointError):
        export_checkpoint(str(source), elsewhere / "copy", replace=False)
    assert not (elsewhere / "copy").exists()
