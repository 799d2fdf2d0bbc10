"""Questions about a checkpoint are answered on a thread, the newest of each kind, and every error is a refusal."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import CheckpointError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Insight
from engine.protocol.events import Event
from tests.engine.checkpoints.saved import write_checkpoint
from tests.fakes import embeddings_mapped
from tests.waiting import wait_until
from tui.run.checkpoint_bridge import CheckpointBridge

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


def drained(bridge: CheckpointBridge, num_events: int) -> list[Event]:
    """Wait for that many events."""
    events: list[Event] = []

    def has_enough() -> bool:
        events.extend(bridge.drain())
        return len(events) >= num_events

    wait_until(has_enough, f"{num_events} events")
    return events


def test_a_newer_question_replaces_an_unanswered_one_of_its_type_and_request_and_scores_come_last() -> None:
    answers = FakeAnswers()
    later: list[Insight] = [
        c.ScoreUnits(request=1),
        *(c.TraceText(text=text, request=number) for text, number in (("a", 1), ("b", 1), ("b", 2))),
    ]
    with closing(CheckpointBridge(PATH, lambda _: answers)) as bridge:
        bridge.send(c.MapEmbeddings())
        wait_until(lambda: answers.asked)
        for command in later:
            bridge.send(command)
        assert bridge.drain() == ()
        answers.may_go_on.set()
        drained(bridge, 4)
    assert answers.asked == [c.MapEmbeddings(), later[2], later[3], later[0]]
    wait_until(lambda: not bridge._thread.is_alive(), "the end of the thread")


def test_a_checkpoint_that_can_not_be_loaded_refuses_each_question_until_it_can() -> None:
    answers = FakeAnswers()
    answers.may_go_on.set()
    tries = iter([CheckpointError("best.safetensors is damaged.", "Use another."), ZeroDivisionError("oops")])

    def open_answers(path: Path) -> FakeAnswers:
        assert path == PATH
        for error in tries:
            raise error
        return answers

    with closing(CheckpointBridge(PATH, open_answers)) as bridge:
        found = []
        for command in (c.ScoreUnits(), c.MapEmbeddings(), c.MapEmbeddings(request=5)):
            bridge.send(command)
            found += drained(bridge, 1)
    damaged, failed, answer = found
    assert isinstance(damaged, e.CommandRefused)
    assert (damaged.command, damaged.title) == ("ScoreUnits", CheckpointError.title)
    assert (damaged.detail, damaged.hint) == ("best.safetensors is damaged.", "Use another.")
    assert isinstance(failed, e.CommandRefused)
    assert "ZeroDivisionError: oops" in failed.detail
    assert answer == embeddings_mapped(request=5)


def test_a_saved_checkpoint_answers_and_refuses_what_its_model_does_not_have(tmp_path: Path) -> None:
    with closing(CheckpointBridge(write_checkpoint(tmp_path / "best.safetensors"))) as bridge:
        bridge.send(c.TraceText(text="the cat", request=7))
        bridge.send(c.TraceText(text="the cat", layer=4))
        traced, refused = drained(bridge, 2)
    assert isinstance(traced, e.TextTraced)
    assert (traced.request, traced.weights_step, traced.text) == (7, 2, "the cat")
    assert isinstance(refused, e.CommandRefused)
    assert refused.command == "TraceText"


def test_nothing_is_loaded_before_the_first_question() -> None:
    with closing(CheckpointBridge(PATH, lambda _: pytest.fail("loaded"))) as bridge:
        assert bridge.drain() == ()
