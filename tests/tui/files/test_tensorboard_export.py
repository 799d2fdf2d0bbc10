"""The export for TensorBoard is read by TensorBoard's own reader, replaces only our files, and shows text as text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import StorageError
from engine.protocol import events as e
from engine.storage.folders import RunFolder
from engine.storage.journal import Journal
from engine.storage.journal_reader import SkippedLines
from tests.event_files import LOSS, VAL_LOSS, read_run, samples_in, scalars_in
from tests.fakes import eval_finished, run_started, steps_finished, steps_thinned, tweet_sampled
from tui.files.run_export import Thinned
from tui.files.tensorboard_export import export_to_tensorboard

HOSTILE = (
    "`````` ``` x",
    "</code></pre><script>alert(1)</script>",
    "# **bold** [a](javascript:alert(1)) &lt; &amp;",
    "    indented\\`",
    "- 1. > | a | b |",
)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "runs" / "tiny")
    folder.path.mkdir(parents=True)
    return folder


def write_journal(run: RunFolder, *events: e.Event) -> None:
    run.journal_path.write_text("".join(e.to_json(event) + "\n" for event in events), encoding="utf-8")


def export(run: RunFolder, directory: Path, *, force: bool = False) -> str:
    """Export a run; return the sentence about thinned steps."""
    thinned = Thinned()
    export_to_tensorboard(run, directory, thinned, SkippedLines(), may_replace=force)
    return str(thinned)


def test_steps_buckets_and_evaluations_are_scalars_and_the_thinned_steps_are_counted_once(
    run: RunFolder, tmp_path: Path
) -> None:
    thinned = steps_thinned(1, 64, elapsed_seconds=1.0)
    write_journal(run, run_started(), thinned, steps_finished(65, [1.5, 1.25]), eval_finished(66, 2.0))
    assert export(run, tmp_path) == "Steps 1 to 64 are thinned: 1 buckets of up to 64 steps."
    found = scalars_in(tmp_path / "tiny")
    assert sorted(found[LOSS]) == [(64, 2.0), (65, 1.5), (66, 1.25)]
    assert dict(found[VAL_LOSS]) == pytest.approx({66: 1.386})


def test_the_points_have_the_time_of_their_session(run: RunFolder, tmp_path: Path) -> None:
    write_journal(
        run,
        run_started(started_at=1000.0),
        steps_finished(1, [2.0], elapsed_seconds=5.0),
        run_started(step=1, elapsed_seconds=5.0, resumed_from="tiny/latest", started_at=9000.0),
        steps_finished(2, [1.0], elapsed_seconds=7.0),
    )
    export(run, tmp_path)
    assert [point.wall_time for point in read_run(tmp_path / "tiny").Scalars(LOSS)] == [1005.0, 9002.0]


def test_a_journal_without_times_ended_when_its_file_was_changed(run: RunFolder, tmp_path: Path) -> None:
    write_journal(
        run, run_started(), steps_finished(1, [2.0], elapsed_seconds=5.0), steps_finished(2, [1.0], elapsed_seconds=9.0)
    )
    os.utime(run.journal_path, (1e9, 1e9))
    export(run, tmp_path)
    assert [point.wall_time for point in read_run(tmp_path / "tiny").Scalars(LOSS)] == [1e9 - 4.0, 1e9]


@pytest.mark.filterwarnings("ignore:html5lib's sanitizer is deprecated")  # TensorBoard's own copy
@pytest.mark.parametrize("text", HOSTILE)
def test_a_tweet_is_shown_literally_whatever_markdown_or_html_it_contains(
    run: RunFolder, tmp_path: Path, text: str
) -> None:
    from tensorboard.plugin_util import markdown_to_safe_html

    write_journal(run, run_started(), tweet_sampled(text, 3))
    export(run, tmp_path)
    [(step, markdown)] = samples_in(tmp_path / "tiny")
    shown = markdown_to_safe_html(markdown)
    literal = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert step == 3
    assert shown == f"<p>temperature 0.8, 2.40 bits per character, new</p>\n<pre><code>{literal}\n</code></pre>"


def test_event_files_are_replaced_only_where_allowed_and_those_of_others_stay(run: RunFolder, tmp_path: Path) -> None:
    write_journal(run, run_started(), steps_finished(1, [2.0]))
    export(run, tmp_path)
    [first] = (tmp_path / "tiny").iterdir()
    with pytest.raises(FileExistsError):
        export(run, tmp_path)
    foreign = tmp_path / "tiny" / "events.out.tfevents.1.other"
    foreign.touch()
    write_journal(run, run_started(), steps_finished(1, [3.0]))
    export(run, tmp_path, force=True)
    assert not first.exists()
    assert foreign.exists()
    assert scalars_in(tmp_path / "tiny")[LOSS] == [(1, 3.0)]


def test_the_event_files_of_an_active_run_are_not_replaced(run: RunFolder, tmp_path: Path) -> None:
    write_journal(run, run_started())
    export(run, tmp_path)
    journal = Journal(run.journal_path)
    try:
        with pytest.raises(StorageError, match="may be writing"):
            export(run, tmp_path, force=True)
        export(run, tmp_path / "other")
    finally:
        journal.close()


def test_an_export_that_fails_leaves_no_file_and_the_earlier_one(run: RunFolder, tmp_path: Path) -> None:
    write_journal(run, run_started())
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="can't be written") as caught:
        export(run, tmp_path / "file")
    assert caught.value.hint == "Choose another folder."
    export(run, tmp_path)
    before = list((tmp_path / "tiny").iterdir())
    run.journal_path.unlink()
    run.journal_path.mkdir()
    with pytest.raises(StorageError):
        export(run, tmp_path, force=True)
    assert list((tmp_path / "tiny").iterdir()) == before
