"""What an X-ray shows, as a value: text, cursor, view and its settings; and the commands that it needs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from engine.protocol.insight import HoldUnit, Insight, MapEmbeddings, MeasureReach, ReachMethod, ScoreUnits, TraceText
from tui.xray.gates_view import GATE_NAMES, GateName
from tui.xray.units_view import UnitId
from tui.xray.view_names import VIEW_NAMES, ViewName

_VALUE_STEP = 0.25


@dataclass(frozen=True)
class XrayState:
    """Everything that the user chose. Immutable: methods return the next state."""

    text: str = ""
    cursor: int = 0
    """The input that was read last; `text[cursor]` is predicted."""
    view: ViewName = "step"
    layer: int = 0
    own_from: int | None = None
    """After how many characters the model is also fed its own draws; None: it is not."""
    seed: int = 0
    gate: GateName | None = None
    """The gate that is shown; None: as many as fit."""
    method: ReachMethod = "occlusion"
    unit: UnitId | None = None
    """The selected unit; None before units are scored."""
    value: float | None = None
    """At which the unit is held; None: it is free."""

    def commands(self, request: int) -> tuple[Insight, ...]:
        """Return the commands whose answers the view shows."""
        match self.view:
            case "step" | "gates":
                return (self._trace(request),)
            case "reach":
                reach = MeasureReach(text=self.text, position=self.cursor, request=request, method=self.method)
                return (reach,)
            case "units":
                return (ScoreUnits(request=request), *self._hold(request))
            case "map":
                return (MapEmbeddings(request=request),)
            case _:
                assert_never(self.view)

    def _trace(self, request: int) -> TraceText:
        seed = 0 if self.own_from is None else self.seed
        return TraceText(text=self.text, request=request, layer=self.layer, own_from=self.own_from, seed=seed)

    def _hold(self, request: int) -> tuple[Insight, ...]:
        """Return the commands for the selected unit; with it held, also for the predictions of the free model."""
        if self.unit is None:
            return ()
        layer, unit = self.unit
        held = HoldUnit(text=self.text, layer=layer, unit=unit, request=request, value=self.value, seed=self.seed)
        return (held,) if self.value is None else (held, self._trace(request))

    def with_next_view(self, step: int) -> XrayState:
        """Return the state with the next (1) or previous (-1) view."""
        return replace(self, view=VIEW_NAMES[(VIEW_NAMES.index(self.view) + step) % len(VIEW_NAMES)])

    def with_own_draws_toggled(self) -> XrayState:
        """Return the state with own draws from the cursor on, in the view that shows them, or without."""
        if self.own_from is not None:
            return replace(self, own_from=None)
        return replace(self, own_from=self.cursor, view="step")

    def with_next_gate(self) -> XrayState:
        """Return the state with the next gate; all of them come after the last."""
        gates = (None, *GATE_NAMES, None)
        return replace(self, gate=gates[gates.index(self.gate) + 1])

    def with_other_method(self) -> XrayState:
        """Return the state with the other measure of reach."""
        return replace(self, method="gradient" if self.method == "occlusion" else "occlusion")

    def with_unit(self, units: Sequence[UnitId], step: int) -> XrayState:
        """Return the state with the unit that many places below in a list, free; the first if none is selected."""
        place = units.index(self.unit) + step if self.unit in units else 0
        return replace(self, unit=units[min(max(place, 0), len(units) - 1)], value=None)

    def with_value(self, direction: int) -> XrayState:
        """Return the state with the unit held higher (1) or lower (-1); a free one is held at that end first."""
        value = float(direction) if self.value is None else self.value + direction * _VALUE_STEP
        return replace(self, value=min(max(value, -1.0), 1.0))
