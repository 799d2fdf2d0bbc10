"""The state of a run as text: status, header, end bar and step bar; and the stages before its first step."""

from __future__ import annotations

import io
import queue
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from difflib import ndiff

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from syrupy.assertion import SnapshotAssertion
from textual.strip import Strip

from engine.config.run import TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.progress import Stage as Moment
from engine.protocol import events as e
from engine.protocol.commands import Command
from tests import fakes
from tests.fakes import checkpoint_saved, eval_finished, paused, run_failed, run_finished, run_started, steps_finished
from tests.tui.conftest import DEADLINE_SECONDS, Stage, screen_text, shows, text_of, toasted, trained_by, wait_until
from tui.cli.output.progress_display import ProgressDisplay
from tui.cli.output.run_progress import RunProgress
from tui.run.fold import fold
from tui.run.marks import Baseline, Mark
from tui.run.series import Series
from tui.run.view import RunView
from tui.text.cells import plain
from tui.text.numbers import LossUnit
from tui.widgets.bars import StepBar, outcome_texts, step_text
from tui.widgets.key_bar import KeyBar
from tui.widgets.line_view import changed_cells
from tui.widgets.panels import Panels
from tui.widgets.status.facts import facts, two_lines
from tui.widgets.status.header import header_line
from tui.widgets.status.side_panel import Group, column_cells, groups_of, page_lines, paged
from tui.widgets.status.stage_hint import report_lines

STEPS = steps_finished(1, [1.702] * 600, elapsed_seconds=3723.0)
UNIGRAM, SIX_GRAM = Baseline(name="unigram", bits_per_char=4.4), Baseline(name="6-gram", bits_per_char=2.4)


def view_after(*events: e.Event) -> RunView:
    return fold(RunView(), events)


def before_evaluation(training: TrainingConfig | None = None) -> RunView:
    return view_after(run_started(training=training or TrainingConfig()), STEPS)


def running(training: TrainingConfig | None = None, sampling: SamplingConfig | None = None) -> RunView:
    started = run_started(training=training or TrainingConfig(), sampling=sampling or SamplingConfig())
    evaluated = (eval_finished(500, 2.49), eval_finished(600, 2.51, is_best=False))
    return replace(view_after(started, STEPS, *evaluated, checkpoint_saved(550)), step=600, elapsed_seconds=3723.0)


def running_together(num_ranks: int, num_hosts: int = 1, *, is_measured: bool = True) -> RunView:
    """Return a run of several processes, the last of which waits least."""
    started = run_started(world_size=num_ranks, backend="gloo")
    shares = [0.12 + 0.01 * (num_ranks - rank) for rank in range(1, num_ranks + 1)]
    return replace(running(), started=started, ranks=fakes.ranks_measured(shares if is_measured else (), num_hosts))


def groups(view: RunView, width: int, unit: LossUnit = "bits") -> list[Group]:
    return groups_of(facts(view, unit), view.progress, width)


def status_text(view: RunView, unit: LossUnit = "bits") -> list[str]:
    """Return all groups in a column of 38 cells, then the lines of a terminal of 100 columns."""
    texts = [f"[{group.name}] {group.note}\n{plain(group.lines)}" for group in groups(view, 38, unit)]
    lines = "\n".join([*texts, "[100 columns]", plain(two_lines(view, 100, unit))]).splitlines()
    return [line.rstrip() for line in lines]


