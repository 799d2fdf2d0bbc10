"""The groups and lines of the status as text, and the changed cells of a line."""

from __future__ import annotations

from dataclasses import replace
from difflib import ndiff
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from syrupy.assertion import SnapshotAssertion
from textual.strip import Strip

from engine.config.run import TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.protocol import events
from engine.protocol.events import Event
from tests.fakes import eval_finished, run_started, steps_finished
from tui.formatting.loss_units import LossUnit
from tui.run.levels import Level
from tui.run.marks import Mark
from tui.run.reducer import apply
from tui.run.view import RunView
from tui.widgets.status.groups import Group, setup_group, status_groups
from tui.widgets.status.line_panel import changed_cells
from tui.widgets.status.lines import plain
from tui.widgets.status.pages import column_cells, page_lines, paged, sign
from tui.widgets.status.status_lines import compact_lines
from tui.widgets.status.step_breakdown import row

STEPS = steps_finished(1, [1.702] * 600, elapsed_seconds=3723.0)
SAVED = events.CheckpointSaved(
    step=550, elapsed_seconds=9.0, name="latest", path="/latest", bits_per_char=2.5, weights_step=550
)
FINISHED = events.RunFinished(step=600, elapsed_seconds=9.0, reason="done", total_seconds=9.0, total_chars=9)
UNIGRAM, SIX_GRAM = Level(name="unigram", bits_per_char=4.4), Level(name="6-gram", bits_per_char=2.4)


def view_after(*journal: Event) -> RunView:
    return reduce(apply, journal, RunView())


def before_evaluation(training: TrainingConfig | None = None) -> RunView:
    return view_after(run_started(training=training or TrainingConfig()), STEPS)


def running(training: TrainingConfig | None = None, sampling: SamplingConfig | None = None) -> RunView:
    started = run_started(training=training or TrainingConfig(), sampling=sampling or SamplingConfig())
    evaluated = (eval_finished(500, 2.49), eval_finished(600, 2.51, is_best=False))
    return replace(view_after(started, STEPS, *evaluated, SAVED), step=600, elapsed_seconds=3723.0)


def running_together(num_ranks: int, num_hosts: int = 1, *, is_measured: bool = True) -> RunView:
    """Return a run of several processes, the last of which waits least."""
    view = running()
    assert view.started is not None
    started = replace(view.started, world_size=num_ranks, backend="gloo")
    shares = tuple(0.12 + 0.01 * (num_ranks - rank) for rank in range(1, num_ranks + 1))
    hosts = tuple(f"node-{rank % num_hosts}" for rank in range(num_ranks))
    ranks = events.RanksMeasured(
        step=600,
        elapsed_seconds=9.0,
        waiting_shares=shares if is_measured else (),
        devices=("cpu",) * num_ranks if is_measured else (),
        hosts=hosts if is_measured else (),
    )
    return replace(view, started=started, ranks=ranks)


def status_text(view: RunView, unit: LossUnit = "bits") -> list[str]:
    """Return all groups in a column of 38 cells, then the lines of a terminal of 100 columns."""
    groups = [*status_groups(view, 38, unit), setup_group(view, 38)]
    texts = [f"[{group.name}] {group.note}\n{plain(group.lines)}" for group in groups]
    lines = "\n".join([*texts, "[100 columns]", plain(compact_lines(view, 100, unit))]).splitlines()
    return [line.rstrip() for line in lines]


