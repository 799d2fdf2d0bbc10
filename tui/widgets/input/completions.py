"""`Completions`: when to request a completion of the prompt, and which answer still applies. Pure.

At most one request is unanswered, so that a slow model is not flooded; text typed meanwhile is requested after the
answer. While the model learns, an answer stays as it is until the text or the sampling changes, or `refresh` is called:
a ghost text that changed under the user's eyes could not be accepted.
"""

from __future__ import annotations

from engine.config.sampling import SamplingConfig
from engine.protocol.commands import CompleteText
from engine.protocol.events import CharChance, TextCompleted


class Completions:
    """The requests for one line of input, and the latest answer."""

    def __init__(self, first_request: int = 1) -> None:
        """Number requests from `first_request` on."""
        self.is_waiting = False
        self.problem = ""
        """Why the latest request was refused."""
        self.draw = 0
        """The number of the random continuation; another one continues the text in another way."""
        self._request = first_request - 1
        self._requested: tuple[str, SamplingConfig] | None = None
        self._requested_text, self._requested_draw = "", 0
        self._text, self._draw_shown = "", 0
        self._answer: TextCompleted | None = None

    def refresh(self) -> None:
        """Request the same text again, of the model as it is now."""
        self._requested = None

    def redraw(self) -> None:
        """Request another random continuation."""
        self.draw += 1
        self.refresh()

    def due_request(self, text: str, sampling: SamplingConfig) -> CompleteText | None:
        """Return the request that is due for this text, if any."""
        if self.is_waiting or (text, sampling) == self._requested:
            return None
        self.is_waiting = True
        self._request += 1
        self._requested, self._requested_text, self._requested_draw = (text, sampling), text, self.draw
        return CompleteText(text=text, request=self._request, draw=self.draw)

    def accept(self, answer: TextCompleted) -> None:
        """Store the answer to the latest request; ignore any other."""
        if self.is_waiting and answer.request == self._request:
            self.is_waiting = False
            self.problem = ""
            self._text, self._draw_shown, self._answer = self._requested_text, self._requested_draw, answer

    def reject(self, reason: str) -> None:
        """Store the refusal of the latest request."""
        self.is_waiting = False
        self.problem = reason
        self._answer = None

    def ghost(self, text: str) -> str:
        """Return the completion of `text`, also if `text` follows the completion of an earlier prefix.

        Empty until the answer with the current draw arrives.
        """
        if self._answer is None or self._draw_shown != self.draw:
            return ""
        whole = self._text + "".join(self._answer.completion)
        return whole[len(text) :] if len(text) >= len(self._text) and whole.startswith(text) else ""

    def answer_to(self, text: str) -> TextCompleted | None:
        """Return the answer for exactly this text, if there is one."""
        return self._answer if text == self._text else None

    @property
    def likeliest(self) -> tuple[CharChance, ...]:
        """The likeliest next characters of the latest answer."""
        return self._answer.next_chars if self._answer is not None else ()


def first_word(ghost: str) -> str:
    """Return `ghost` up to the end of its first word, including leading spaces."""
    word_start = len(ghost) - len(ghost.lstrip())
    blank = ghost.find(" ", word_start)
    return ghost if blank < 0 else ghost[:blank]
