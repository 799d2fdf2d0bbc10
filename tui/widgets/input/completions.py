"""`Completions`: when to ask how a line goes on, and what of the answers still holds. Pure but for its clock.

At most one question is unanswered, so that a model that is slow is not flooded; what was typed meanwhile is asked about
as soon as it has answered. The same line is asked about again about once a second while the model learns.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.config.run import SamplingConfig
from engine.protocol.commands import CompleteText
from engine.protocol.events import CharChance, TextCompleted

AGAIN_SECONDS = 1.0


class Completions:
    """The questions about one line that is being typed, and the latest answer."""

    def __init__(self, clock: Callable[[], float], first_request: int = 1) -> None:
        """Begin without a question; the first will have that number, the next ones those after it."""
        self.is_waiting = False
        self.problem = ""
        """Why the latest question was refused."""
        self._clock = clock
        self._request = first_request - 1
        self._requested: tuple[str | None, SamplingConfig, int] = (None, SamplingConfig(), -1)
        self._requested_at = 0.0
        self._text = ""
        self._answer: TextCompleted | None = None

    def due_request(self, text: str, sampling: SamplingConfig, step: int) -> CompleteText | None:
        """Return what to ask now, of a model at this step; None where nothing is due."""
        if self.is_waiting:
            return None
        is_changed = (text, sampling) != self._requested[:2]
        is_old = step != self._requested[2] and self._clock() - self._requested_at >= AGAIN_SECONDS
        if not is_changed and not is_old:
            return None
        self.is_waiting = True
        self._request += 1
        self._requested, self._requested_at = (text, sampling, step), self._clock()
        return CompleteText(text=text, request=self._request)

    def accept(self, answer: TextCompleted) -> None:
        """Take in an answer, if it is that to the latest question."""
        if self.is_waiting and answer.request == self._request:
            self.is_waiting = False
            self.problem = ""
            self._text, self._answer = self._requested[0] or "", answer

    def reject(self, reason: str) -> None:
        """Take in that the latest question was refused."""
        self.is_waiting = False
        self.problem = reason
        self._answer = None

    def ghost(self, text: str) -> str:
        """Return how `text` goes on, also where it goes along with what was answered about its beginning."""
        if self._answer is None:
            return ""
        whole = self._text + "".join(self._answer.completion)
        return whole[len(text) :] if len(text) >= len(self._text) and whole.startswith(text) else ""

    def answer_to(self, text: str) -> TextCompleted | None:
        """Return the answer about exactly this text, if there is one."""
        return self._answer if text == self._text else None

    @property
    def likeliest(self) -> tuple[CharChance, ...]:
        """What may come next, by the latest answer."""
        return self._answer.next_chars if self._answer is not None else ()


def first_word(ghost: str) -> str:
    """Return the beginning of `ghost` up to the end of its first word, with the blanks before it."""
    word_start = len(ghost) - len(ghost.lstrip())
    blank = ghost.find(" ", word_start)
    return ghost if blank < 0 else ghost[:blank]
