"""What goes wrong becomes an event: one that ends the run, or a warning and the run goes on."""

from __future__ import annotations

import queue
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from engine import commands as c
from engine import events as e
from engine.commands import Command
from engine.config import RunConfig
from engine.errors import exit_code_for
from engine.events import Event
from engine.folders import find_run
from engine.journal import read_journal
from engine.session import TrainingSession
from tests.engine.helpers import (
    losses,
    of_type,
    only,
    resume_config,
    run_session,
    small_tweets,
    stop_at,
    tiny_config,
    write_corpus,
)
from tests.engine.stream_rules import assert_keeps_the_rules
from tests.fakes import FakeClock


def failure(config: RunConfig) -> e.RunFailed:
    """Run what can't start; return the one event that it tells."""
    [event] = run_session(config)
    assert isinstance(event, e.RunFailed)
    assert_keeps_the_rules([event])
    return event


# Before the start ---------------------------------------------------------------------------------------------------


def test_a_missing_file_is_one_failure_that_names_it(home: Path) -> None:
    failed = failure(tiny_config(home / "gone.txt"))

    assert failed.title == "The tweets can't be used"
    assert "gone.txt" in failed.detail
    assert "No such file" in failed.detail
    assert exit_code_for(failed.title) == 1


def test_tweets_that_cannot_be_used_are_one_failure_and_leave_no_run(home: Path) -> None:
    (home / "bad.txt").write_bytes(b"one\ntwo\n")

    assert "bad.txt" in failure(tiny_config(home / "bad.txt")).detail
    assert not (home / "runs").exists()


def test_a_run_name_that_is_taken_is_one_failure_and_the_run_stays_as_it_is(corpus: Path) -> None:
    told = run_session(tiny_config(corpus))

    failed = failure(tiny_config(corpus, seed=5))

    assert "already a run called tiny" in failed.detail
    assert list(read_journal(find_run("tiny").journal_path)) == told


def test_resuming_where_there_is_nothing_is_one_failure(home: Path) -> None:
    assert "no run yet" in failure(resume_config("last")).detail
    assert "no run called gone" in failure(resume_config("gone")).detail


def test_resuming_a_run_that_has_taken_all_its_steps_says_to_give_more(corpus: Path) -> None:
    run_session(tiny_config(corpus))

    assert "--max-steps" in failure(resume_config("tiny")).hint
    assert run_session(resume_config("tiny", max_steps=14))[-1].step == 14


def test_resuming_with_another_shape_is_one_failure(corpus: Path) -> None:
    run_session(tiny_config(corpus), stop_at(3))

    assert "hidden_size" in failure(resume_config("tiny", hidden_size=11)).detail


def test_resuming_from_a_damaged_checkpoint_is_one_failure_that_names_it(corpus: Path) -> None:
    run_session(tiny_config(corpus), stop_at(3))
    path = find_run("tiny").checkpoint_path("latest")
    path.write_bytes(path.read_bytes()[:1000])
    journal = find_run("tiny").journal_path.read_bytes()

    failed = failure(resume_config("tiny"))

    assert "latest.safetensors is damaged" in failed.detail
    assert find_run("tiny").journal_path.read_bytes() == journal
    assert path.stat().st_size == 1000


def test_a_checkpoint_whose_vocabulary_lacks_the_tweets_is_one_failure(corpus: Path, home: Path) -> None:
    run_session(tiny_config(corpus), {3: [c.SaveCheckpoint(name="quiet"), c.Stop()]})
    loud = write_corpus(home, [tweet.upper() for tweet in small_tweets()], "loud.txt")

    failed = failure(replace(tiny_config(loud, run_name="loud"), checkpoint="quiet"))

    assert "lacks" in failed.detail
    assert "loud.txt" in failed.detail


# The listener ---------------------------------------------------------------------------------------------------------


def raising(_: Event) -> None:
    raise ZeroDivisionError("a listener's own mistake")


def test_a_listener_that_always_raises_stops_nothing(corpus: Path) -> None:
    TrainingSession(tiny_config(corpus)).run(raising, queue.SimpleQueue())

    journal = list(read_journal(find_run("tiny").journal_path))
    assert isinstance(journal[-1], e.RunFinished)
    assert list(losses(journal)) == list(range(1, 13))
    assert "a listener's own mistake" in find_run("tiny").log_path.read_text()


def test_a_listener_that_raises_on_a_failure_before_the_start_gets_no_exception_back(home: Path) -> None:
    TrainingSession(tiny_config(home / "gone.txt")).run(raising, queue.SimpleQueue())


# Our own mistakes -----------------------------------------------------------------------------------------------------


def test_a_mistake_of_ours_before_the_start_leaves_its_traceback_in_the_common_log(
    corpus: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def mistaken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("what was never thought of")

    monkeypatch.setattr("engine.session.prepare", mistaken)

    assert exit_code_for(failure(tiny_config(corpus)).title) == 3
    assert 'raise ZeroDivisionError("what was never thought of")' in (home / "tweetgen.log").read_text()
    assert capfd.readouterr() == ("", "")


# The disk -------------------------------------------------------------------------------------------------------------


def test_the_latest_checkpoint_is_saved_every_so_often(corpus: Path) -> None:
    clock = FakeClock()

    def seven_seconds_a_step(event: Event) -> Iterable[Command]:
        clock.advance(7.0 if isinstance(event, e.StepsFinished) else 0.0)
        return ()

    told = run_session(tiny_config(corpus, max_steps=8, autosave_seconds=20.0), None, seven_seconds_a_step, clock)

    assert [event.step for event in of_type(told, e.CheckpointSaved)] == [0, 3, 6, 8]


def test_a_named_checkpoint_that_cannot_be_saved_is_refused(corpus: Path, home: Path) -> None:
    (home / "checkpoints").write_text("in the way")

    told = run_session(tiny_config(corpus), {4: [c.SaveCheckpoint(name="mine")]})

    assert only(told, e.CommandRefused).title == "Nothing can be saved there"
    assert isinstance(told[-1], e.RunFinished)
