"""What an X-ray shows: text, cursor, view and its settings, as a value; and the commands behind it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from engine.protocol.commands import HoldUnit, Insight, MapEmbeddings, MeasureReach, ScoreUnits, TraceText
from engine.protocol.events import ReachMethod
from tui.xray.gates_view import GATE_NAMES, GateName
from tui.xray.view_names import ViewName

VALUES = tuple(number / 4 for number in range(-4, 5))
"""At which a unit can be held."""


@dataclass(frozen=True)
class XrayState:
    """Everything that the user chose."""

    text: str = ""
    cursor: int = 0
    """The index of the character that is predicted; the length of the text for the end."""
    view: ViewName = "step"
    layer: int = 0
    own_from: int | None = None
    """From where the model is also fed its own draws; None: it is not."""
    seed: int = 0
    gate: GateName | None = None
    """The gate that is shown; None: as many as fit."""
    method: ReachMethod = "occlusion"
    unit: tuple[int, int] | None = None
    """Layer and number of the selected unit; None before units are scored."""
    value: float | None = None
    """At which the unit is held; None: it is free."""

    def commands(self, request: int) -> tuple[Insight, ...]:
        """Return the commands whose answers the view shows."""
        match self.view:
            case "step":
                return (self._trace(request, self.own_from),)
            case "gates":
                return (self._trace(request, None),)
            case "reach":
                reach = MeasureReach(text=self.text, position=self.cursor, request=request, method=self.method)
                return (reach,)
            case "units":
                return (ScoreUnits(request=request), *self._hold(request))
            case "map":
                return (MapEmbeddings(request=request),)
            case _:
                assert_never(self.view)

    def _trace(self, request: int, own_from: int | None) -> TraceText:
        seed = self.seed if own_from is not None else 0
        return TraceText(text=self.text, request=request, layer=self.layer, own_from=own_from, seed=seed)

    def _hold(self, request: int) -> tuple[HoldUnit, ...]:
        if self.unit is None:
            return ()
        layer, unit = self.unit
        return (HoldUnit(text=self.text, layer=layer, unit=unit, request=request, value=self.value, seed=self.seed),)

    @property
    def next_gate(self) -> GateName | None:
        """The gate to show next; all after the last."""
        gates = (None, *GATE_NAMES, None)
        return gates[gates.index(self.gate) + 1]

    def next_value(self, direction: int) -> float:
        """Return the value at which the unit is held next, higher (1) or lower (-1); a free one goes to that end."""
        if self.value is None:
            return VALUES[-1] if direction > 0 else VALUES[0]
        return min(max(self.value + direction * (VALUES[1] - VALUES[0]), VALUES[0]), VALUES[-1])
