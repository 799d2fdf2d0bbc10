"""Typed amounts of training."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.run.amounts import Amount, amount_in


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2,500", Amount(2500, "steps")),
        (" 2 500 steps", Amount(2500, "steps")),
        ("1 step", Amount(1, "steps")),
        ("90s", Amount(90, "seconds")),
        ("90 sec", Amount(90, "seconds")),
        ("1.5 min", Amount(90, "seconds")),
        ("1,5 MIN", Amount(90, "seconds")),
        ("1:30", Amount(90, "seconds")),
        ("1:00:00", Amount(3600, "seconds")),
        ("2 h", Amount(7200, "seconds")),
        ("0.5 epochs", Amount(0.5, "epochs")),
        *((text, None) for text in ("", "x", "0", "-5", "1.5", "2 weeks", "1.2.3 h", "0 s", "1:75", "9" * 40, "1e9")),
    ],
)
def test_a_typed_amount_is_steps_or_has_a_unit(text: str, amount: Amount | None) -> None:
    assert amount_in(text) == amount


@given(text=st.text(max_size=20))
def test_whatever_is_typed_is_an_amount_or_none(text: str) -> None:
    amount = amount_in(text)
    assert amount is None or amount.number > 0
