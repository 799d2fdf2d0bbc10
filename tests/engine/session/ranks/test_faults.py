"""What goes wrong on one rank: the others end, the user reads why, and nothing wrong is saved."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from engine.config.run import RunConfig
from engine.corpus.training_data import TrainingData, load_training_data
from engine.errors import (
    CorpusError,
    DeviceMemoryError,
    DistributedError,
    RankLostError,
    TweetgenError,
    WeightsDifferError,
)
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session.ranks import leader, worker
from engine.session.ranks.connection import Answer, AnyOrder, Ranks, Report
from engine.session.ranks.place import (
    TIMEOUT_VARIABLE,
)
from engine.session.ranks.worker import Worker
from engine.storage.folders import find_run
from engine.training.trainer import Trainer
from tests.engine import helpers as h
from tests.engine.session.ranks.shared_runs import TIMEOUT_SECONDS, is_rank_1, on_ranks, outcomes_of, run_shared

GONE = r".*Connection (closed|reset) by peer"
"""What the system says of a connection whose other end has closed: a reset where the other end had not read all yet."""


def events_until(error: type[Exception], match: str | None, config: RunConfig, **options: Any) -> list[e.Event]:
    """Run a shared session that raises an error; return its events."""
    emitted: list[e.Event] = []

    def on_event(event: e.Event) -> list[c.Command]:
        emitted.append(event)
        return []

    with pytest.raises(error, match=match):
        run_shared(config, on_event=on_event, **options)
    return emitted


# Other tweets, errors and weights -------------------------------------------------------------------------------------
def test_a_file_that_one_machine_lacks_is_named_before_a_step(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = CorpusError("small.txt can't be read: no such file.", "Copy it.")
    h.let_fail(monkeypatch, "engine.session.ranks.worker.load_training_data", missing, 1)
    emitted = events_until(DistributedError, r"Rank 1 on .* can't read the tweets: small\.txt", h.tiny_config(corpus))
    failed = h.only(emitted, e.RunFailed)
    assert len(emitted) == 1
    assert failed.detail.endswith("small.txt can't be read: no such file.")
    assert failed.hint == "Copy it."
    with pytest.raises(TweetgenError):
        find_run("tiny")


def test_other_tweets_on_one_machine_are_found_before_a_step(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load_others(*args: Any) -> TrainingData:
        data = load_training_data(*args)
        return replace(data, corpus=replace(data.corpus, digest="another"))

    monkeypatch.setattr(worker, "load_training_data", load_others)
    events_until(DistributedError, r"The tweets of rank 1 on .* are not those of rank 0", h.tiny_config(corpus))


def test_an_error_of_the_leader_ends_the_workers_with_its_words(corpus: Path) -> None:
    of_leader, of_worker = outcomes_of(h.tiny_config(corpus / "missing"))
    assert isinstance(error := of_worker.exception(), DistributedError)
    assert error.message == h.only(of_leader.result(), e.RunFailed).detail


@pytest.mark.parametrize(
    ("error", "detail", "hint"),
    [
        (DeviceMemoryError("Not enough memory.", "Train a smaller model."), "Not enough memory.", "Train a smaller"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero", ""),
    ],
)
def test_an_error_of_a_worker_fails_the_run_with_its_words_and_no_step_that_it_lacks_is_saved(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, detail: str, hint: str
) -> None:
    """Also in the middle of a promise of so many steps that as many non-finite ones would be a divergence."""
    monkeypatch.setattr(leader, "PROMISE_SECONDS", 1e9)
    target = "engine.training.out_of_memory.OutOfMemoryRetry.take_step"
    h.let_fail(monkeypatch, target, error, lambda oom, *_: is_rank_1() and oom._state.trainer.step_count == 4)
    emitted = events_until(DistributedError, f"Rank 1: {detail}", h.tiny_config(corpus, max_steps=20, save_every=2))
    failed = h.only(emitted, e.RunFailed)
    assert failed.detail == f"Rank 1: {detail}"
    assert failed.hint.startswith(hint)
    assert {event.kind for event in h.of_type(emitted, e.Warned)} == {"not-finite"}  # no rollback
    assert h.latest().step <= 4


def test_a_worker_without_memory_for_the_model_fails_the_run_before_a_broadcast_waits_for_it(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = DeviceMemoryError("Not enough memory.", "Train a smaller model.")
    h.let_fail(monkeypatch, "engine.session.ranks.connection.Trainer", error, lambda *_, **__: is_rank_1())
    emitted = events_until(DistributedError, "Rank 1: Not enough memory", h.tiny_config(corpus), world_size=3)
    assert h.only(emitted, e.RunFailed).detail == "Rank 1: Not enough memory."


class WithoutEnd:
    """The group of a rank, as NCCL's with a rank that is lost: whatever ends it blocks."""

    def __init__(self, group: Any) -> None:
        self.allreduce = group.allreduce
        self.broadcast = group.broadcast

    def __getattr__(self, name: str) -> Any:
        threading.Event().wait()