NAMES = ("at-100", "at-200", "step-512-before-load", "a name of forty characters, all in a row")
NAMED = tuple(Mark(step=100 * number, kind="saved", label=f"saved {name}") for number, name in enumerate(NAMES, 1))
LEVELS = {
    "to beat": replace(running(), baselines=(replace(UNIGRAM, crossed_at=40), SIX_GRAM)),
    "all beaten": replace(
        running(), baselines=(replace(UNIGRAM, crossed_at=40), replace(SIX_GRAM, bits_per_char=2.6, crossed_at=500))
    ),
    "all beaten once, and one to beat again": replace(
        running(), baselines=(replace(UNIGRAM, crossed_at=40), replace(SIX_GRAM, bits_per_char=2.5, crossed_at=500))
    ),
    "before an evaluation": replace(running(), baselines=(UNIGRAM, SIX_GRAM), val_points=()),
    "train below all before an evaluation": replace(
        running(), baselines=(replace(SIX_GRAM, bits_per_char=5.0),), val_points=()
    ),
}
FIRST_EVALUATION = {
    "usual": None,
    "700 steps": TrainingConfig(max_steps=700),
    "1.5 epochs": TrainingConfig(epochs=1.5),
    "every 650 steps": TrainingConfig(max_steps=2000, eval_every=650),
    "early ones": TrainingConfig(eval_every=2000, early_eval_tweets=250),
    "never": TrainingConfig(eval_every=0),
}
ESTIMATE = structs.replace(eval_finished(64, 3.01, is_best=False), is_early=True)
DRAW = SamplingConfig(temperature=1.05, top_k=40, prime="good [/b] morning")
FILTER = replace(DRAW, top_p=0.9, min_p=0.1, temperature_last=True, only_new=True, avoid=("a", "b"))
WARM = (run_started(is_warm_start=True), run_started(step=600, epochs=1.01, resumed_from=f"{run_started().run}/latest"))
DROPPED = (("near-duplicate", 583), ("over 140 characters", 9), ("empty", 6), ("only a link", 1), ("duplicate", 1))
VIEWS = {
    **{f"levels, {name}": view for name, view in LEVELS.items()},
    **{f"first evaluation, {name}": before_evaluation(training) for name, training in FIRST_EVALUATION.items()},
    "first evaluation, one tweet": replace(before_evaluation(), started=run_started(num_train_tweets=1)),
    "a best evaluation": fold(before_evaluation(), [eval_finished(600, 2.49)]),
    "early evaluation": view_after(run_started(), ESTIMATE),
    "an evaluation after it": view_after(run_started(), ESTIMATE, eval_finished(600, 2.51, is_best=False)),
    "draw of characters": running(sampling=DRAW),
    "filter": running(sampling=FILTER),
    "from the shipped model, resumed": view_after(*WARM),
    "from a checkpoint": view_after(run_started(resumed_from="my/best")),
    "named checkpoints": replace(running(), marks=NAMED),
    "rows left out": replace(
        running(),
        started=run_started(num_rows=20_600, dropped=DROPPED),
    ),
    "speed limit": running(TrainingConfig(steps_per_second=5.0)),
    "2 ranks": running_together(2),
    "2 ranks, not measured": running_together(2, is_measured=False),
    "16 ranks": running_together(16, 2),
    "half of a budget": running(TrainingConfig(max_steps=1200)),
    "steps used up": running(TrainingConfig(max_steps=600)),
    "seconds used up": running(TrainingConfig(max_seconds=60)),
    "ended": fold(running(TrainingConfig(max_steps=1200)), [run_finished(600)]),
}


def test_the_status_has_every_value(snapshot: SnapshotAssertion) -> None:
    assert "\n".join(status_text(running())) == snapshot
    assert "\n".join(status_text(running(), "nats")) == snapshot(name="nats")


def test_the_status_shows_what_is_special_about_a_run(snapshot: SnapshotAssertion) -> None:
    """Recorded are the lines in which each view differs from the usual one."""
    usual, lines = status_text(running()), []
    for name, view in VIEWS.items():
        lines += [f"# {name}", *(line for line in ndiff(usual, status_text(view)) if line[0] in "+-")]
    assert "\n".join(lines) == snapshot