NAMED = tuple(Mark(step=step, kind="saved", label=f"saved at-{step}") for step in (100, 200, 300, 400))
LEVELS = {
    "to beat": replace(running(), levels=(replace(UNIGRAM, crossed_at=40), SIX_GRAM)),
    "all beaten": replace(running(), levels=(replace(UNIGRAM, crossed_at=40), replace(SIX_GRAM, crossed_at=500))),
    "before an evaluation": replace(running(), levels=(UNIGRAM, SIX_GRAM), val_points=()),
    "train below all before an evaluation": replace(
        running(), levels=(replace(SIX_GRAM, bits_per_char=5.0),), val_points=()
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
ESTIMATE = replace(eval_finished(64, 3.01, is_best=False), is_early=True)
DRAW = SamplingConfig(temperature=1.05, top_k=40, prime="good [/b] morning")
FILTER = replace(DRAW, top_p=0.9, min_p=0.1, temperature_last=True, only_new=True, avoid=("a", "b"))
WARM = (run_started(is_warm_start=True), run_started(step=600, epochs=1.01, resumed_from=f"{run_started().run}/latest"))
VIEWS = {
    **{f"levels, {name}": view for name, view in LEVELS.items()},
    **{f"first evaluation, {name}": before_evaluation(training) for name, training in FIRST_EVALUATION.items()},
    "a best evaluation": apply(before_evaluation(), eval_finished(600, 2.49)),
    "early evaluation": view_after(run_started(), ESTIMATE),
    "an evaluation after it": view_after(run_started(), ESTIMATE, eval_finished(600, 2.51, is_best=False)),
    "draw of characters": running(sampling=DRAW),
    "filter": running(sampling=FILTER),
    "from the shipped model, resumed": view_after(*WARM),
    "from a checkpoint": view_after(run_started(resumed_from="my/best")),
    "named checkpoints": replace(running(), marks=NAMED),
    "speed limit": replace(running(), speed_limit=5.0),
    "2 ranks": running_together(2),
    "2 ranks, not measured": running_together(2, is_measured=False),
    "16 ranks": running_together(16, 2),
    "half of a budget": running(TrainingConfig(max_steps=1200)),
    "steps used up": running(TrainingConfig(max_steps=600)),
    "seconds used up": running(TrainingConfig(max_seconds=60)),
    "ended": apply(running(TrainingConfig(max_steps=1200)), FINISHED),
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
    views = {
        "usual": running(),
        "limited": VIEWS["speed limit"],
        "filtered": VIEWS["filter"],
        "2 ranks": VIEWS["2 ranks"],
    }
    falling = view_after(run_started(), steps_finished(1, range(600, 0, -1))).train_losses
    lines = []
    for width in (38, 78, 118):
        for name, view in views.items():
            lines += [f"# {name}, {width} columns", plain(compact_lines(view, width))]
        curve = plain(compact_lines(replace(running(), train_losses=falling), width, has_curve=True)[:1])
        lines += [f"# with a small curve, {width} columns", curve]
    assert "\n".join(lines) == snapshot


@given(st.integers(30, 200))
def test_fields_of_the_lines_are_dropped_whole_and_counted(width: int) -> None:
    view = running()
    num_all = sum(len(group.lines) for group in (*status_groups(view, 34), setup_group(view, 34))) + 1
    first, second = (plain([line]) for line in compact_lines(view, width))
    whole = [plain([line]) for line in compact_lines(view, 1000)]
    gap = "   " if width >= 60 else " "
    text, _, rest = second.rpartition("+")
    assert max(map(cell_len, (first, second))) <= width
    if width >= 60:
        shown = [*first.split(gap), *text.strip().split(gap)]
        assert all(field in " ".join(whole) for field in shown)
        assert rest == f"{num_all - len(shown)} values  h"


def test_groups_without_room_go_to_another_page_which_the_last_row_names() -> None:
    lines = tuple(row("value", ("1", "value")) for _ in range(3))
    groups = [Group(name, lines) for name in ("one", "two", "three", "four")]
    assert len(paged(groups, 36, 19)) == 1
    pages = paged(groups, 36, 18)
    assert [page.names for page in pages] == [("one", "two", "three"), ("four",)]
    last_rows = [plain(page_lines(pages, number, 36, 18, "h")).splitlines()[-1] for number in range(2)]
    assert last_rows == ["+1 more: four  h", "+3 more: one, two, three  h"]
    assert plain([sign(("one", "two", "three"), 23, "h")]) == "+3 more: one, two …  h"
    assert plain([sign(("one", "two", "three"), 12, "h")]) == "+3 more  h"
    assert [page.names for page in paged(groups, 79, 9)] == [("one", "two", "three", "four")], "two columns"


@given(st.integers(20, 90), st.integers(3, 40))
def test_every_line_of_every_group_is_on_some_page_at_any_size(width: int, height: int) -> None:
    view = running(TrainingConfig(max_steps=1200))
    cells = column_cells(width)
    groups = [*status_groups(view, cells), setup_group(view, cells)]
    pages = paged(groups, width, height)
    shown = [line for number in range(len(pages)) for line in page_lines(pages, number, width, height, "h")]
    assert all(cell_len(plain([line])) <= width for line in shown)
    assert all(len(page_lines(pages, number, width, height, "h")) == height for number in range(len(pages)))
    text = plain(shown)
    assert all(plain([line]) in text for group in groups for line in group.lines)


def test_changed_cells_are_exact_and_lines_with_wide_characters_change_whole() -> None:
    red, plain_style = Style(color="red"), Style()

    def strip(*texts: str) -> Strip:
        return Strip([Segment(text, style) for text, style in zip(texts, (plain_style, red), strict=True)])

    old = strip("abcd", "ef")
    assert changed_cells(old, strip("abcd", "ef")) is None
    assert changed_cells(old, strip("abXd", "ef")) == (2, 3)
    assert changed_cells(old, strip("abcde", "f")) == (4, 5)
    assert changed_cells(old, strip("ab日d", "e")) == (0, 6)
    assert changed_cells(strip("a日e\u0347c", "d"), strip("a日e\u0347c", "X")) == (0, 6), "a wide one and a mark"
