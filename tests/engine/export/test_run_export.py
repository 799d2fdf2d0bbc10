"""Each step and evaluation of a run once, as a table and as event files for TensorBoard."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.errors import StorageError
from engine.export.tensorboard import export_to_tensorboard
from engine.export.text_files import Thinned
from engine.export.text_files import run_to_csv as to_csv
from engine.protocol import codec
from engine.protocol import events as e
from engine.storage.folders import RunFolder
from engine.storage.journal import Journal, SkippedLines
from tests.event_files import LOSS, VAL_LOSS, read_run, scalars_in
from tests.fakes import checkpoint_loaded, eval_finished, run_started, steps_finished, steps_thinned, tweet_sampled

RUNS: dict[str, list[e.Event]] = {
    "buckets, steps and an evaluation": [
        steps_thinned(1, 64),
        steps_thinned(65, 100),
        tweet_sampled("hi", 100),
        steps_finished(101, [1.25, 1.5], grad_norms=(0.5, 0.75), learning_rates=(0.002, 0.001), elapsed_seconds=8.0),
        eval_finished(102, 2.5),
    ],
    "a resume and loads that take steps back": [
        steps_finished(1, [1.0] * 10),
        eval_finished(10, 2.5),
        run_started(step=8, resumed_from="tiny/latest"),
        steps_finished(9, [2.0] * 12),
        checkpoint_loaded(4, "x"),
        steps_finished(5, [3.0] * 2),
        checkpoint_loaded(6, "x"),
        steps_finished(7, [4.0]),
    ],
    "a new run from a checkpoint, which takes nothing back": [
        steps_finished(1, [1.0]),
        run_started(step=0),
        steps_finished(2, [2.0]),
    ],
}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "runs" / "tiny")
    folder.path.mkdir(parents=True)
    return folder


def write_journal(run: RunFolder, *events: e.Event) -> None:
    run.journal_path.write_text("".join(codec.encode(event) + "\n" for event in events), encoding="utf-8")


@pytest.mark.parametrize("name", RUNS)
def test_the_table_has_what_was_not_taken_back(run: RunFolder, name: str, snapshot: SnapshotAssertion) -> None:
    write_journal(run, run_started(), *RUNS[name])
    thinned = Thinned()
    table = "".join(to_csv(run.journal_path, thinned, SkippedLines()))
    assert f"{table}\n{thinned}" == snapshot


def export(run: RunFolder, directory: Path, *, force: bool = False) -> str:
    """Export a run; return the sentence about thinned steps."""
    thinned = Thinned()
    export_to_tensorboard(run, directory, thinned, SkippedLines(), may_replace=force)
    return str(thinned)


def test_scalars_have_the_time_of_their_session_and_thinned_steps_count_once(run: RunFolder, tmp_path: Path) -> None:
    write_journal(
        run,
        run_started(started_at=1000.0),
        steps_thinned(1, 64, elapsed_seconds=1.0),
        steps_finished(65, [1.5], elapsed_seconds=5.0),
        run_started(step=65, elapsed_seconds=5.0, resumed_from="tiny/latest", started_at=9000.0),
        steps_finished(66, [1.25], elapsed_seconds=7.0),
        eval_finished(66, 2.0),
    )
    assert export(run, tmp_path) == "Steps 1 to 64 are thinned: 1 buckets of up to 64 steps."
    points = read_run(tmp_path / "tiny").Scalars(LOSS)
    found = sorted((point.step, point.value, point.wall_time) for point in points)
    assert found == [(64, 2.0, 1001.0), (65, 1.5, 1005.0), (66, 1.25, 9002.0)]
    assert dict(scalars_in(tmp_path / "tiny")[VAL_LOSS]) == pytest.approx({66: 1.386})


def test_event_files_are_replaced_where_allowed_and_no_others(run: RunFolder, tmp_path: Path) -> None:
    write_journal(run, run_started(), steps_finished(1, [2.0]))
    export(run, tmp_path)
    [first] = (tmp_path / "tiny").iterdir()
    with pytest.raises(FileExistsError):
        export(run, tmp_path)
    foreign = tmp_path / "tiny" / "events.out.tfevents.1.other"
    foreign.touch()
    write_journal(run, run_started(), steps_finished(1, [3.0]))
    with contextlib.closing(Journal(run.journal_path)):
        with pytest.raises(StorageError, match="may be writing"):
            export(run, tmp_path, force=True)
        export(run, tmp_path / "other")
    assert first.exists()
    export(run, tmp_path, force=True)
    assert not first.exists()
    assert foreign.exists()
    assert scalars_in(tmp_path / "tiny")[LOSS] == [(1, 3.0)]

    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="can't be written") as caught:
        export(run, tmp_path / "file")
    assert caught.value.hint == "Choose another folder."
    before = sorted((tmp_path / "tiny").iterdir())
    run.journal_path.unlink()
    run.journal_path.mkdir()
    with pytest.raises(StorageError):
        export(run, tmp_path, force=True)
    assert sorted((tmp_path / "tiny").iterdir()) == before