def test_two_lines_have_what_fits_and_count_the_rest(snapshot: SnapshotAssertion) -> None:
    views = {"usual": running(), **{name: VIEWS[name] for name in ("speed limit", "filter", "2 ranks")}}
    falling = replace(running(), train_losses=Series.empty().extended(1, range(600, 0, -1)))
    lines = []
    for width in (38, 78, 118):
        for name, view in views.items():
            lines += [f"# {name}, {width} columns", plain(two_lines(view, width))]
        curve = plain(two_lines(falling, width, has_curve=True)[:1])
        lines += [f"# with a small curve, {width} columns", curve]
    assert "\n".join(lines) == snapshot


@given(st.integers(30, 200))
def test_fields_of_the_lines_are_dropped_whole_and_counted(width: int) -> None:
    view = running()
    num_all = len(list(facts(view, "bits"))) + 1
    first, second = (plain([line]) for line in two_lines(view, width))
    whole = [plain([line]) for line in two_lines(view, 1000)]
    gap = "   " if width >= 60 else " "
    text, _, rest = second.rpartition("+")
    assert max(map(cell_len, (first, second))) <= width
    if width >= 60:
        shown = [*first.split(gap), *text.strip().split(gap)]
        assert all(field in " ".join(whole) for field in shown)
        assert rest == f"{num_all - len(shown)} values  h"


@given(st.integers(20, 90), st.integers(3, 40))
def test_every_line_of_every_group_is_on_some_page_whose_last_row_names_groups_of_the_others(
    width: int, height: int
) -> None:
    view = running(TrainingConfig(max_steps=1200))
    cells = column_cells(width)
    pages = paged(groups(view, cells), width, height)
    shown = [page_lines(pages, number, width, height) for number in range(len(pages))]
    assert all(cell_len(plain([line])) <= width for lines in shown for line in lines)
    assert all(len(lines) == height for lines in shown)
    text = plain([line for lines in shown for line in lines])
    assert all(plain([line]) in text for group in groups(view, cells) for line in group.lines)
    for number, lines in enumerate(shown if len(pages) > 1 else ()):
        others = list(dict.fromkeys(name for each in [*pages[number + 1 :], *pages[:number]] for name in each.names))
        count, _, named = plain(lines[-1:]).removesuffix("  h").partition(": ")
        assert count == f"+{len(others)} more"
        assert ", ".join(others).startswith(named.removesuffix(" …"))
        assert named.endswith(" …") or not named or named == ", ".join(others)


def test_changed_cells_are_exact_and_lines_with_wide_characters_change_whole() -> None:
    red, plain_style = Style(color="red"), Style()

    def cells(*texts: str) -> Strip:
        return Strip([Segment(text, style) for text, style in zip(texts, (plain_style, red), strict=True)])

    def changed(old: Strip, new: Strip) -> list[tuple[int, int]]:
        return list(changed_cells(old, new))

    old = cells("abcd", "ef")
    assert changed(old, cells("abcd", "ef")) == []
    assert changed(old, cells("abXd", "ef")) == [(2, 3)]
    assert changed(old, cells("abcde", "f")) == [(4, 5)]
    assert changed(old, cells("ab日d", "e")) == [(0, 6)]
    assert changed(cells("a日e\u0347c", "d"), cells("a日e\u0347c", "X")) == [(0, 6)], "a wide one and a mark"
    far = " " * 40
    assert changed(cells("ab" + far, "e"), cells("Xb" + far, "Y")) == [(0, 1), (42, 43)], "what is far apart"


# Bars -----------------------------------------------------------------------------------------------------------------

ONE_TWEET = view_after(run_started(num_train_tweets=1, num_val_tweets=0), STEPS, paused(600, 9.0))
HEADERS = {
    "training": (before_evaluation(), ""),
    "paused": (replace(before_evaluation(), phase="paused"), ""),
    "replay": (replace(before_evaluation(), is_replay=True), ""),
    "attached": (before_evaluation(), "attached, 2 screens"),
    "one tweet": (ONE_TWEET, ""),
    "long name": (view_after(run_started(corpus="happy tweets (embedded, synthetic)"), STEPS), ""),
    "endless name": (view_after(run_started(corpus="x" * 200), STEPS), ""),
    "last step of a budget, evaluating": (before_evaluation(TrainingConfig(max_steps=600)), ""),
    "last second of a budget, evaluating": (before_evaluation(TrainingConfig(max_seconds=3723)), ""),
    "one step before": (before_evaluation(TrainingConfig(max_steps=601)), ""),
    "budget used up": (replace(before_evaluation(TrainingConfig(max_steps=600)), phase="paused"), ""),
}


