"""Numbers as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.formatting import numbers

CASES: dict[Callable[[Any], str], dict[float, str]] = {
    numbers.format_short: {
        0: "0", 7.4: "7", 999: "999", 999.6: "1k", 4520: "4.5k", 999_400: "999k", 999_600: "1M", 2.5e9: "2.5G",
    },
    numbers.format_duration: {
        0: "0:00", 7.9: "0:07", 123: "2:03", 3599.9: "59:59", 3723: "1:02:03", 360_000: "100:00:00",
    },
    numbers.format_wait: {
        0: "5 s", 12: "10 s", 55: "1 min", 100: "2 min", 3569: "59 min", 3570: "1 h 00 min", 7500: "2 h 05 min",
        172_799: "2 d 0 h", 273_600: "3 d 4 h",
    },
    numbers.format_learning_rate: {0.004: "0.004", 0.00021349: "0.000213", 1e-5: "1.0e-05", 1.0: "1"},
    numbers.format_steps_tick: {0: "0", 25: "25", 1000: "1k", 1250: "1.25k", 2_500_000: "2.5M"},
    numbers.format_size: {
        0: "0 B", 999: "999 B", 1000: "1.0 kB", 62_213: "62.2 kB", 100_000: "0.1 MB", 999_400_000: "999.4 MB",
        999_500_000: "1.0 GB",
    },
    numbers.format_count: {12_300: "12,300"},
    numbers.format_rate: {45_123: "45k chars/s"},
    numbers.format_temperature: {0.8: "0.80"},
}  # fmt: skip


@pytest.mark.parametrize("format_it", CASES, ids=lambda each: each.__name__)
def test_numbers_are_formatted_for_people(format_it: Callable[[Any], str]) -> None:
    assert {number: format_it(number) for number in CASES[format_it]} == CASES[format_it]


@given(st.text(max_size=40), st.integers(0, 30))
def test_shortened_text_fits(text: str, max_cells: int) -> None:
    shown = numbers.shortened(text, max_cells)
    assert cell_len(shown) <= max_cells
    assert shown == text or cell_len(text) > max_cells
    assert numbers.shortened("日本語", 4) == "日…"  # a wide character is never halved
