"""`Questions`: which commands of an X-ray are due, and the latest answer of each kind. Pure apart from its clock.

At most one command of a type is unanswered, so that a slow model is not flooded; what changed meanwhile is asked after
the answer. A command that has not changed is due again while the X-ray follows a model that learns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from engine.protocol.insight import (
    EmbeddingsMapped,
    HoldUnit,
    Insight,
    InsightEvent,
    MapEmbeddings,
    MeasureReach,
    ReachMeasured,
    ScoreUnits,
    TextTraced,
    TraceText,
    UnitHeld,
    UnitsScored,
)

_Command = TypeVar("_Command", TraceText, MeasureReach, ScoreUnits, HoldUnit, MapEmbeddings)
_Event = TypeVar("_Event", bound=InsightEvent)

AGAIN_SECONDS: dict[type[Insight], float] = {
    TraceText: 1.0,
    MeasureReach: 1.0,
    HoldUnit: 2.0,
    ScoreUnits: 30.0,
    MapEmbeddings: 1.0,
}
"""How old an answer is at least before its command is repeated, by what it costs the session."""
_COMMANDS: dict[type[InsightEvent], type[Insight]] = {
    TextTraced: TraceText,
    ReachMeasured: MeasureReach,
    UnitHeld: HoldUnit,
    UnitsScored: ScoreUnits,
    EmbeddingsMapped: MapEmbeddings,
}
"""The command that each event answers."""


@dataclass
class _Asked:
    """The latest command of a type, and what came back."""

    command: Insight
    step: int
    """Of the run when it was sent."""
    at: float
    is_open: bool = True
    problem: str = ""


class Questions:
    """The commands of one X-ray, each with the number `request` in it, and their answers."""

    def __init__(self, clock: Callable[[], float], request: int) -> None:
        """Number the commands `request`, and those after `forget` one higher."""
        self.request = request
        self._clock = clock
        self._asked: dict[type[Insight], _Asked] = {}
        self._answers: dict[type[Insight], tuple[Insight, InsightEvent]] = {}

    def is_due(self, command: Insight, step: int, *, is_following: bool) -> bool:
        """Return whether to send `command` now, at this step of the run; it then counts as sent."""
        asked = self._asked.get(type(command))
        if asked is not None:
            is_old = is_following and step != asked.step
            is_old = is_old and self._clock() - asked.at >= AGAIN_SECONDS[type(command)] and not asked.problem
            if asked.is_open or (command == asked.command and not is_old):
                return False
        self._asked[type(command)] = _Asked(command, step, self._clock())
        return True

    def accept(self, event: InsightEvent) -> bool:
        """Store the answer to one of these commands; return whether it is one.

        An answer after a refusal shows that the refusal, which has no number, was that of another client.
        """
        asked = self._asked.get(_COMMANDS[type(event)])
        if asked is None or not (asked.is_open or asked.problem) or event.request != self.request:
            return False
        asked.is_open, asked.problem = False, ""
        self._answers[type(asked.command)] = (asked.command, event)
        return True

    def refuse(self, command_name: str, reason: str) -> bool:
        """Store why the open command of this name has no answer; return whether there is one."""
        for asked in self._asked.values():
            if type(asked.command).__name__ == command_name and asked.is_open:
                asked.is_open, asked.problem = False, reason
                return True
        return False

    def answer(self, kind: type[_Command], event_kind: type[_Event]) -> tuple[_Command, _Event] | None:
        """Return the latest command of a type that was answered, and its answer."""
        found = self._answers.get(kind)
        if found is not None and isinstance(found[0], kind) and isinstance(found[1], event_kind):
            return found[0], found[1]
        return None

    def problem(self, kind: type[Insight]) -> str:
        """Return why the latest command of a type was refused; empty if it was not."""
        asked = self._asked.get(kind)
        return asked.problem if asked is not None else ""

    def is_open(self, kind: type[Insight]) -> bool:
        """Return whether a command of a type has no answer yet."""
        asked = self._asked.get(kind)
        return asked is not None and asked.is_open

    def forget(self) -> None:
        """Expect no answer to the open commands any more: all are due again. The latest answers stay."""
        self.request += 1
        self._asked.clear()
