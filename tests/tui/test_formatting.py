"""Numbers as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui import formatting as f


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (7.4, "7"), (999, "999"), (999.6, "1k"), (1000, "1k"), (4520, "4.5k"), (9960, "10k"), (45_123, "45k"),
        (999_400, "999k"), (999_600, "1M"), (1_234_567, "1.2M"), (2.5e9, "2.5G"),
    ],
)  # fmt: skip
def test_short_numbers(number: float, text: str) -> None:
    assert f.format_short(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (7.9, "0:07"), (123, "2:03"), (3599.9, "59:59"), (3723, "1:02:03"), (360_000, "100:00:00")],
)
def test_durations(seconds: float, text: str) -> None:
    assert f.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "5 s"), (12, "10 s"), (53, "55 s"), (55, "1 min"), (80, "1 min"), (100, "2 min"), (3569, "59 min"),
        (3570, "1 h 00 min"), (7500, "2 h 05 min"), (172_799, "2 d 0 h"), (273_600, "3 d 4 h"),
    ],
)  # fmt: skip
def test_waits_are_no_more_exact_than_anyone_can_know(seconds: float, text: str) -> None:
    assert f.format_wait(seconds) == text


@given(st.floats(0, 1e7))
def test_every_duration_and_wait_is_short(seconds: float) -> None:
    assert len(f.format_duration(seconds)) <= 10
    assert len(f.format_wait(seconds)) <= 11


@pytest.mark.parametrize(("rate", "text"), [(0.004, "0.004"), (0.00021349, "0.000213"), (1e-5, "1.0e-05"), (1.0, "1")])
def test_learning_rates(rate: float, text: str) -> None:
    assert f.format_learning_rate(rate) == text


@pytest.mark.parametrize(
    ("step", "text"), [(0, "0"), (25, "25"), (500, "500"), (1000, "1k"), (1250, "1.25k"), (2_500_000, "2.5M")]
)
def test_steps_on_an_axis(step: float, text: str) -> None:
    assert f.format_steps_tick(step) == text


def test_the_rest() -> None:
    assert f.format_count(12_300) == "12,300"
    assert f.format_rate(45_123) == "45k chars/s"
    assert f.format_loss(1.70249) == "1.702"
    assert f.format_bits(2.4567) == "2.46"
    assert f.format_temperature(0.8) == "0.80"


@given(st.text(max_size=40), st.integers(0, 30))
def test_shortened_text_fits(text: str, max_cells: int) -> None:
    shown = f.shortened(text, max_cells)
    assert cell_len(shown) <= max_cells
    assert shown == text or cell_len(text) > max_cells


def test_a_wide_character_is_never_halved() -> None:
    assert f.shortened("日本語", 4) == "日…"


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [
        (0, "0 B"), (31, "31 B"), (999, "999 B"), (1000, "1.0 kB"), (62_213, "62.2 kB"), (100_000, "0.1 MB"),
        (81_363_704, "81.4 MB"), (999_400_000, "999.4 MB"), (999_500_000, "1.0 GB"), (12_300_000_000, "12.3 GB"),
    ],
)  # fmt: skip
def test_sizes(num_bytes: int, text: str) -> None:
    assert f.format_size(num_bytes) == text
