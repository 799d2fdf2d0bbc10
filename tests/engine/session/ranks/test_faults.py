"""What goes wrong on one rank: the others end too, the user reads why, and nothing wrong is saved."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch

from engine.checkpoints.checkpoint import load_checkpoint
from engine.config.corpus import CorpusConfig
from engine.corpus.training_data import TrainingData, load_training_data
from engine.errors import (
    CorpusError,
    DeviceMemoryError,
    DistributedError,
    RankLostError,
    TweetgenError,
    WeightsDifferError,
)
from engine.parallel import ranks as ranks_module
from engine.parallel.leases import Lease, Report
from engine.parallel.ranks import Ranks
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import Event
from engine.session import session
from engine.session.ranks import follower as follower_module
from engine.session.ranks import leader
from engine.session.ranks.follower import Follower
from engine.storage.folders import find_run
from engine.storage.journal_reader import read_journal
from tests.engine.helpers import latest, names, of_type, only, resume_config, run_session, tiny_config
from tests.engine.parallel.threads import on_ranks
from tests.engine.session.ranks.shared_runs import run_shared


def recorder(emitted: list[Event]) -> Callable[[Event], list[Command]]:
    """Return a callback that stores events and sends no command."""

    def on_event(event: Event) -> list[Command]:
        emitted.append(event)
        return []

    return on_event


def with_follower_that_loads(monkeypatch: pytest.MonkeyPatch, change: Callable[[TrainingData], TrainingData]) -> None:
    """Let the followers, and not the leader, load tweets that `change` returns."""
    monkeypatch.setattr(follower_module, "load_training_data", lambda *args: change(load_training_data(*args)))


def test_a_file_that_one_machine_lacks_is_named_before_the_first_step(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(_: TrainingData) -> TrainingData:
        raise CorpusError("small.txt can't be read: no such file.", "Copy it.")

    with_follower_that_loads(monkeypatch, change)
    emitted: list[Event] = []
    with pytest.raises(DistributedError, match=r"Rank 1 on .* can't read the tweets: small\.txt"):
        run_shared(tiny_config(corpus), on_event=recorder(emitted))
    [failed] = of_type(emitted, e.RunFailed)
    assert len(emitted) == 1
    assert failed.detail.endswith("small.txt can't be read: no such file.")
    assert failed.hint == "Copy it."
    with pytest.raises(TweetgenError):
        find_run("tiny")


def test_other_tweets_on_one_machine_are_found_before_the_first_step(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_follower_that_loads(monkeypatch, lambda data: replace(data, corpus=replace(data.corpus, digest="another")))
    with pytest.raises(DistributedError, match=r"The tweets of rank 1 on .* are not those of rank 0"):
        run_shared(tiny_config(corpus))


def test_an_error_of_the_leader_ends_the_followers_with_its_words(corpus: Path) -> None:
    config = replace(tiny_config(corpus), corpus=CorpusConfig(files=(str(corpus / "missing"),)))

    def work(ranks: Ranks) -> list[Event]:
        if ranks.place.is_leader:
            return run_session(config, ranks=ranks)
        Follower(ranks, torch.device("cpu")).run()
        return []

    of_leader, of_follower = on_ranks(work)
    failed = only(of_leader.result(), e.RunFailed)
    assert isinstance(error := of_follower.exception(), DistributedError)
    assert error.message == failed.detail


def test_a_follower_without_memory_for_one_tweet_fails_the_run_with_its_words(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Follower, _rates: tuple[float, ...]) -> None:
        raise DeviceMemoryError("There is not enough memory for a single tweet.", "Train a smaller model.")

    monkeypatch.setattr(Follower, "_take_steps", fail)
    emitted: list[Event] = []
    with pytest.raises(DeviceMemoryError):
        run_shared(tiny_config(corpus), on_event=recorder(emitted))
    failed = only(emitted, e.RunFailed)
    assert failed.detail == "Rank 1: There is not enough memory for a single tweet."
    assert failed.hint.startswith("Train a smaller model.")


@pytest.fixture
def changed_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Change a weight of the followers after step 5, with leases of one step each."""
    monkeypatch.setattr(leader, "MAX_STEPS", 1)

    def change_a_weight(self: Follower, rates: tuple[float, ...]) -> None:
        take_steps(self, rates)
        assert self._state is not None
        if self._state.step == 5:
            with torch.no_grad():
                self._state.trainer.model.proj.bias[3] += 1e-3

    take_steps = Follower._take_steps
    monkeypatch.setattr(Follower, "_take_steps", change_a_weight)


@pytest.mark.usefixtures("changed_weight")
def test_ranks_whose_weights_differ_are_found_at_the_next_save_which_does_not_happen(corpus: Path) -> None:
    emitted: list[Event] = []
    with pytest.raises(WeightsDifferError, match=r"The weights of rank 1 on .* differ from those of rank 0 at step 8"):
        run_shared(tiny_config(corpus, save_every=8), on_event=recorder(emitted))
    assert "RunFailed" not in names(emitted)
    assert latest().step == 0
    assert not isinstance(list(read_journal(find_run("tiny").journal_path))[-1], e.RunFinished | e.RunFailed)


@pytest.mark.usefixtures("changed_weight")
@pytest.mark.parametrize("command", [c.SaveCheckpoint(name="mine"), c.SaveLatest(), c.Stop(unless_unsaved=True)])
def test_a_save_that_the_user_asks_for_ends_a_run_whose_weights_differ_and_is_not_merely_refused(
    corpus: Path, command: Command
) -> None:
    emitted: list[Event] = []
    sent = {9: [command]}

    def on_event(event: Event) -> list[Command]:
        emitted.append(event)
        return sent.pop(event.step, []) if isinstance(event, e.StepsFinished) else []

    with pytest.raises(WeightsDifferError, match="at step 9"):
        run_shared(tiny_config(corpus), on_event=on_event)
    assert "CommandRefused" not in names(emitted)


