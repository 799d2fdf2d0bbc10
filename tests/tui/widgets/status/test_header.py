"""The header: what it leaves out first, and that it fills its width."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from engine.config.run import TrainingConfig
from tests.fakes import paused, run_started, steps_finished
from tests.tui.widgets.status.test_facts import STEPS, before_evaluation, view_after
from tui.text.cells import plain
from tui.widgets.status.header import header_line

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
