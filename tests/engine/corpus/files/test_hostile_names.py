"""No name of a run, checkpoint or data set reaches outside the data folder, whoever supplies it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.checkpoints.catalog import find_listed, is_taken, list_checkpoints
from engine.checkpoints.management import delete_checkpoint, import_checkpoint, rename_checkpoint, set_pinned
from engine.checkpoints.preview import sample_of
from engine.config.run import RunConfig
from engine.corpus.download.catalog import find_dataset
from engine.errors import TweetgenError
from engine.model.vocab import SPECIALS
from engine.protocol.events import to_json
from engine.session.startup.preflight import check
from engine.storage.folders import create_run_folder, find_run, folder_of_run, named_checkpoint_path
from tests.engine.checkpoints.saved import checkpoint_info, write_checkpoint
from tests.fakes import run_started, tweet_sampled

NAMES = (
    *("../victim", "a/../../victim", "../runs/a run/latest", "a run/../../../victim", "/tmp/victim", "~/victim", ".."),
    *("", ".pinned", "a\0b", "\x1b[2J", "\u202evictim", "\ud800", "x" * 5000, "é" * 101),
)
USES: tuple[Callable[[str], object], ...] = (
    *(named_checkpoint_path, delete_checkpoint, create_run_folder, find_run, folder_of_run, find_dataset),
    lambda name: import_checkpoint(find_listed("mine"), name, replace=True),
    lambda name: rename_checkpoint("mine", name),
    lambda name: rename_checkpoint(name, "other"),
    lambda name: set_pinned(name, is_pinned=True),
    lambda name: set_pinned(name, is_pinned=False),
    lambda name: check(RunConfig(run_name=name)),
    lambda name: RunConfig(preset=name),  # type: ignore[arg-type] # an invalid value
    lambda name: RunConfig(settings={name: 1}),
)


def tree(folder: Path) -> dict[Path, bytes | None]:
    """Return all files and folders with the files' content."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The parent of a data folder that has a checkpoint and a run; other files are around it."""
    around = tmp_path / "around"
    data = around / "data"
    (data / "checkpoints").mkdir(parents=True)
    monkeypatch.setenv("TWEETGEN_HOME", str(data))
    monkeypatch.setenv("HOME", str(around))
    monkeypatch.chdir(around)
    write_checkpoint(named_checkpoint_path("mine"))
    run = create_run_folder("a run")
    run.config_path.write_text("{}")
    write_checkpoint(run.checkpoint_path("latest"))
    for place in (around, data, data / "runs"):
        for name in ("victim", "latest"):
            write_checkpoint(place / f"{name}.safetensors")
    return around


def test_an_invalid_name_is_refused_and_changes_nothing(around: Path) -> None:
    before = tree(around)
    for name in NAMES:
        for use in USES:
            with pytest.raises(TweetgenError):
                use(name)
        assert not is_taken(name)
    assert tree(around) == before


@pytest.mark.parametrize("run", ["../victim", "..", ".", "/tmp/victim", "a\0b", "../../elsewhere", "a run"])
def test_the_run_of_a_checkpoint_is_searched_in_the_data_folder_only(around: Path, run: str) -> None:
    (around / "elsewhere").mkdir()
    started = run_started(corpus="small.txt", vocab_size=len(SPECIALS) + len(checkpoint_info().vocab))
    journal = f"{to_json(started)}\n{to_json(tweet_sampled('stolen', 1, elapsed_seconds=0.5))}\n"
    for place in (around, around / "elsewhere", around / "data", around / "data" / "runs" / "a run"):
        (place / "events.jsonl").write_text(journal)
    write_checkpoint(named_checkpoint_path("mine"), run=run)
    [entry] = [entry for entry in list_checkpoints() if entry.name == "mine"]
    assert entry.problem == ""
    assert (sample_of(entry) is not None) == (run == "a run")
