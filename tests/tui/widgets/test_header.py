"""The header as text: what is left out first, the marks that last, and the width, which is exact."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.config.run import TrainingConfig
from engine.protocol import events as e
from tests.fakes import run_started, steps_finished
from tui.run.reducer import apply
from tui.run.view import RunView
from tui.widgets.header import header_line
from tui.widgets.status.lines import plain


def view_after(*events: e.Event) -> RunView:
    return reduce(apply, events, RunView())


STEPS = steps_finished(1, [1.702] * 600, elapsed_seconds=3723.0)
RUNNING = view_after(run_started(), STEPS)


def text(width: int, badge: str = "") -> str:
    return plain([header_line(RUNNING, badge, width)])


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (200, "happy.csv 19,000 + 1,000 tweets   GRU 1x128 148,088 parameters   cpu float32, 1 thread "),
        (120, "happy 19,000 + 1,000   GRU 1x128 148k   cpu float32 "),
        (100, "happy 19,000 + 1,000   GRU 1x128 148k "),
        (80, "happy 19,000 + 1,000 "),
    ],
)
def test_device_then_model_then_counts_are_left_out_of_a_narrower_header(width: int, shown: str) -> None:
    line = text(width)
    assert f" ▶ training    {shown}" in line
    assert line.endswith("1:02:03  70k chars/s")
    assert line.startswith(" tweetgen") == (width >= 72)


def test_the_narrowest_header_has_state_time_and_speed() -> None:
    assert "   happy 19k   " in text(48)
    assert text(40) == " ▶ training    happy     1:02:03  70k/s"


def test_the_header_shows_how_the_screen_is_attached() -> None:
    assert " ▶ training   attached, 2 screens    happy" in text(120, "attached, 2 screens")
    assert text(40, "attached, 2 screens") == " ▶ training   attached   1:02:03  70k/s"


def test_while_the_last_evaluation_of_a_used_up_budget_runs_the_header_shows_finishing() -> None:
    for training in (TrainingConfig(max_steps=600), TrainingConfig(max_seconds=3723)):
        view = view_after(run_started(training=training), STEPS)
        assert " ▶ finishing  " in plain([header_line(view, "", 80)])
    assert " ▶ training  " in plain(
        [header_line(view_after(run_started(training=TrainingConfig(max_steps=601)), STEPS), "", 80)]
    )


def test_a_long_name_of_the_tweets_fills_the_cells_that_would_be_blank() -> None:
    named = view_after(run_started(corpus="happy tweets (embedded, synthetic)"), STEPS)
    assert " happy tweets (embedded, synthetic) 19,000 + 1,000 " in plain([header_line(named, "", 120)])
    endless = view_after(run_started(corpus="x" * 200), STEPS)
    for width in (80, 100, 120):
        line = plain([header_line(endless, "", width)])
        assert cell_len(line) <= width
        assert "x… " in line


def test_a_replay_and_a_used_up_budget_are_named_in_the_header() -> None:
    assert "▶ replay" in plain([header_line(replace(RUNNING, is_replay=True), "", 80)])
    spent = view_after(run_started(training=TrainingConfig(max_steps=600)), STEPS)
    paused = replace(spent, phase="paused")
    assert "■ finished" in plain([header_line(paused, "", 80)])
    assert "‖ paused" in plain([header_line(replace(RUNNING, phase="paused"), "", 80)])


@given(st.integers(40, 220), st.text(max_size=80), st.sampled_from(["", "read-only", "attached, 12 screens"]))
def test_the_header_fills_its_width_with_any_corpus(width: int, corpus: str, badge: str) -> None:
    view = view_after(run_started(corpus=corpus), STEPS)
    assert sum(cell_len(segment.text) for segment in header_line(view, badge, width)) == width


def test_a_run_on_one_tweet_is_named_as_such() -> None:
    view = view_after(run_started(num_train_tweets=1, num_val_tweets=0), STEPS, e.Paused(step=600, elapsed_seconds=9.0))
    assert "happy 1 tweet, by heart" in plain([header_line(view, "", 100)])
