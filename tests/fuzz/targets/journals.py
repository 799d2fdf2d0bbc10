"""Journals and pins, read as by a resumed run, a replay and the browser, and drawn as by the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.errors import StorageError
from engine.protocol import events
from engine.storage.journal_reader import SkippedLines, read_journal
from tests.fakes import (
    eval_finished,
    run_started,
    steps_finished,
    steps_thinned,
    text_completed,
    tweet_read,
    tweet_sampled,
)
from tests.fuzz.target import Target, require_plain
from tui.files.pins import PinsFile
from tui.run.eta import eta_of
from tui.run.folding import fold
from tui.run.reducer import apply
from tui.run.summary import summary_lines
from tui.run.view import RunView
from tui.widgets.plot.pane import PlotOptions
from tui.widgets.plot.picture import Picture
from tui.widgets.plot.viewport import PlotView
from tui.widgets.status.groups import setup_group, status_groups
from tui.widgets.status.lines import plain
from tui.widgets.status.status_lines import compact_lines

_MAX_EVENTS = 200


def _lines(*those: events.Event) -> bytes:
    return "".join(events.to_json(event) + "\n" for event in those).encode()


def seeds() -> tuple[bytes, ...]:
    """Return journals of several kinds of runs."""
    started = run_started()
    now: dict[str, Any] = {"step": 60, "elapsed_seconds": 5.0}
    steps = [steps_finished(first, [4.0 - first / 50, 3.9]) for first in range(1, 60, 2)]
    thinned = (steps_thinned(1, 64), tweet_sampled("old", 32), steps_thinned(65, 70))
    answers = (tweet_sampled("a b c"), text_completed("so"), tweet_read("so"))
    loaded = events.CheckpointLoaded(step=20, elapsed_seconds=6.0, name="a", path="/a", bits_per_char=2.0, epochs=0.0)
    finished = events.RunFinished(**now, reason="stopped", total_seconds=9.0, total_chars=900)
    changes = (
        events.BatchSizeChanged(**now, batch_size=8, epochs=1.5),
        events.FinishPlanned(**now, last_step=90),
        events.LearningRateChanged(**now, learning_rate=1),
    )
    return (
        _lines(started, *steps, eval_finished(60, 2.5), tweet_sampled("hello", 60), finished),
        _lines(started, *steps[:5], loaded, *steps[5:8], *answers, run_started(resumed_from="x/latest")),
        _lines(started, *thinned, loaded, steps[10], events.Paused(**now)) + b'{"event":"Unknown","step":3}\n',
        _lines(started, *changes, *steps[20:24]),
        _lines(tweet_sampled("pinned", 3), tweet_sampled("also pinned", 9)),
    )


def make(folder: Path) -> Target:
    """Return the target."""
    return Target(name="journals", seeds=seeds(), check=lambda data: _check(folder / "events.jsonl", data))


def _check(path: Path, data: bytes) -> str:
    """Read a journal and draw its run."""
    path.write_bytes(data)
    skipped = SkippedLines()
    events_read = [event for _, event in zip(range(_MAX_EVENTS), read_journal(path, skipped), strict=False)]
    view = RunView()
    for event in events_read:
        view = apply(view, event)
    for drawn in (view, fold(RunView(), events_read)):
        require_plain(_drawn(drawn).replace("\n", ""))
    require_plain(skipped.warning)
    try:
        pins = PinsFile(path).read()
    except StorageError as error:
        require_plain(error.message, error.hint)
        pins = ()
    return f"{' '.join(sorted({type(event).__name__ for event in events_read}))} {skipped.warning} {bool(pins)}"


def _drawn(view: RunView) -> str:
    """Return the text of the panels."""
    picture = Picture()
    picture.draw(view, PlotView(), PlotOptions(), 60, 12)
    rows = picture.with_labels(PlotView(), is_focused=False).text()
    groups = [*status_groups(view, 40), setup_group(view, 40)]
    lines = plain([*(line for group in groups for line in group.lines), *compact_lines(view, 80)])
    return "\n".join([*rows, lines, *summary_lines(view), str(eta_of(view))])
