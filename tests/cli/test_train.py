"""`train`: plain lines and `--json`, resuming, signals and closed pipes, which save and end the run with their code."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.metadata import read_info
from engine.protocol import events as e
from engine.training.trainer import Trainer
from tests.cli.conftest import Launch
from tests.cli.program import ENDLESS_STEPS, SMALL_MODEL, Cli, transcript, without_figures
from tests.engine.session.stream_rules import assert_valid_stream
from tests.fakes import (
    FakeSession,
    batch_shown,
    eval_finished,
    run_started,
    text_completed,
    text_traced,
    tweet_read,
    tweet_sampled,
    units_scored,
)
from tui.cli.output import progress_display

END = e.RunFinished(step=100, elapsed_seconds=5.0, reason="budget", total_seconds=5.0, total_chars=10)
ENDLESS = (*SMALL_MODEL, "--max-steps", str(ENDLESS_STEPS), "--run-name", "endless")


def scripted(cli: Cli, script: Sequence[e.Event], started: e.RunStarted | None = None) -> None:
    """Let a run emit these events, and its end."""
    session = FakeSession((*script, END), started or run_started())
    cli.monkeypatch.setattr("engine.session.session.TrainingSession", lambda *_arguments, **_options: session)


def test_json_is_one_event_per_line_obeys_the_stream_invariants_and_equals_the_journal(
    cli: Cli, home: Path, tweets: Path
) -> None:
    budget = ("--max-steps", "12", "--sample-every", "4", "--eval-every", "5")
    ended = cli("train", "--json", "--data", tweets, *SMALL_MODEL, "--run-name", "streamed", *budget)
    assert ended.code == 0, ended.err
    events = [e.from_json(line) for line in ended.lines]
    assert_valid_stream(events)
    assert events[-1].step == 12
    kinds = {each["event"] for each in ended.objects} - {"StepTimes"}  # every two seconds of training
    assert kinds == {"RunStarted", "StepsFinished", "EvalFinished", "TweetSampled", "CheckpointSaved", "RunFinished"}
    folder = home / "runs" / "streamed"
    assert (folder / "events.jsonl").read_text(encoding="utf-8") == ended.out
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    own = {"checkpoints/latest.safetensors", "checkpoints/best.safetensors"}
    assert names == {"config.json", "events.jsonl", "tweetgen.log"} | own
    saved = {event.path for event in events if isinstance(event, e.CheckpointSaved)}
    assert saved == {str(folder / name) for name in own}
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["model"]["hidden_size"] == 16

    more = cli("train", "--json", "--resume", "streamed", "--max-steps", "20")
    assert more.code == 0, more.err
    events = [e.from_json(line) for line in more.lines]
    assert_valid_stream(events)
    assert isinstance(events[0], e.RunStarted)
    assert (events[0].run, events[0].step, events[0].resumed_from) == ("streamed", 12, "streamed/latest")
    assert events[-1].step == 20


def test_json_holds_no_answer_to_a_question_of_an_attached_screen(cli: Cli) -> None:
    levels = e.BaselinesMeasured(step=100, elapsed_seconds=5.0, request=0, names=("uniform",), bits_per_char=(6.6,))
    answers = (text_traced("hi"), units_scored(), batch_shown(), text_completed("hi"), tweet_read("hi"), levels)
    scripted(cli, (*answers, tweet_sampled("hi")))
    printed = cli("train", "--json").objects
    assert [each["event"] for each in printed] == ["RunStarted", "TweetSampled", "RunFinished"]


def test_without_json_stdout_is_empty_and_stderr_reports_the_progress(
    cli: Cli, tweets: Path, snapshot: SnapshotAssertion
) -> None:
    cli.monkeypatch.setattr(progress_display, "PLAIN_SECONDS", math.inf)
    ended = cli(
        "train", "--data", tweets, *SMALL_MODEL, "--max-steps", "6", "--sample-every", "0", "--run-name", "quiet"
    )
    assert (ended.code, ended.out) == (0, "")
    assert without_figures(ended.err, TWEETS=tweets) == snapshot


def test_lines_on_stderr_name_early_estimates_what_is_measured_later_and_refused_drafts(
    cli: Cli, snapshot: SnapshotAssertion
) -> None:
    early = replace(eval_finished(64, 3.01, is_best=False), is_early=True)
    filtered = replace(tweet_sampled("hi"), num_drafts=3, refused=(("copy", 1), ("avoided word", 1)))
    failing = replace(tweet_sampled("ho", 7), num_drafts=32, refused=(("copy", 32),), unmet=("copy", "too short"))
    faster = e.ThreadsChanged(
        step=80, elapsed_seconds=4.0, num_threads=2, precision="float32", message="2 threads in place of 1"
    )
    script = (early, eval_finished(70, 2.9, is_best=False), faster, tweet_sampled("he", 3), filtered, failing)
    scripted(cli, script, run_started(tuning="threads-due"))
    cli.monkeypatch.setattr(progress_display, "PLAIN_SECONDS", math.inf)
    assert transcript(cli, "train") == snapshot


@pytest.mark.parametrize(
    ("row", "options"),
    [('{{"id": 1, "body": "tweet, number {0}"}}\n', ("--column", "body")), ("tweet {0}\n", ("--format", "text"))],
)
def test_a_run_reads_its_tweets_as_the_options_say(
    cli: Cli, tmp_path: Path, row: str, options: tuple[str, ...]
) -> None:
    path = tmp_path / "rows.dat"
    path.write_text("".join(row.format(number) for number in range(60)), encoding="utf-8")
    ended = cli("train", "--json", "--data", path, *options, *SMALL_MODEL, "--max-steps", "1")
    assert ended.code == 0, ended.err
    assert ended.objects[0]["num_train_tweets"] + ended.objects[0]["num_val_tweets"] == 60


# Signals and pipes ----------------------------------------------------------------------------------------------------


def saved_step(home: Path) -> int:
    """Return the step of the run's last save."""
    info, _ = read_info(home / "runs/endless/checkpoints/latest.safetensors")
    return info.step


