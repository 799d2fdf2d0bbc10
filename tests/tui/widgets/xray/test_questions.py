"""When an X-ray asks: once at a time, after a change, and again while it follows the training."""

from __future__ import annotations

import pytest

from engine.protocol.commands import MeasureReach, TraceText
from engine.protocol.events import ReachMeasured, TextTraced
from tests.fakes import FakeClock, reach_measured, text_traced
from tui.widgets.xray.questions import Questions

TRACE, CHANGED = TraceText(text="hello", request=7), TraceText(text="hello", request=7, layer=1)
ANSWER = text_traced("hello", request=7)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def questions(clock: FakeClock) -> Questions:
    """Return questions of which one is open, sent at step 10."""
    questions = Questions(clock, request=7)
    assert questions.is_due(TRACE, 10, is_following=True)
    return questions


def test_one_command_of_a_type_is_open_at_most_and_a_change_is_asked_after_its_answer(questions: Questions) -> None:
    assert not questions.is_due(TRACE, 20, is_following=True)
    assert not questions.is_due(CHANGED, 20, is_following=True)
    assert questions.is_due(MeasureReach(text="hello", position=1, request=7), 20, is_following=True), "another type"
    assert questions.accept(ANSWER)
    assert questions.answer(TraceText, TextTraced) == (TRACE, ANSWER)
    assert questions.answer(MeasureReach, ReachMeasured) is None
    assert questions.is_due(CHANGED, 20, is_following=True)


def test_answers_of_other_clients_and_other_types_are_not_accepted(questions: Questions) -> None:
    assert not questions.accept(text_traced("hello", request=8))
    assert not questions.accept(reach_measured("hello", 1, request=7))
    assert not questions.refuse("MeasureReach", "not asked")
    assert questions.accept(ANSWER), "it is still open"


def test_an_answer_after_a_refusal_replaces_it_for_the_refusal_was_of_another_client(questions: Questions) -> None:
    assert questions.refuse("TraceText", "The text is too long.")
    assert questions.accept(ANSWER)
    assert questions.problem(TraceText) == ""
    assert not questions.accept(ANSWER), "it was answered"


def test_a_refused_command_is_not_asked_again_until_it_changes_or_all_is_asked_again(
    questions: Questions, clock: FakeClock
) -> None:
    assert questions.refuse("TraceText", "The text is too long.")
    assert questions.problem(TraceText) == "The text is too long."
    clock.advance(60)
    assert not questions.is_due(TRACE, 99, is_following=True)
    questions.forget()
    assert questions.problem(TraceText) == ""
    assert questions.request == 8
    assert questions.is_due(TraceText(text="hello", request=8), 99, is_following=True)
    assert not questions.accept(ANSWER), "an answer of before"
