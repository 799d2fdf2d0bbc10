"""Losses as text, in either unit."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.formatting.loss_units import LossUnit, format_bits, format_loss, unit_label


def test_bits_have_two_decimals_and_nats_three() -> None:
    assert [format_loss(1.70249, "bits"), format_loss(1.70249, "nats")] == ["2.46", "1.702"]
    assert [format_bits(2.4567), format_bits(2.4567, "nats")] == ["2.46", "1.703"]
    assert [unit_label("bits"), unit_label("nats")] == ["bits/char", "nats/char"]


@pytest.mark.parametrize("unit", ["bits", "nats"])
@given(st.floats(0, 30))
def test_losses_stored_in_bits_and_in_nats_agree_up_to_the_rounding_of_the_last_decimal(
    unit: LossUnit, nats: float
) -> None:
    shown, other = format_loss(nats, unit), format_bits(nats / math.log(2), unit)
    assert abs(float(shown) - float(other)) <= (0.0101 if unit == "bits" else 0.00101)