def test_sigterm_saves_and_ends_the_run_which_can_be_resumed(
    launch: Launch, cli: Cli, home: Path, tweets: Path
) -> None:
    process = launch("train", "--json", "--data", tweets, *ENDLESS)
    process.read_events("StepsFinished", 2)
    process.send(signal.SIGTERM)
    ended = process.wait()
    last = ended.objects[-1]
    assert (ended.code, last["event"], last["reason"]) == (143, "RunFinished", "terminated")
    assert "--resume endless" in ended.error_lines[-1]
    journal = (home / "runs/endless/events.jsonl").read_text("utf-8")
    assert_valid_stream([e.from_json(line) for line in journal.splitlines()])
    assert saved_step(home) == last["step"] > 0
    resumed = cli("train", "--json", "--resume", "endless", "--max-steps", str(last["step"] + 3))
    assert (resumed.code, resumed.objects[0]["step"]) == (0, last["step"])


@pytest.mark.parametrize(
    ("number", "reason", "options"),
    [(signal.SIGINT, "interrupted", ()), (signal.SIGHUP, "hung up", ("--on-hangup", "stop"))],
)
def test_a_signal_during_a_step_saves_and_ends_the_run_with_its_code(
    cli: Cli, home: Path, tweets: Path, number: signal.Signals, reason: str, options: tuple[str, ...]
) -> None:
    steps, step = [], Trainer.step

    def raising(trainer: Trainer, *arguments: Any) -> None:
        step(trainer, *arguments)
        steps.append(1)
        if len(steps) == 5:
            signal.raise_signal(number)

    cli.monkeypatch.setattr(Trainer, "step", raising)
    cli.monkeypatch.setattr("tui.process.signals.close_terminal", lambda: None)  # that of these tests
    ended = cli("train", "--json", "--data", tweets, *ENDLESS, *options)
    last = ended.objects[-1]
    assert (ended.code, last["event"], last["reason"]) == (128 + number, "RunFinished", reason)
    assert saved_step(home) == last["step"] >= 5


@pytest.mark.ci
def test_the_same_signal_again_exits_at_once(launch: Launch, home: Path, tweets: Path) -> None:
    process = launch("train", "--json", "--data", tweets, *ENDLESS)
    process.read_error_until("loading torch")
    process.send_until_it_ends(signal.SIGINT)
    ended = process.wait()
    assert (ended.code, ended.out) == (130, "")
    assert "Traceback" not in ended.err
    assert not list((home / "runs").iterdir())


def test_a_closed_json_pipe_saves_and_ends_the_run(cli: Cli, home: Path, tweets: Path) -> None:
    reading, writing = os.pipe()
    lines: list[str] = []

    def read_two_lines() -> None:
        with os.fdopen(reading) as pipe:
            lines.extend(pipe.readline() for _ in range(2))

    reader = threading.Thread(target=read_two_lines)
    reader.start()
    with os.fdopen(writing, "w") as pipe:
        cli.monkeypatch.setattr(sys, "stdout", pipe)
        ended = cli("train", "--json", "--data", tweets, *ENDLESS)
    reader.join()
    assert [json.loads(line)["event"] for line in lines] == ["RunStarted", "CheckpointSaved"]
    assert ended.code == 0
    assert "Traceback" not in ended.err
    assert saved_step(home) > 0
