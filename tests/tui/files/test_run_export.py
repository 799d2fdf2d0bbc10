"""The export of a run has each step and evaluation of its curve once, and says which steps are thinned."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from engine.protocol import events as e
from engine.storage.journal_reader import SkippedLines
from tests.fakes import eval_finished, run_started, steps_finished, steps_thinned, tweet_sampled
from tui.files.run_export import COLUMNS, Thinned, to_csv, to_jsonl


def journal_of(folder: Path, events: Iterable[e.Event]) -> Path:
    path = folder / "events.jsonl"
    path.write_text("".join(e.to_json(event) + "\n" for event in events), encoding="utf-8")
    return path


def rows_of(folder: Path, *events: e.Event) -> tuple[list[dict[str, str]], str]:
    """Return the rows of a table, and the sentence about thinned steps."""
    thinned = Thinned()
    lines = list(to_csv(journal_of(folder, [run_started(), *events]), thinned, SkippedLines()))
    assert lines[0] == ",".join(COLUMNS) + "\n"
    return list(csv.DictReader(lines)), str(thinned)


def loaded(step: int) -> e.CheckpointLoaded:
    return e.CheckpointLoaded(step=step, elapsed_seconds=9.0, name="x", path="x", bits_per_char=None)


def steps_in(rows: Iterable[dict[str, str]]) -> list[tuple[int, float]]:
    return [(int(row["step"]), float(row["train_loss"])) for row in rows if row["kind"] != "evaluation"]


def test_the_table_has_a_row_per_step_bucket_and_evaluation(tmp_path: Path) -> None:
    rows, thinned = rows_of(
        tmp_path,
        steps_thinned(1, 64),
        steps_thinned(65, 100),
        tweet_sampled("hi", 100),
        steps_finished(101, [1.25, 1.5], grad_norms=(0.5, 0.75), elapsed_seconds=8.0),
        eval_finished(102, 2.5),
    )
    assert [row["kind"] for row in rows] == ["bucket", "bucket", "step", "step", "evaluation"]
    bucket, _, step, last, evaluation = rows
    assert {name: bucket[name] for name in COLUMNS[1:11]} == {
        "step": "64",
        "first_step": "1",
        "num_steps": "64",
        "elapsed_seconds": "3.25",
        "train_loss": "2.0",
        "least_loss": "1.5",
        "greatest_loss": "3.0",
        "grad_norm": "1.0",
        "least_grad_norm": "0.5",
        "greatest_grad_norm": "2.5",
    }
    assert (step["first_step"], step["num_steps"], step["elapsed_seconds"]) == ("101", "1", "8.0")
    assert step["train_loss"] == step["least_loss"] == step["greatest_loss"] == "1.25"
    assert (last["grad_norm"], last["learning_rate"], last["val_loss"]) == ("0.75", "0.004", "")
    assert (evaluation["step"], evaluation["train_loss"], evaluation["is_best"]) == ("102", "", "true")
    assert float(evaluation["bits_per_char"]) == 2.5
    assert thinned == "Steps 1 to 100 are thinned: 2 buckets of up to 64 steps."


def test_what_a_load_or_a_resume_takes_back_is_not_in_the_table(tmp_path: Path) -> None:
    rows, thinned = rows_of(
        tmp_path,
        steps_finished(1, [1.0] * 10),
        eval_finished(10, 2.5),
        run_started(step=8, resumed_from="tiny/latest"),
        steps_finished(9, [2.0] * 12),
        loaded(4),
        steps_finished(5, [3.0] * 2),
        loaded(6),
        steps_finished(7, [4.0]),
    )
    assert steps_in(rows) == [*((step, 1.0) for step in range(1, 5)), (5, 3.0), (6, 3.0), (7, 4.0)]
    assert not [row for row in rows if row["kind"] == "evaluation"]
    assert thinned == "No step is thinned."


def test_a_new_run_from_a_checkpoint_takes_nothing_back(tmp_path: Path) -> None:
    rows, _ = rows_of(tmp_path, steps_finished(1, [1.0]), run_started(step=0), steps_finished(2, [2.0]))
    assert steps_in(rows) == [(1, 1.0), (2, 2.0)]


def test_json_lines_are_all_events_of_the_journal(tmp_path: Path) -> None:
    path = journal_of(tmp_path, [run_started(), steps_thinned(1, 64), tweet_sampled("hi"), loaded(4)])
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "damaged\n", encoding="utf-8")
    thinned, skipped = Thinned(), SkippedLines()
    assert "".join(to_jsonl(path, thinned, skipped)) == text
    assert str(thinned) == "Steps 1 to 64 are thinned: 1 buckets of up to 64 steps."
    assert skipped.num_torn == 1