def test_after_an_error_of_the_leader_within_a_promise_all_end_in_order_without_waiting_for_each_other(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "PROMISE_SECONDS", 1e9)
    target = "engine.training.trainer.Trainer.step"
    error = ZeroDivisionError("by zero")
    sound = Trainer.step
    h.let_fail(monkeypatch, target, error, lambda trainer, *_: not is_rank_1() and trainer.step_count == 5)
    of_leader, of_worker = outcomes_of(h.tiny_config(corpus, max_steps=20), wrapped=WithoutEnd)
    failed = h.only(of_leader.result(), e.RunFailed)
    assert failed.detail == "ZeroDivisionError: by zero"
    ended = of_worker.exception()
    assert isinstance(ended, DistributedError)
    assert not isinstance(ended, RankLostError)  # after which torchrun would start all again
    assert ended.message == failed.detail
    assert h.latest().step == 5
    monkeypatch.setattr(target, sound)
    plain = h.plain_losses(max_steps=20)
    assert h.losses(run_shared(h.resume_config("tiny"))) == pytest.approx({s: plain[s] for s in range(6, 21)}, abs=1e-5)


def test_a_run_that_is_stopped_while_others_read_the_tweets_ends_in_order(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox: queue.SimpleQueue[c.Command] = queue.SimpleQueue()
    is_stopped = threading.Event()

    def load_and_stop(*args: Any) -> TrainingData:
        data = load_training_data(*args)
        inbox.put(c.Stop(reason="interrupted"))
        is_stopped.set()
        return data

    def load_later(*args: Any) -> TrainingData:
        assert is_stopped.wait(TIMEOUT_SECONDS)
        return load_training_data(*args)

    monkeypatch.setattr(leader, "load_training_data", load_and_stop)
    monkeypatch.setattr(worker, "load_training_data", load_later)
    [ended] = run_shared(h.tiny_config(corpus), inbox=inbox)
    assert isinstance(ended, e.RunFinished)
    assert ended.reason == "interrupted"


@pytest.fixture
def changed_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Change a weight of the workers after step 5, with promises of one step each."""
    monkeypatch.setattr(leader, "MAX_STEPS", 1)

    def change_a_weight(self: Worker, rates: tuple[float, ...]) -> None:
        take_steps(self, rates)
        if self.trainer.step_count == 5:
            with torch.no_grad():
                self.trainer.model.proj.bias[3] += 1e-3

    take_steps = Worker._take_steps
    monkeypatch.setattr(Worker, "_take_steps", change_a_weight)


@pytest.mark.usefixtures("changed_weight")
@pytest.mark.parametrize("command", [None, c.SaveCheckpoint(name="mine"), c.SaveLatest(), c.Stop(unless_unsaved=True)])
def test_ranks_whose_weights_differ_are_found_at_the_next_save_which_does_not_happen(
    corpus: Path, command: c.Command | None
) -> None:
    """One that the user asks for ends the run, too, and is not just refused."""
    step = 9 if command else 8
    match = rf"The weights of rank 1 on .* differ from those of rank 0 at step {step}"
    config = h.tiny_config(corpus, save_every=0 if command else 8)
    emitted = events_until(WeightsDifferError, match, config, script={9: [command]} if command else {})
    assert {"RunFailed", "CommandRefused"}.isdisjoint(h.names(emitted))
    assert h.latest().step == 0
    assert not isinstance(h.journalled()[-1], e.RunFinished | e.RunFailed)


# Lost ranks -----------------------------------------------------------------------------------------------------------
def test_a_rank_that_does_not_answer_is_lost_after_the_timeout_and_named(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = Ranks.receive_order

    def hang_at_a_report(self: Ranks) -> AnyOrder:
        order = receive(self)
        return receive(self) if isinstance(order, Report) else order

    monkeypatch.setattr(Ranks, "receive_order", hang_at_a_report)
    with pytest.raises(RankLostError, match=r"^No answer from rank 1 within 1 s\.$"):
        run_shared(h.tiny_config(corpus), timeout_seconds=1.0)


@pytest.mark.parametrize(
    ("of_leader", "of_worker", "words"),
    [
        (
            lambda ranks: ranks.send_order(Report()),
            Ranks.receive_order,
            "An order was not received by ranks 1 and 3 within 1 s.",
        ),
        (
            lambda ranks: ranks.receive_answers(Answer()),
            lambda ranks: ranks.send_answer(Answer()),
            "No answer from ranks 1 and 3 within 1 s.",
        ),
    ],
    ids=["order", "answer"],
)
def test_of_several_ranks_those_that_hang_are_named(
    of_leader: Callable[[Ranks], object], of_worker: Callable[[Ranks], object], words: str
) -> None:
    has_ended = threading.Event()

    def work(ranks: Ranks) -> None:
        if ranks.place.rank == 2:
            of_worker(ranks)
        if not ranks.place.is_leader:
            assert has_ended.wait(TIMEOUT_SECONDS)
            return
        try:
            of_leader(ranks)
        finally:
            has_ended.set()

    lost = on_ranks(work, world_size=4, timeout_seconds=1.0)[0].exception()
    assert isinstance(lost, RankLostError)
    assert lost.message == words
    assert lost.hint == f"Look at their output: they may hang. {TIMEOUT_VARIABLE} sets the seconds."


def test_a_rank_that_waits_for_an_order_loses_a_leader_that_ends_at_once() -> None:
    is_waiting = threading.Event()

    def work(ranks: Ranks) -> None:
        if ranks.place.is_leader:
            assert is_waiting.wait(TIMEOUT_SECONDS)
        else:
            is_waiting.set()
            ranks.receive_order()

    lost = on_ranks(work)[1].exception()
    assert isinstance(lost, RankLostError)
    assert re.search(rf"the connection to rank 0 failed\. {GONE}", lost.message)


@pytest.mark.parametrize(("ending", "world_size"), [(1, 2), (1, 4), (2, 4), (3, 4)])
@pytest.mark.parametrize("poll", [None, lambda: None], ids=["limited", "polled"])
def test_a_rank_that_ends_is_lost_at_once_while_the_others_are_yet_to_answer(
    ending: int, world_size: int, poll: Callable[[], None] | None
) -> None:
    is_waiting, is_lost = threading.Event(), threading.Event()

    def work(ranks: Ranks) -> None:
        if ranks.place.rank == ending:
            assert is_waiting.wait(TIMEOUT_SECONDS)
        elif ranks.place.is_leader:
            group: Any = ranks._orders
            ranks._orders = group = Mock(wraps=group)
            received = count(1)

            def receive(*args: Any) -> Any:
                transfer = sound(*args)
                if next(received) == world_size - 1:
                    is_waiting.set()
                return transfer

            sound, group.recv = group.recv, receive
            try:
                ranks.receive_answers(Answer(), poll=poll)
            finally:
                is_lost.set()
        else:
            assert is_lost.wait(TIMEOUT_SECONDS)

    lost, *others = on_ranks(work, world_size=world_size)
    assert not any(each.exception() for each in others)
    assert isinstance(error := lost.exception(), RankLostError)
    assert re.search(rf"the connection to rank {ending} failed\. {GONE}", error.message)


@pytest.mark.parametrize("is_early", [True, False])
@pytest.mark.parametrize("is_lost", [True, False])
def test_a_sigterm_saves_and_ends_the_run_unless_torchrun_sent_it_since_a_rank_was_lost(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, is_lost: bool, is_early: bool
) -> None:
    monkeypatch.setattr(Ranks, "LAST_SECONDS", 0.1 if is_lost else 60.0)
    emitted: list[e.Event] = []
    stop = c.Stop(reason="terminated")
    inbox: queue.SimpleQueue[c.Command] = queue.SimpleQueue()

    def on_event(event: e.Event) -> list[c.Command]:
        emitted.append(event)
        return [stop] if isinstance(event, e.Paused) else []

    def work(ranks: Ranks) -> None:
        ranks.is_terminated = ranks.place.is_leader
        if ranks.place.is_leader:
            inbox.put(stop if is_early else c.Pause())
            h.run_tiny(corpus, on_event=on_event, inbox=inbox, ranks=ranks)
        elif not (is_lost and is_early):
            Worker(ranks, num_threads=1).run()

    if is_lost:  # while it waits in the pause, after the first save
        answers, answer = count(1), Ranks.send_answer  # to `Begin`, to `Build`, and to the report of the first save
        monkeypatch.setattr(Ranks, "send_answer", lambda *given: answer(*given) if next(answers) <= 3 else None)
    error = on_ranks(work)[0].exception()
    assert isinstance(error, RankLostError) == is_lost
    last = "" if is_lost and is_early else "Paused" if is_lost else "RunFinished"
    assert "".join(h.names(emitted[-1:])) == last


def test_a_rank_that_ends_within_a_promise_is_lost_at_once(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worker, "_take_steps", Mock(side_effect=RankLostError("killed")))
    events_until(RankLostError, "ended or hangs", h.tiny_config(corpus))
    assert h.latest().step == 0


def test_a_run_whose_ranks_were_lost_after_its_last_step_ends_well_when_they_start_again(corpus: Path) -> None:
    run_shared(h.tiny_config(corpus))
    again = run_shared(h.resume_config("tiny"), is_restarted=True)
    assert h.only(again, e.RunFinished).reason == "max_steps"
    assert h.only(again, e.RunFinished).step == 12


@pytest.mark.parametrize("error", [RankLostError("killed"), ZeroDivisionError("by zero")], ids=["lost", "failed"])
def test_a_last_save_without_the_report_of_a_rank_happens_without_old_generators(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    reports = count(1)  # the first save and `step-6` are answered; the last is not
    target = "engine.session.ranks.worker.Worker._report"
    h.let_fail(monkeypatch, target, error, lambda *_: next(reports) > 2)
    monkeypatch.setattr(Ranks, "LAST_SECONDS", 60.0)
    of_leader, _ = outcomes_of(h.tiny_config(corpus, save_every=6, max_steps=9, dropout=0.2))
    assert h.only(of_leader.result(), e.RunFinished).step == 9
    words = "the connection to rank 1 failed" if isinstance(error, RankLostError) else "Rank 1: ZeroDivisionError: by"
    [warning] = h.of_type(of_leader.result(), e.Warned)
    assert warning.message.startswith("Not all processes confirmed their weights before the last save. ")
    assert words in warning.message
    assert "generator.cpu.1" in h.tensors_of("tiny", "step-6")
    assert h.latest().step == 9
    assert "generator.cpu.1" not in h.tensors_of("tiny")


def test_a_last_save_does_not_happen_if_the_weights_of_one_rank_differ_while_another_has_a_problem(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Worker._report

    def change_or_fail(self: Worker, order: Report, answer: Answer) -> Answer:
        if self.trainer.step_count == 9:
            if is_rank_1():
                raise ZeroDivisionError("by zero")
            with torch.no_grad():
                self.trainer.model.proj.bias[3] += 1e-3
        return report(self, order, answer)

    monkeypatch.setattr(Worker, "_report", change_or_fail)
    config = h.tiny_config(corpus, max_steps=9, eval_every=0, sample_every=0)
    events_until(WeightsDifferError, r"The weights of rank 2 on .* differ", config, world_size=3)
    assert h.latest().step == 0
