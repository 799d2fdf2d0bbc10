"""Questions to a checkpoint, on a thread of their own, all have an answer."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

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
    """Answers every question with a map; the first only once it may."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.asked: list[Insight] = []

    def answer(self, command: Insight) -> Event:
        self.asked.append(command)
        assert self.may_go_on.wait(60)
        return embeddings_mapped(request=command.request)


def drained(run: CheckpointBridge, num_events: int) -> list[Event]:
    """Wait for that many events."""
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
    later: list[Insight] = [
        insight.ScoreUnits(request=1),
        *(insight.TraceText(text=text, request=number) for text, number in (("a", 1), ("b", 1), ("b", 2))),
    ]
    monkeypatch.setattr(answers_module, "CheckpointAnswers", lambda _: answers)
    with closing(CheckpointBridge(PATH)) as run:
        run.send(insight.MapEmbeddings())
        wait_until(lambda: answers.asked)
        for command in later:
            run.send(command)
        assert not list(run.drain())
        answers.may_go_on.set()
        drained(run, 4)
    assert answers.asked == [insight.MapEmbeddings(), later[2], later[3], later[0]]
    wait_until(lambda: not run._thread.is_alive(), "the end of the thread")


def test_nothing_is_loaded_before_the_first_question_and_a_load_that_fails_refuses_each_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = FakeAnswers()
    answers.may_go_on.set()
    tries: list[Exception] = [
        ZeroDivisionError("oops"),
        CheckpointError("best.safetensors is damaged.", "Use another."),
    ]

    def open_answers(path: Path) -> FakeAnswers:
        assert path == PATH
        if tries:
            raise tries.pop()
        return answers

    monkeypatch.setattr(answers_module, "CheckpointAnswers", open_answers)
    with closing(CheckpointBridge(PATH)) as run:
        assert (list(run.drain()), len(tries)) == ([], 2)
        found = []
        for command in (insight.ScoreUnits(), insight.MapEmbeddings(), insight.MapEmbeddings(request=5)):
            run.send(command)
            found += drained(run, 1)
    damaged, failed, answer = found
    assert isinstance(damaged, e.CommandRefused)
    assert (damaged.command, damaged.title) == ("ScoreUnits", CheckpointError.title)
    assert (damaged.detail, damaged.hint) == ("best.safetensors is damaged.", "Use another.")
    assert isinstance(failed, e.CommandRefused)
    assert "ZeroDivisionError: oops" in failed.detail
    assert answer == embeddings_mapped(request=5)


def test_a_saved_checkpoint_answers_and_refuses_what_its_model_does_not_have(tmp_path: Path) -> None:
    with closing(CheckpointBridge(write_checkpoint(tmp_path / "best.safetensors"))) as run:
        run.send(insight.TraceText(text="the cat", request=7))
        run.send(insight.TraceText(text="the cat", layer=4))
        traced, refused = drained(run, 2)
    assert isinstance(traced, insight.TextTraced)
    assert (traced.request, traced.weights_step, traced.text) == (7, 2, "the cat")
    assert isinstance(refused, e.CommandRefused)
    assert refused.command == "TraceText"
