"""A single step in one line, as long as there is room for."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tests.fakes import step_taken
from tui.widgets.step_bar import StepBar, step_text


@pytest.mark.parametrize(
    ("before", "after", "losses"),
    [
        (3.3894, 3.3661, "3.389 → 3.366"),
        (0.4801, 0.4129, "0.480 → 0.413"),
        (0.00174, 0.00171, "0.00174 → 0.00171"),
        (0.0, 0.0, "0.000000 → 0.000000"),
    ],
)
def test_losses_have_at_least_three_digits_however_small_they_are(before: float, after: float, losses: str) -> None:
    taken = step_taken(1205, loss_before=before, loss_after=after)
    assert step_text(taken, 39, "nats") == f"step 1,205: loss {losses}"[:39]


def test_the_losses_are_in_the_unit_of_the_screen() -> None:
    taken = step_taken(1205, loss_before=3.3894, loss_after=3.3661)
    assert "4.890 → 4.856 bits/char, gradient norm" in step_text(taken, 200)
    assert step_text(taken, 80).startswith("step 1,205: batch loss 4.890 → 4.856, gradient")
    assert step_text(taken, 80, "nats").startswith("step 1,205: batch loss 3.389 → 3.366, gradient")


@pytest.mark.parametrize("width", [10, 30, 40, 60, 80, 200])
def test_the_line_fits_and_ends_with_a_whole_number(width: int) -> None:
    text = step_text(step_taken(1205, num_tweets=1), width)
    assert cell_len(text) <= width
    assert text.startswith("step 1,20")
    assert not text.endswith(",")


def test_a_line_whose_dialog_is_not_on_the_screen_any_more_can_be_updated() -> None:
    line = StepBar()
    line.show(None, "paused: . takes one step")
    assert line.is_up
    line.show(None)
    assert not line.is_up