def test_the_header_leaves_out_device_model_and_counts_first(snapshot: SnapshotAssertion) -> None:
    lines = []
    for name, (view, badge) in HEADERS.items():
        widths = (200, 120, 100, 80, 72, 71, 48, 40) if name == "training" else (120, 80, 40)
        lines += [f"# {name}", *(f"{width:3} {plain([header_line(view, badge, width)])}|" for width in widths)]
    assert "\n".join(lines) == snapshot


@given(st.integers(40, 220), st.text(max_size=80), st.sampled_from(["", "read-only", "attached, 12 screens"]))
def test_the_header_fills_its_width_with_any_corpus(width: int, corpus: str, badge: str) -> None:
    view = view_after(run_started(corpus=corpus), steps_finished(600, [1.7], elapsed_seconds=3723.0))
    assert sum(cell_len(segment.text) for segment in header_line(view, badge, width)) == width


PAUSED = paused(100, 125.0)


def run_of_100(*events: e.Event, max_steps: int | None = 100) -> RunView:
    """Return the view of a run of 100 steps after further events."""
    return view_after(
        run_started(training=TrainingConfig(max_steps=max_steps)),
        steps_finished(1, [2.0] * 90),
        eval_finished(90, 2.03),
        steps_finished(91, [2.0] * 10, elapsed_seconds=125.0),
        *events,
    )


ENDS = {
    "training": run_of_100(),
    "paused before its end": run_of_100(PAUSED, max_steps=200),
    "paused at an end within a replay": replace(run_of_100(PAUSED), is_replay=True),
    "at the end of its budget, saved": run_of_100(PAUSED, checkpoint_saved(100, "mi\x1b[2Jne"), checkpoint_saved(100)),
    "at the end, `latest` is of an earlier step": run_of_100(checkpoint_saved(90), PAUSED),
    "ended by its budget": run_of_100(run_finished(100, "max_steps")),
    "stopped": run_of_100(run_finished(100, "stopped by the user")),
    "failed": run_of_100(run_failed(100, "The disk is full")),
}


def test_the_end_bar_shows_what_a_run_that_is_over_has_reached_from_the_longest_text_to_the_shortest(
    snapshot: SnapshotAssertion,
) -> None:
    lines = []
    for name, view in ENDS.items():
        lines += [f"# {name}", *outcome_texts(view, "bits")]
    nats = next(outcome_texts(ENDS["failed"], "nats"))
    assert "\n".join([*lines, "# in nats", nats]) == snapshot


def test_the_step_bar_ends_with_a_whole_number_and_losses_have_three_digits_or_more(
    snapshot: SnapshotAssertion,
) -> None:
    losses = ((3.3894, 3.3661), (0.4801, 0.4129), (0.00174, 0.00171), (0.0, 0.0))
    lines = [
        step_text(fakes.step_taken(1205, loss_before=before, loss_after=after), 80, "nats") for before, after in losses
    ]
    for width in (10, 30, 40, 60, 80, 200):
        lines.append(f"{width:3} {step_text(fakes.step_taken(1205, num_tweets=1), width)}|")
        assert cell_len(lines[-1]) <= width + 5
    assert "\n".join(lines) == snapshot


def test_a_step_bar_whose_dialog_is_not_on_the_screen_any_more_can_be_updated() -> None:
    line = StepBar()
    line.show(None, "paused: . takes one step")
    assert line.is_up
    line.show(None)
    assert not line.is_up


# Before the first step ------------------------------------------------------------------------------------------------

