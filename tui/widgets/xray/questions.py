"""`Questions`: which commands of an X-ray are due, and their answers. Pure apart from its clock.

At most one command of a type is unanswered, so that a slow model is not flooded; what changed meanwhile is asked after
the answer. A command that has not changed is due again while the X-ray follows a model that learns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.protocol.insight import HoldUnit, Insight, InsightEvent, ScoreUnits
from tui.xray.state import Answers

AGAIN_SECONDS: dict[type[Insight], float] = {HoldUnit: 2.0, ScoreUnits: 30.0}
"""How old an answer is at least before its command is repeated, by what it costs the session."""
_OTHERS_AGAIN_SECONDS = 1.0


@dataclass
class _Asked:
    """The latest command of a type, and its result."""

    command: Insight
    step: int
    """The step of the run when it was sent."""
    at: float
    is_open: bool = True
    problem: str = ""


class Questions:
    """The commands of one X-ray, each with the number `request` in it, and their answers."""

    def __init__(self, clock: Callable[[], float], request: int) -> None:
        """Number the commands `request`, and those after `forget` one higher."""
        self.request = request
        self.answers = Answers()
        self._clock = clock
        self._asked: dict[type[Insight], _Asked] = {}

    def is_due(self, command: Insight, step: int, *, is_following: bool) -> bool:
        """Return whether to send `command` now, at this step of the run; it then counts as sent."""
        asked = self._asked.get(type(command))
        if asked is not None:
            again_seconds = AGAIN_SECONDS.get(type(command), _OTHERS_AGAIN_SECONDS)
            is_old = is_following and step != asked.step and not asked.problem
            is_old = is_old and self._clock() - asked.at >= again_seconds
            if asked.is_open or (command == asked.command and not is_old):
                return False
        self._asked[type(command)] = _Asked(command, step, self._clock())
        return True

    def accept(self, event: InsightEvent) -> bool:
        """Store the answer to one of these commands; return whether it is one.

        An answer after a refusal shows that the refusal, which has no number, was that of another client.
        """
        asked = self._asked.get(event.question)
        if asked is None or not (asked.is_open or asked.problem) or event.request != self.request:
            return False
        asked.is_open, asked.problem = False, ""
        self.answers.add(asked.command, event)
        return True

    def refuse(self, command_name: str, reason: str) -> bool:
        """Store why the open command of this name has no answer; return whether there is one."""
        for asked in self._asked.values():
            if type(asked.command).__name__ == command_name and asked.is_open:
                asked.is_open, asked.problem = False, reason
                return True
        return False

    def problem(self, kind: type[Insight]) -> str:
        """Return why the latest command of a type was refused; empty if it was not."""
        asked = self._asked.get(kind)
        return asked.problem if asked is not None else ""

    def forget(self) -> None:
        """Expect no answer to the open commands any more: all are due again. The latest answers stay."""
        self.request += 1
        self._asked.clear()
