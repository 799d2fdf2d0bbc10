"""The prompt line: requests, ghost text, and keys that type letters while it is open."""

from __future__ import annotations

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.sampling import SamplingConfig
from engine.protocol import commands, events
from tests.fakes import FakeSession, paused, run_finished, run_started, steps_finished, text_completed
from tests.tui.conftest import SCRIPT, Running, Stage
from tests.tui.transcripts import Step, transcript
from tui.formatting.chances import shown_char


@pytest.mark.parametrize(
    ("char", "label"),
    [(" ", "␣"), ("", "end"), ("雪", "雪"), ("\u0301", "U+0301"), ("\x1b", "U+001B"), ("\ud800", "U+D800")],
)
def test_the_label_of_a_character_is_visible_and_safe(char: str, label: str) -> None:
    assert shown_char(char) == label


LEARNED = steps_finished(4, [3.0] * 50)
ENDED = run_finished(9, "stopped")


class Ending(FakeSession):
    """Has ended, and answers nothing, once it has emitted `ENDED`."""

    def answer(self, command: commands.Command) -> events.Event:
        return ENDED if self._step == ENDED.step else super().answer(command)


PLAYS: dict[str, tuple[FakeSession, tuple[Step, ...]]] = {
    "the model completes the line also while paused, and arrows change the temperature": (
        FakeSession(SCRIPT),
        (paused(3), "p", "t h e space c a t", "tab", "right", "up", "down"),
    ),
    "the completion stays while the model learns, until it is asked for again": (
        FakeSession(SCRIPT),
        ("p", "t h e", LEARNED, "left right", "ctrl+r"),
    ),
    "keys type letters, and enter samples each completion as it is shown": (
        FakeSession(SCRIPT),
        ("p", "q space g + - ? K p c", "enter", "enter", "escape", "g", "p"),
    ),
    "a line that can't be submitted says why": (
        FakeSession(SCRIPT, run_started(sampling=SamplingConfig(max_length=10))),
        ("p", "a ß 雪", "enter", "backspace backspace", "backspace 0 1 2 3 4 5 6 7 8 9", "backspace"),
    ),
    "after the end of the run the line stays open, and what is typed acts on nothing": (
        Ending(SCRIPT),
        ("p", ENDED, "q u i c k space", "enter", "escape", "p"),
    ),
}


def focused(at: Running) -> str:
    return f"focus on {type(at.app.screen.focused).__name__}"


@pytest.mark.parametrize("claim", PLAYS)
async def test_the_line_is_typed_into_as_recorded(stage: Stage, claim: str, snapshot: SnapshotAssertion) -> None:
    session, steps = PLAYS[claim]
    async with stage.running(session) as at:
        assert await transcript(at, *steps, note=focused) == snapshot


class SlowSession(FakeSession):
    """Answers requests only when the test allows it."""

    def __init__(self) -> None:
        super().__init__(SCRIPT)
        self.asked: list[commands.CompleteText] = []

    def answer(self, command: commands.Command) -> events.Event:
        if isinstance(command, commands.CompleteText):
            self.asked.append(command)
            return steps_finished(self._step + 1, [4.0])
        return super().answer(command)


async def test_only_the_answer_to_its_own_request_and_draw_is_shown_and_a_refusal_in_the_line(stage: Stage) -> None:
    session = SlowSession()
    async with stage.running(session) as at:
        await at.press("p", *"abc", shows="› abc")
        [first] = session.asked
        await at.emit(text_completed("", request=first.request + 7, step=9))
        assert "and on" not in at.text
        await at.emit(text_completed("", request=first.request, step=10))
        assert session.asked[1:] == [commands.CompleteText(text="abc", request=first.request + 1)]
        await at.press("ctrl+r")
        await at.emit(text_completed("abc", request=first.request + 1, step=11))
        assert "and on" not in at.text, "what enter samples is not the answer to the request before"
        assert session.asked[2:] == [commands.CompleteText(text="abc", request=first.request + 2, draw=1)]
        await at.emit(text_completed("abc", request=first.request + 2, step=12))
        assert "› abc and on" in at.text
        await at.press("d")
        refusal = {"command": "CompleteText", "title": "t", "detail": "It has gone wrong.", "hint": ""}
        await at.emit(events.CommandRefused(step=13, elapsed_seconds=1.0, **refusal))
        await at.press(shows="It has gone wrong.")
        assert at.app.screen is at.app._main_screen
