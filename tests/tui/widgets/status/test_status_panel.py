"""The groups and lines of the status as text, and the changed cells of a line."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
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

NO_SHARES = events.RanksMeasured(step=600, elapsed_seconds=9.0, waiting_shares=(), devices=(), hosts=())
SAVED = events.CheckpointSaved(
    step=550, elapsed_seconds=9.0, name="latest", path="/latest", bits_per_char=2.5, weights_step=550
)


def view_after(*journal: Event) -> RunView:
    view = RunView()
    for event in journal:
        view = apply(view, event)
    return view


def running(training: TrainingConfig | None = None, sampling: SamplingConfig | None = None) -> RunView:
    started = run_started(training=training or TrainingConfig(), sampling=sampling or SamplingConfig())
    steps = steps_finished(1, [1.702] * 600, elapsed_seconds=3723.0)
    return replace(
        view_after(started, steps, eval_finished(500, 2.49), eval_finished(600, 2.51, is_best=False), SAVED),
        step=600,
        elapsed_seconds=3723.0,
    )


def group_text(view: RunView, width: int = 38, unit: LossUnit = "bits") -> list[str]:
    """Return the lines of all groups as text."""
    groups = [*status_groups(view, width, unit), setup_group(view, width)]
    return plain(line for group in groups for line in group.lines).splitlines()


def test_the_groups_have_every_value() -> None:
    sampling = SamplingConfig(temperature=1.05, top_k=40, prime="good [/b] morning")
    text = group_text(running(sampling=sampling), 44)
    for line in (
        "step          600",
        "epoch         1.01",
        "stops         when you quit",
        "train         2.46",
        "validation    2.51  at 600",
        "best          2.49  at 500",
        "temperature   1.05  ━━━━━━━━━━━━●───────────",
        "top-k         40",
        "prime         good [/b] morning",
        "learning rate 0.004",
        "latest        step 550",
        "run           2026-11-25-101112",
        "model         GRU 1 x 128",
        "parameters    148,088",
        "batch size    32 tweets",
        "corpus        happy.csv",
        "characters    116 different",
        "trains on     19,000 tweets",
        "validation    1,000 tweets",
    ):
        assert line in text
    assert not any(line.startswith("prime") for line in group_text(running()))


def test_what_a_run_started_from_is_among_its_facts_also_after_a_resume() -> None:
    warm = (run_started(is_warm_start=True), run_started(step=600, resumed_from=f"{run_started().run}/latest"))
    assert "started from  the shipped model" in group_text(view_after(*warm))
    assert "started from  my/best" in group_text(view_after(run_started(resumed_from="my/best")))
    assert "started from  my/best" in group_text(view_after(warm[0], run_started(resumed_from="my/best")))
    assert not any(line.startswith("started from") for line in group_text(running()))


def test_all_losses_are_in_the_unit_of_the_screen() -> None:
    assert {"train         1.702", "validation    1.740  at 600", "best          1.726  at 500"} <= set(
        group_text(running(), unit="nats")
    )
    assert status_groups(running(), 38, "nats")[1].note == "nats/char"
    assert "train 1.702   validation 1.740   temperature 0.80   best 1.726" in plain(
        compact_lines(running(), 78, "nats")
    )


def test_the_next_level_to_beat_is_shown_and_at_last_the_one_that_was_beaten() -> None:
    levels = (Level(name="unigram", bits_per_char=4.4, crossed_at=40), Level(name="6-gram", bits_per_char=2.4))
    assert "to beat       2.40  6-gram" in group_text(replace(running(), levels=levels))
    beaten = tuple(replace(level, crossed_at=500) for level in levels)
    assert "beaten        2.40  ✓ 6-gram  at 500" in group_text(replace(running(), levels=beaten))


def test_before_the_first_evaluation_the_level_to_beat_is_the_next_below_the_train_loss() -> None:
    levels = tuple(Level(name=name, bits_per_char=bits) for name, bits in (("unigram", 4.4), ("6-gram", 2.4)))
    early = replace(running(), levels=levels, val_points=())
    assert "to beat       2.40  6-gram" in group_text(early)
    easy = tuple(replace(level, bits_per_char=5.0) for level in levels)
    text = "\n".join(group_text(replace(early, levels=easy)))
    assert "to beat" not in text, "train is below all of them"
    assert "beaten" not in text, "only an evaluation beats a level"


def test_before_the_first_evaluation_its_step_is_shown() -> None:
    early = view_after(run_started(), steps_finished(1, [1.702] * 600))
    assert "validation    first at step 1,000" in group_text(early)
    assert "validation first at 1,000" in plain(compact_lines(early, 100))
    shown = {
        TrainingConfig(max_steps=700): "validation    first at step 700",
        TrainingConfig(epochs=1.5): "validation    first at step 891",
        TrainingConfig(max_steps=2000, eval_every=650): "validation    first at step 650",
        TrainingConfig(eval_every=2000, early_eval_tweets=250): "validation    first at step 1,024",
    }
    for training, line in shown.items():
        view = view_after(run_started(training=training), steps_finished(1, [1.702] * 600))
        assert line in group_text(view)
    without = view_after(run_started(training=TrainingConfig(eval_every=0)), steps_finished(1, [1.702] * 600))
    assert "first at" not in "\n".join(group_text(without))
    assert "validation    2.49  ◆ best  at 600" in group_text(apply(early, eval_finished(600, 2.49)))


def test_an_early_evaluation_is_shown_as_an_estimate() -> None:
    early = replace(eval_finished(64, 3.01, is_best=False), is_early=True)
    assert "validation    3.01  estimate at 64" in group_text(view_after(run_started(), early))
    regular = eval_finished(600, 2.51, is_best=False)
    assert "validation    2.51  at 600" in group_text(view_after(run_started(), early, regular))


def test_checkpoints_with_a_name_of_their_own_are_listed_the_latest_first() -> None:
    marks = tuple(Mark(step=step, kind="saved", label=f"saved at-{step}") for step in (100, 200, 300, 400))
    text = group_text(replace(running(), marks=marks))
    first = text.index("at-400        step 400")
    assert text[first + 1 : first + 4] == [
        "at-300        step 300",
        "at-200        step 200",
        "run           2026-11-25-101112",
    ]


def test_80_columns_fit_the_status_in_two_lines_that_count_what_is_left_out() -> None:
    lines = plain(compact_lines(running(), 78)).splitlines()
    assert lines == [
        "train 2.46   validation 2.51   temperature 0.80   best 2.49",
        "step 600   epoch 1.01   stops when you quit   saved step 550     +10 values  h",
    ]


def running_together(num_ranks: int, num_hosts: int = 1) -> RunView:
    """Return a run of several processes, the last of which waits least."""
    view = running()
    assert view.started is not None
    started = replace(view.started, world_size=num_ranks, backend="gloo")
    measured = events.RanksMeasured(
        step=600,
        elapsed_seconds=9.0,
        waiting_shares=tuple(0.12 + 0.01 * (num_ranks - rank) for rank in range(1, num_ranks + 1)),
        devices=("cpu",) * num_ranks,
        hosts=tuple(f"node-{rank % num_hosts}" for rank in range(num_ranks)),
    )
    return replace(view, started=started, ranks=measured)


def test_several_processes_show_their_number_their_backend_and_the_slowest() -> None:
    text = group_text(running_together(2))
    assert text[text.index("ranks         2, gloo") + 1] == "slowest rank  1, waits 12 %"
    assert "2 ranks, gloo" in plain(compact_lines(running_together(2), 90))
    assert "ranks         16 on 2 machines, gloo" in group_text(running_together(16, 2))
    assert "rank" not in "\n".join([*group_text(running()), plain(compact_lines(running(), 200))])


def test_before_the_ranks_are_measured_only_their_number_is_shown() -> None:
    for ranks in (None, NO_SHARES):
        text = group_text(replace(running_together(2), ranks=ranks))
        assert "ranks         2, gloo" in text
        assert not any(line.startswith("slowest") for line in text)


def test_a_speed_limit_is_shown_also_in_the_narrowest_lines() -> None:
    limited = replace(running(), speed_limit=5.0)
    assert "speed limit   5 steps/s" in group_text(limited)
    assert "step 600 ≤ 5 steps/s" in plain(compact_lines(limited, 38))


def test_a_budget_adds_its_steps_an_eta_and_a_bar() -> None:
    view = running(TrainingConfig(max_steps=1200))
    lines = group_text(view, 36)
    assert lines[0] == "step          600 of 1,200"
    assert "stops         in 1 h 02 min ± 4 min" in lines
    assert "━" * 15 + "─" * 15 + "  50 %" in lines
    assert "step 600 of 1,200 ━━━━━━──────  50 %   stops in 1 h 02 min ± 4 min" in plain(compact_lines(view, 100))


def test_a_spent_budget_is_done_and_says_how_much_it_was() -> None:
    by_steps, by_seconds = running(TrainingConfig(max_steps=600)), running(TrainingConfig(max_seconds=60))
    assert group_text(by_steps)[:2] == ["step          600 of 600", "epoch         1.01"]
    assert "done 1:00 " in plain(compact_lines(by_seconds, 78))


def test_an_ended_run_has_no_eta() -> None:
    finished = events.RunFinished(step=600, elapsed_seconds=9.0, reason="done", total_seconds=9.0, total_chars=9)
    view = apply(running(TrainingConfig(max_steps=1200)), finished)
    assert "stops" not in "\n".join([*group_text(view), plain(compact_lines(view, 120))])


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


def test_without_room_for_a_plot_a_small_curve_of_the_loss_fills_the_first_line() -> None:
    view = replace(running(), train_losses=view_after(run_started(), steps_finished(1, range(600, 0, -1))).train_losses)
    first = plain(compact_lines(view, 100, has_curve=True)[:1])
    assert cell_len(first) == 100
    assert first.endswith("▂▁▁")
    assert "█" in first
    assert "▁" not in plain(compact_lines(view, 100))


def test_groups_without_room_go_to_another_page_which_the_last_row_names() -> None:
    lines = tuple(row("value", ("1", "value")) for _ in range(3))
    groups = [Group(name, lines) for name in ("one", "two", "three", "four")]
    assert len(paged(groups, 36, 19)) == 1
    pages = paged(groups, 36, 18)
    assert [page.names for page in pages] == [("one", "two", "three"), ("four",)]
    shown = plain(page_lines(pages, 0, 36, 18, "h")).splitlines()
    assert shown[-1] == "+1 more: four  h"
    assert plain(page_lines(pages, 1, 36, 18, "h")).splitlines()[-1] == "+3 more: one, two, three  h"
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


def test_80_columns_show_the_filter_before_the_draw_of_characters() -> None:
    sampling = SamplingConfig(
        temperature=1.05, top_k=40, top_p=0.9, min_p=0.1, temperature_last=True, only_new=True, avoid=("a", "b")
    )
    first = plain(compact_lines(running(sampling=sampling), 78)).splitlines()[0]
    assert "temperature 1.05 last   filter new · avoid 2" in first
