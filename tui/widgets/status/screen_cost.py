"""What the screen itself costs: CPU time of its thread and bytes written to the terminal. Pure; never reads a clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ScreenCost:
    """Rates over an interval."""

    core_share: float
    """Share of one core, 0 to 1."""
    bytes_per_second: float | None
    """Written to the terminal; None if the driver counts no bytes."""


@dataclass(frozen=True)
class UsageCounters:
    """Cumulative counters at one moment."""

    seconds: float
    core_seconds: float
    num_bytes: int | None

    def cost_since(self, before: UsageCounters) -> ScreenCost | None:
        """Return the rates since `before`; None if no time has passed."""
        seconds = self.seconds - before.seconds
        if seconds <= 0:
            return None
        bytes_per_second = None
        if self.num_bytes is not None and before.num_bytes is not None:
            bytes_per_second = (self.num_bytes - before.num_bytes) / seconds
        return ScreenCost(
            core_share=(self.core_seconds - before.core_seconds) / seconds, bytes_per_second=bytes_per_second
        )