REPORT = (
    "happy.csv, csv: 10,001 of 20,000 rows kept",
    "  column 6 (text): the longest; 12 lines read as Windows-1252",
    "dropped: 9,000 labelled sad, 999 duplicate",
)


class SlowSession(fakes.FakeSession):
    """Starts when the test allows it."""

    def __init__(self, script: tuple[e.Event, ...]) -> None:
        super().__init__(script)
        self.may_start = threading.Event()

    def run(self, emit: Callable[[e.Event], None], commands: queue.SimpleQueue[Command]) -> None:
        assert self.may_start.wait(DEADLINE_SECONDS)
        super().run(emit, commands)


async def test_a_starting_run_shows_its_stage_its_progress_the_report_and_an_invitation(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    session = SlowSession((steps_finished(1, [4.0]), fakes.tweet_sampled("hello there", 1)))
    app = stage.app(session)
    app.main.invitation = "New here? tweetgen-tui lesson"
    async with app.run_test(size=(80, 24)) as pilot:
        trained_by(app).stage = Moment("reading the tweets", 0.25)
        await shows(app, "reading the tweets", " 25 %", "New here?")
        await pilot.press("g")
        await toasted(app, "The run is still starting.")
        trained_by(app).stage = Moment("reading the tweets", 0.5)
        for size in ((40, 12), (120, 40), (80, 24)):
            await pilot.resize_terminal(*size)
            await wait_until(lambda: app.screen.query_one(KeyBar).size.width == size[0])  # noqa: B023 - awaited at once
            await shows(app, " 50 %", "New here?")
            assert text_of(app, "StageHint") == snapshot(name=f"{size[0]}x{size[1]}")
        trained_by(app).stage = Moment("building the model", 0.75, report=REPORT)
        await shows(app, "building the model", "happy.csv", " 75 %")
        assert text_of(app, "StageHint") == snapshot(name="with the report")
        trained_by(app).stage = Moment("building the model", report=REPORT)
        await wait_until(lambda: "%" not in text_of(app, "StageHint"), "no progress that is not known")
        session.may_start.set()
        await shows(app, "hello there")
        await wait_until(lambda: "New here?" not in screen_text(app), "the end of the report")


async def test_a_run_that_ends_before_its_first_step_shows_no_stage(stage: Stage) -> None:
    app = stage.app(fakes.FakeSession((run_failed(title="No"),)))
    async with app.run_test(size=(80, 24)):
        await wait_until(lambda: app.summary_view.phase == "failed")
        await wait_until(lambda: not any(panels.has_class("-waiting") for panels in app.query(Panels)))


@pytest.mark.parametrize("width", [1, 20, 76])
def test_a_report_is_wrapped_and_cut_with_an_ellipsis(width: int) -> None:
    whole = report_lines(REPORT, width, 1000)
    assert all(cell_len(line) <= max(width, 3) for line in whole)
    assert re.sub(r"\s", "", "".join(whole)) == re.sub(r"\s", "", "".join(REPORT))
    assert report_lines(REPORT, width, len(whole)) == whole
    assert report_lines(REPORT, width, 3)[2] in ("…", whole[2])
    assert len(report_lines(REPORT, width, 3)) == 3
    assert report_lines(REPORT, width, 1) == []


def test_plain_output_shows_a_stage_once_and_its_progress_every_few_seconds() -> None:
    lines: list[str] = []
    clock = fakes.FakeClock()
    display = RunProgress(ProgressDisplay(Console(file=io.StringIO()), write=lines.append, clock=clock))
    display.stage(Moment("loading torch"))
    for percent in range(100):
        clock.advance(0.125)
        display.stage(Moment("reading the tweets", percent / 100))
    display.stage(Moment("building the model", report=REPORT))
    display.stage(Moment("building the model", report=REPORT))
    assert lines == [
        "loading torch ...",
        "reading the tweets ... 0%",
        "reading the tweets ... 40%",
        "reading the tweets ... 80%",
        *REPORT,
        "building the model ...",
    ]
