"""Questions to a checkpoint, on a thread of their own, all have an answer."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest

from engine.errors import CheckpointError
from engine.insight import answers as answers_module
from engine.protocol import events as e
from engine.protocol import insight
from engine.protocol.events import Event
from engine.protocol.insight import Insight
from tests.engine.checkpoints.saved import write_checkpoint
from tests.fakes import embeddings_mapped
from tests.waiting import wait_until
from tui.screens.checkpoint_bridge import CheckpointBridge

PATH = Path("best.safetensors")


class FakeAnswers:
    """Answers every question with a map, once it may."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.asked: list[Insight] = []

    def answer(self, command: Insight) -> Event:
        self.asked.append(command)
        assert self.may_go_on.wait(60)
        return embeddings_mapped(request=command.request)


def drained(run: CheckpointBridge, num_events: int) -> list[Event]:
    events: list[Event] = []

    def has_enough() -> bool:
        events.extend(run.drain())
        return len(events) >= num_events

    wait_until(has_enough, f"{num_events} events")
    return events


def test_a_newer_question_replaces_an_unanswered_one_of_its_type_and_request_and_scores_come_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = FakeAnswers()
    monkeypatch.setattr(answers_module, "CheckpointAnswers", lambda _: answers)
    first, scores = insight.MapEmbeddings(), insight.ScoreUnits(request=1)
    a, b, c = (insight.TraceText(text=text, request=number) for text, number in (("a", 1), ("b", 1), ("b", 2)))
    with closing(CheckpointBridge(PATH)) as run:
        run.send(first)
        wait_until(lambda: answers.asked)
        for command in (scores, a, b, c):
            run.send(command)
        assert not list(run.drain())
        answers.may_go_on.set()
        drained(run, 4)
    assert answers.asked == [first, b, c, scores]
    wait_until(lambda: not run._thread.is_alive(), "the end of the thread")


def test_nothing_is_loaded_before_the_first_question_and_a_load_that_fails_refuses_each_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = FakeAnswers()
    answers.may_go_on.set()
    failures = CheckpointError("best.safetensors is damaged.", "Use another."), ZeroDivisionError("oops")
    opened = mock.Mock(side_effect=[*failures, answers])
    monkeypatch.setattr(answers_module, "CheckpointAnswers", opened)
    with closing(CheckpointBridge(PATH)) as run:
        assert not list(run.drain())
        assert not opened.called
        found = []
        for command in (insight.ScoreUnits(), insight.MapEmbeddings(), insight.MapEmbeddings(request=5)):
            run.send(command)
            found += drained(run, 1)
    assert opened.call_args_list == [mock.call(PATH)] * 3
    damaged, failed, answer = found
    assert isinstance(damaged, e.CommandRefused)
    assert (damaged.command, damaged.title) == ("ScoreUnits", CheckpointError.title)
    assert (damaged.detail, damaged.hint) == ("best.safetensors is damaged.", "Use another.")
    assert isinstance(failed, e.CommandRefused)
    assert "ZeroDivisionError: oops" in failed.detail
    assert answer == embeddings_mapped(request=5)


def test_a_saved_checkpoint_answers_and_refuses_what_its_model_does_not_have(tmp_path: Path) -> None:
    with closing(CheckpointBridge(write_checkpoint(tmp_path / "best.safetensors"))) as run:
        for layer in (0, 4):
            run.send(insight.TraceText(text="the cat", request=7 + layer, layer=layer))
        traced, refused = drained(run, 2)
    assert isinstance(traced, insight.TextTraced)
    assert (traced.request, traced.weights_step, traced.text) == (7, 2, "the cat")
    assert isinstance(refused, e.CommandRefused)
    assert refused.command == "TraceText"
