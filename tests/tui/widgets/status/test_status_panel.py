"""The status: what it says as text, and which cells of a line have changed."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from engine.config.run import SamplingConfig, TrainingConfig
from engine.protocol import events as e
from tests.fakes import eval_finished, run_started, steps_finished
from tui.run.reducer import apply
from tui.run.view import RunView
from tui.widgets.status.line_panel import changed_cells
from tui.widgets.status.status_lines import column_lines, compact_lines, plain

SAVED = e.CheckpointSaved(step=550, elapsed_seconds=9.0, name="latest", path="/latest", bits_per_char=2.5)


def view_after(*events: e.Event) -> RunView:
    view = RunView()
    for event in events:
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


def test_the_column_says_everything() -> None:
    sampling = SamplingConfig(temperature=1.05, top_k=40, prime="good [/b] morning")
    text = plain(column_lines(running(sampling=sampling), 44, 40))
    for line in (
        "▶ training",
        "step        600",
        "epoch       1.01",
        "time        1:02:03",
        "ends        no limit",
        "loss        1.702 nats/char",
        "bits/char   2.46 train",
        "            2.51 validation",
        "            2.49 best, step 500",
        "speed       70k chars/s",
        "learn rate  0.004",
        "temperature 1.05",
        "top-k       40",
        "prime       good [/b] morning",
        "device      cpu float32, 1 thread",
        "hidden      128 x 1",
        "parameters  148,088",
        "corpus      happy.csv",
        "tweets      19,000 + 1,000",
        "run         2026-11-25-101112",
        "saved       latest, step 550",
    ):
        assert line in text.splitlines()
    assert "prime" not in plain(column_lines(running(), 44, 40))


def test_80_columns_hold_the_figures_in_three_lines() -> None:
    lines = plain(compact_lines(running(), 78)).splitlines()
    assert lines == [
        "▶ training   step 600   epoch 1.01   time 1:02:03   no limit   70k chars/s",
        "loss 1.702   bits 2.46   val 2.51   best 2.49   temp 0.80   lr 0.004",
        "happy.csv   19k tweets   148k parameters   cpu float32, 1 thread",
    ]


def test_a_budget_brings_a_wait_and_a_bar() -> None:
    view = running(TrainingConfig(max_steps=1200))
    lines = plain(column_lines(view, 34, 40)).splitlines()
    assert "ends        in 1 h 02 min ± 4 min" in lines
    assert any(line.startswith("━" * 14 + "─") and line.endswith(" 50 %") for line in lines)
    assert "ends in 1 h 02 min ± 4 min" in plain(compact_lines(view, 100))


def test_a_run_that_ended_says_so_with_a_glyph_and_waits_for_nothing() -> None:
    finished = e.RunFinished(step=600, elapsed_seconds=9.0, reason="done", total_seconds=9.0, total_chars=9)
    view = apply(running(TrainingConfig(max_steps=1200)), finished)
    for lines in (column_lines(view, 34, 40), compact_lines(view, 120)):
        assert plain(lines).startswith("■ finished")
        assert "ends" not in plain(lines)


@given(st.integers(0, 130))
def test_no_figure_is_cut_in_the_middle(width: int) -> None:
    view = running()
    whole = [line.split("   ") for line in plain(compact_lines(view, 1000)).splitlines()]
    for line, entries in zip(compact_lines(view, width), whole, strict=True):
        text = plain([line])
        assert cell_len(text) <= width
        assert text == "   ".join(entries[: len(text.split("   ")) if text else 0])


@given(st.integers(12, 60), st.integers(1, 40))
def test_the_column_fits_its_width_and_sets_groups_apart_where_there_is_room(width: int, height: int) -> None:
    lines = column_lines(running(TrainingConfig(max_steps=1200)), width, height)
    assert all(cell_len(plain([line])) <= width for line in lines)
    assert (() in lines) == (height >= len([line for line in lines if line]) + 3)


def test_changed_cells_are_found_to_the_cell_and_lines_with_wide_characters_change_whole() -> None:
    red, plain_style = Style(color="red"), Style()

    def strip(*texts: str) -> Strip:
        return Strip([Segment(text, style) for text, style in zip(texts, (plain_style, red), strict=True)])

    old = strip("abcd", "ef")
    assert changed_cells(old, strip("abcd", "ef")) is None
    assert changed_cells(old, strip("abXd", "ef")) == (2, 3)
    assert changed_cells(old, strip("abcde", "f")) == (4, 5)
    assert changed_cells(old, strip("ab日d", "e")) == (0, 6)
