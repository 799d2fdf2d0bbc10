"""Checkpoints are deleted, renamed, pinned, exported, imported, and pruned as the run is set, and never lost."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.checkpoints.catalog import list_checkpoints, pin_path
from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.management import (
    delete_checkpoint,
    export_bytes,
    export_checkpoint,
    import_checkpoint,
    rename_checkpoint,
    set_pinned,
)
from engine.checkpoints.metadata import read_info
from engine.checkpoints.retention import prune_steps
from engine.errors import CheckpointError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import Event
from engine.storage.folders import RunFolder, create_run_folder, folder_of_run, named_checkpoint_path
from engine.storage.journal import Journal
from tests.engine.checkpoints.saved import write_checkpoint
from tests.engine.helpers import Script, assert_same_tensors, of_type, run_session, tiny_config


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
    with pytest.raises(CheckpointError, match="no checkpoint called gone"):
        rename_checkpoint("gone", "another")
    assert (mine.read_bytes(), other.read_bytes()) == (content, before)
    assert rename_checkpoint("mine", "my best").read_bytes() == content
    assert names() == {"my best": True, "other": False}
    assert sorted(path.suffix for path in mine.parent.glob("my*")) == [".pinned", ".safetensors"]


@pytest.mark.parametrize("name", ["one/latest", "one/best"])
def test_the_checkpoints_of_an_active_run_are_protected(run: RunFolder, name: str) -> None:
    journal = Journal(run.journal_path)
    with pytest.raises(CheckpointError, match="its run is active"):
        delete_checkpoint(name)
    with pytest.raises(CheckpointError, match="its run is active"):
        set_pinned(name, is_pinned=True)
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


# Checkpoints by steps -------------------------------------------------------------------------------------------------


def steps_in(run: RunFolder) -> list[int]:
    """Return the steps of the existing checkpoints `step-N`."""
    paths = run.checkpoint_path("latest").parent.glob("step-*.safetensors")
    return sorted(int(path.stem[5:]) for path in paths if path.stem[5:].isdecimal())


@pytest.mark.parametrize(
    ("there", "pinned", "keep", "step", "left"),
    [
        pytest.param((1, 2, 3, 10, 20), (), 2, 20, [10, 20], id="the oldest go"),
        pytest.param((1, 2, 3), (), 3, 3, [1, 2, 3], id="few stay"),
        pytest.param((1, 2, 3), (), 0, 3, [1, 2, 3], id="0 keeps all"),
        pytest.param((1, 2, 3, 4), (1, 4), 1, 4, [1, 3, 4], id="a pinned one neither goes nor counts"),
        pytest.param((100, 200, 800, 900), (), 2, 200, [100, 200], id="steps abandoned by loading go first"),
    ],
)
def test_as_many_step_checkpoints_are_kept_as_configured_and_all_other_files(
    tmp_path: Path, there: tuple[int, ...], pinned: tuple[int, ...], keep: int, step: int, left: list[int]
) -> None:
    run = RunFolder(tmp_path / "run")
    run.checkpoint_path("latest").parent.mkdir(parents=True)
    for name in ("latest", "best", "step-old", *(f"step-{number}" for number in there)):
        run.checkpoint_path(name).write_bytes(b"x")
    for number in pinned:
        pin_path(run.checkpoint_path(f"step-{number}")).touch()
    prune_steps(run, keep, step)
    assert steps_in(run) == left
    assert {path.stem for path in run.checkpoint_path("latest").parent.iterdir()} >= {"latest", "best", "step-old"}


def test_a_run_saves_every_save_every_steps_and_keeps_the_loaded_one_and_the_state_before_the_load(
    corpus: Path,
) -> None:
    run = folder_of_run("tiny")
    after_load: list[list[int]] = []

    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.CheckpointLoaded):
            after_load.append(steps_in(run))
        return ()

    config = tiny_config(corpus, save_every=2, keep_checkpoints=3)
    emitted = run_session(config, {9: [c.LoadCheckpoint(name="tiny/step-4")]}, on_event)

    saved = [event.name for event in of_type(emitted, e.CheckpointSaved) if event.name.startswith("step-")]
    first = ["step-2", "step-4", "step-6", "step-8", "step-9-before-load"]
    assert saved == [*first, "step-6", "step-8", "step-10", "step-12"]
    assert after_load == [[4, 6, 8]]
    assert steps_in(run) == [4, 8, 10, 12]
    assert [read_info(run.checkpoint_path(name))[0].step for name in ("step-9-before-load", "step-10")] == [9, 10]


def test_the_states_before_loads_at_one_step_replace_no_checkpoint_and_outlive_retention(corpus: Path) -> None:
    folder = folder_of_run("tiny")
    loads: list[e.CheckpointLoaded] = []

    def on_event(event: Event) -> Iterable[Command]:
        match event:
            case e.CheckpointLoaded():
                loads.append(event)
                return [c.SetLearningRate(learning_rate=0.05)] if len(loads) == 1 else []
            case e.StepsFinished(step=5) if len(loads) == 1:
                return [c.LoadCheckpoint(name="two")]
        return ()

    script: Script = {2: [c.SaveCheckpoint(name="two")], 5: [c.LoadCheckpoint(name="two")]}
    run_session(tiny_config(corpus, save_every=1, keep_checkpoints=1), script, on_event)

    before, again = (folder.checkpoint_path(f"step-5-before-load{end}") for end in ("", "-2"))
    assert len(loads) == 2
    assert steps_in(folder) == [12]
    assert [read_info(path)[0].step for path in (before, again)] == [5, 5]
    assert read_info(before)[0].training.learning_rate != 0.05 == read_info(again)[0].training.learning_rate


def test_a_pinned_step_is_not_replaced_when_the_run_comes_by_again(corpus: Path) -> None:
    path = folder_of_run("tiny").checkpoint_path("step-4")
    pinned: list[bytes] = []

    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.CheckpointSaved) and event.name == "step-4":
            pin_path(path).touch()
            pinned.append(path.read_bytes())
        return ()

    script: Script = {2: [c.SaveCheckpoint(name="two")], 6: [c.LoadCheckpoint(name="two")]}
    emitted = run_session(tiny_config(corpus, save_every=4), script, on_event)

    assert [warned.message for warned in of_type(emitted, e.Warned)] == ["step-4 is pinned, so it is not replaced."]
    assert [path.read_bytes()] == pinned
