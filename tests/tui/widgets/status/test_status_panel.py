"""The lines of the status panel as text, and the changed cells of a line."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from engine.config.run import SamplingConfig, TrainingConfig
from engine.protocol import events
from engine.protocol.events import Event
from tests.fakes import eval_finished, run_started, steps_finished
from tui.run.reducer import apply
from tui.run.view import RunView
from tui.widgets.status.line_panel import changed_cells
from tui.widgets.status.lines import plain
from tui.widgets.status.status_lines import column_lines, compact_lines

NO_SHARES = events.RanksMeasured(step=600, elapsed_seconds=9.0, waiting_shares=(), devices=(), hosts=())
SAVED = events.CheckpointSaved(step=550, elapsed_seconds=9.0, name="latest", path="/latest", bits_per_char=2.5)


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


def test_the_column_has_every_value() -> None:
    sampling = SamplingConfig(temperature=1.05, top_k=40, prime="good [/b] morning")
    text = plain(column_lines(running(sampling=sampling), 44, 40))
    for line in (
        "▶ training",
        "step          600 (epoch 1.01)",
        "time          1:02:03",
        "stops         when you quit",
        "train loss    2.46 bits/char",
        "validation    2.51",
        "best          2.49 at step 500",
        "speed         70k chars/s",
        "learning rate 0.004",
        "temperature   1.05",
        "top-k         40",
        "prime         good [/b] morning",
        "device        cpu float32, 1 thread",
        "model         GRU 1 x 128",
        "parameters    148,088",
        "corpus        happy.csv",
        "tweets        19,000 train, 1,000 validation",
        "run           2026-11-25-101112",
        "saved         latest, step 550",
    ):
        assert line in text.splitlines()
    assert "prime" not in plain(column_lines(running(), 44, 40))


def test_all_losses_are_in_the_unit_of_the_screen() -> None:
    column = plain(column_lines(running(), 44, 40, "nats")).splitlines()
    assert {"train loss    1.702 nats/char", "validation    1.740", "best          1.726 at step 500"} <= set(column)
    assert "nats/char 1.702   val 1.740   best 1.726   temp" in plain(compact_lines(running(), 78, "nats"))


def test_80_columns_fit_the_status_in_three_lines() -> None:
    lines = plain(compact_lines(running(), 78)).splitlines()
    assert lines == [
        "▶ training   step 600   epoch 1.01   time 1:02:03   70k chars/s",
        "bits/char 2.46   val 2.51   best 2.49   temp 0.80   lr 0.004",
        "happy.csv   19k tweets   148k parameters   cpu float32, 1 thread",
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
    column = plain(column_lines(running_together(2), 44, 40))
    assert "ranks         2, gloo\n              slowest 1, waits 12 %\nmodel" in column
    lines = plain(compact_lines(running_together(2), 78)).splitlines()
    assert lines[2] == "happy.csv   2 ranks, gloo   slowest 1, waits 12 %   cpu float32, 1 thread"
    assert "ranks         16 on 2 machines, gloo" in plain(column_lines(running_together(16, 2), 44, 40)).splitlines()
    for lines_of_one in (column_lines(running(), 44, 40), compact_lines(running(), 200)):
        assert "rank" not in plain(lines_of_one)


def test_before_the_ranks_are_measured_only_their_number_is_shown() -> None:
    for ranks in (None, NO_SHARES):
        view = replace(running_together(2), ranks=ranks)
        assert "ranks         2, gloo\nmodel" in plain(column_lines(view, 44, 40))
        assert "slowest" not in plain(compact_lines(view, 200))


def test_a_speed_limit_is_shown_beside_the_speed_also_in_the_narrowest_line() -> None:
    limited = replace(running(), speed_limit=5.0)
    assert "speed         70k chars/s\n              at most 5 steps/s" in plain(column_lines(limited, 44, 40))
    assert plain(compact_lines(limited, 38)).splitlines()[0] == "▶ training   step 600   ≤ 5 steps/s"


def test_a_budget_adds_an_eta_and_a_bar() -> None:
    view = running(TrainingConfig(max_steps=1200))
    lines = plain(column_lines(view, 36, 40)).splitlines()
    assert "stops         in 1 h 02 min ± 4 min" in lines
    assert any(line.startswith("━" * 15 + "─") and line.endswith(" 50 %") for line in lines)
    assert "stops in 1 h 02 min ± 4 min" in plain(compact_lines(view, 100))


def test_a_spent_budget_is_done_and_says_how_much_it_was() -> None:
    by_steps, by_seconds = running(TrainingConfig(max_steps=600)), running(TrainingConfig(max_seconds=60))
    assert "done (600 of 600 steps)" in plain(compact_lines(by_steps, 78))
    assert "done          600 of 600 steps" in plain(column_lines(by_steps, 34, 40)).splitlines()
    assert "done (1:02:03 of 1:00)" in plain(compact_lines(by_seconds, 78))


def test_without_a_budget_a_run_stops_when_the_user_quits() -> None:
    assert plain(compact_lines(running(), 100)).splitlines()[0].endswith("70k chars/s   stops when you quit")


def test_the_tweets_take_two_rows_where_one_is_too_narrow() -> None:
    lines = plain(column_lines(running(), 31, 40)).splitlines()
    assert lines[lines.index("tweets        19,000 train") + 1] == "              1,000 validation"


def test_an_ended_run_has_a_glyph_and_no_eta() -> None:
    finished = events.RunFinished(step=600, elapsed_seconds=9.0, reason="done", total_seconds=9.0, total_chars=9)
    view = apply(running(TrainingConfig(max_steps=1200)), finished)
    for lines in (column_lines(view, 36, 40), compact_lines(view, 120)):
        assert plain(lines).startswith("■ finished")
        assert "stops" not in plain(lines)


@given(st.integers(0, 130))
def test_fields_of_a_line_are_dropped_whole(width: int) -> None:
    view = running()
    whole = [line.split("   ") for line in plain(compact_lines(view, 1000)).splitlines()]
    for line, entries in zip(compact_lines(view, width), whole, strict=True):
        text = plain([line])
        assert cell_len(text) <= width
        assert text == "   ".join(entries[: len(text.split("   ")) if text else 0])


@given(st.integers(14, 60), st.integers(1, 40))
def test_the_column_fits_its_width_and_separates_groups_if_there_is_room(width: int, height: int) -> None:
    lines = column_lines(running(TrainingConfig(max_steps=1200)), width, height)
    assert all(cell_len(plain([line])) <= width for line in lines)
    assert (() in lines) == (height >= len([line for line in lines if line]) + 3)


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
