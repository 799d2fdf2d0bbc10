"""The state of a run as text: every value, two lines for a small terminal, the pages of the side panel, the header."""

from __future__ import annotations

from dataclasses import replace
from difflib import ndiff

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from engine.config.run import TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.protocol import events as e
from tests import fakes
from tests.fakes import checkpoint_saved, eval_finished, paused, run_finished, run_started, steps_finished
from tui.run.fold import fold
from tui.run.marks import Baseline, Mark
from tui.run.series import Series
from tui.run.view import RunView
from tui.text.cells import plain
from tui.text.numbers import LossUnit
from tui.widgets.status.facts import facts, two_lines
from tui.widgets.status.header import header_line
from tui.widgets.status.side_panel import Group, column_cells, groups_of, page_lines, paged

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
    """Recorded are the lines in which each view differs from the usual one, or from the one before an evaluation."""
    lines = []
    for name, view in VIEWS.items():
        is_early = name.startswith("first evaluation, ") and not name.endswith("usual")
        usual = status_text(before_evaluation() if is_early else running())
        lines += [f"# {name}", *(line for line in ndiff(usual, status_text(view)) if line[0] in "+-")]
    assert "\n".join(lines) == snapshot


def test_a_run_at_the_last_step_of_its_epochs_is_at_its_end_whatever_their_rounding() -> None:
    view = replace(before_evaluation(TrainingConfig(epochs=2.2, batch_size=100)), step=418)
    assert 1 > (view.progress or 0.0) > 1 - 1e-9
    of_run = [(fact.label, plain([fact.values])) for fact in facts(view, "bits") if fact.group == "run"]
    assert of_run == [("step", "418 of 418"), ("epoch", "2.20")]


def test_a_run_with_patience_stops_past_its_best_until_it_has_gone_back_there() -> None:
    view = running(TrainingConfig(patience=4))
    gone_back = replace(view, loaded_name=f"{view.name}/best")
    for each, end in ((running(), "when you quit"), (view, "past its best"), (gone_back, "when you quit")):
        assert [plain((fact.values,)) for fact in facts(each, "bits") if fact.label == "stops"] == [end]


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


# The header -----------------------------------------------------------------------------------------------------------

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