def test_a_rank_that_hangs_is_lost_after_the_timeout(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    next_lease = Ranks.next_lease

    def hang_at_a_report(self: Ranks) -> Lease:
        lease = next_lease(self)
        return next_lease(self) if isinstance(lease, Report) else lease

    pulse = count()
    monkeypatch.setattr(Ranks, "next_lease", hang_at_a_report)
    monkeypatch.setattr(Ranks, "_pulse", lambda self: next(pulse))  # a busy machine delays no heartbeat
    with pytest.raises(RankLostError, match="Rank 1 does not answer for 1 s"):
        run_shared(tiny_config(corpus), timeout_seconds=1.0)


@pytest.mark.parametrize(("timeout_seconds", "is_terminated"), [(1.0, False), (60.0, True)])
def test_a_leader_that_shows_no_sign_of_life_is_lost_after_the_timeout_or_soon_after_a_sigterm(
    monkeypatch: pytest.MonkeyPatch, timeout_seconds: float, is_terminated: bool
) -> None:
    monkeypatch.setattr(Ranks, "_beat", lambda self: None)
    monkeypatch.setattr(ranks_module, "_TERMINATED_SECONDS", 1.0)

    def work(ranks: Ranks) -> None:
        ranks.is_terminated = is_terminated
        if not ranks.place.is_leader:
            ranks.next_lease()

    lost = on_ranks(work, timeout_seconds=timeout_seconds)[1].exception()
    assert isinstance(lost, RankLostError)
    assert lost.message == "Rank 0 has sent no heartbeat for 1 s."


@pytest.mark.parametrize("is_early", [True, False])
@pytest.mark.parametrize("is_lost", [True, False])
def test_a_sigterm_saves_and_ends_the_run_unless_torchrun_sent_it_since_a_rank_was_lost(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, is_lost: bool, is_early: bool
) -> None:
    monkeypatch.setattr(session, "_GOODBYE_SECONDS", 0.1 if is_lost else 60.0)
    monkeypatch.setattr(leader, "_LAST_REPORT_SECONDS", 0.1 if is_lost else 60.0)
    emitted: list[Event] = []
    stop = c.Stop(reason="terminated")
    inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()

    def on_event(event: Event) -> list[Command]:
        emitted.append(event)
        return [stop] if isinstance(event, e.Paused) else []

    def work(ranks: Ranks) -> None:
        ranks.is_terminated = ranks.place.is_leader
        if ranks.place.is_leader:
            inbox.put(stop if is_early else c.Pause())
            run_session(tiny_config(corpus), on_event=on_event, inbox=inbox, ranks=ranks)
        elif not (is_lost and is_early):
            Follower(ranks, torch.device("cpu"), num_threads=1).run()

    if is_lost:  # while it waits in the pause, after the first save
        reports = count(1)
        report = Follower._report
        monkeypatch.setattr(Follower, "_report", lambda *ask: report(*ask) if next(reports) == 1 else None)
    error = on_ranks(work)[0].exception()
    assert isinstance(error, RankLostError) == is_lost
    last = "" if is_lost and is_early else "Paused" if is_lost else "RunFinished"
    assert "".join(names(emitted[-1:])) == last


def test_a_rank_that_ends_in_the_middle_of_a_lease_is_lost_at_once(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(self: Follower, _rates: tuple[float, ...]) -> None:
        raise RankLostError("killed")

    monkeypatch.setattr(Follower, "_take_steps", end)
    with pytest.raises(RankLostError, match="ended or hangs"):
        run_shared(tiny_config(corpus))
    assert latest().step == 0


def test_a_bug_of_a_follower_is_named_to_the_user(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Follower, _rates: tuple[float, ...]) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(Follower, "_take_steps", fail)
    emitted: list[Event] = []
    with pytest.raises(ZeroDivisionError):
        run_shared(tiny_config(corpus), on_event=recorder(emitted))
    assert only(emitted, e.RunFailed).detail == "Rank 1: ZeroDivisionError: by zero"


def test_a_run_whose_ranks_were_lost_after_its_last_step_ends_well_when_they_start_again(corpus: Path) -> None:
    run_shared(tiny_config(corpus))
    again = run_shared(resume_config("tiny"), is_restarted=True)
    assert only(again, e.RunFinished).reason == "max_steps"
    assert only(again, e.RunFinished).step == 12


def test_a_last_save_that_the_followers_do_not_answer_has_no_old_states_of_their_generators(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, num_reports = Follower._report, count(1)

    def stop_reporting(self: Follower, lease: Report) -> None:
        if next(num_reports) > 2:  # the first save and `step-6`; not the last
            raise RankLostError("killed")
        report(self, lease)

    monkeypatch.setattr(Follower, "_report", stop_reporting)
    monkeypatch.setattr(leader, "_LAST_REPORT_SECONDS", 0.1)
    with pytest.raises(RankLostError, match="killed"):
        run_shared(tiny_config(corpus, save_every=6, max_steps=9, dropout=0.2))
    names_by_checkpoint = {
        name: set(load_checkpoint(find_run("tiny").checkpoint_path(name)).tensors) for name in ("step-6", "latest")
    }
    assert "generator.cpu.1" in names_by_checkpoint["step-6"]
    assert latest().step == 9
    assert "generator.cpu.1" not in names_by_checkpoint["latest"]
