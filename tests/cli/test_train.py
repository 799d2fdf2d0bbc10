"""`train`: lines and `--json`, resuming, signals and closed pipes; and an attached run."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.format import read_info
from engine.config.run import RunConfig
from engine.progress import Stage
from engine.protocol import codec, insight
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import folder_of_run
from engine.training.trainer import Trainer
from tests import fakes
from tests.cli.conftest import Launch
from tests.cli.program import ENDLESS_STEPS, SMALL_MODEL, Cli, without_figures
from tests.engine.session.stream_rules import assert_valid_stream
from tests.tui.process.host_and_client import FINISHED, HELLO, PAUSED, RUN, RawClient, hosted, line_of
from tests.waiting import wait_until
from tui.cli import headless
from tui.process.sockets import socket_path
from tui.process.torchrun import Agent, Torchrun

END = e.RunFinished(step=100, elapsed_seconds=5.0, reason="budget", total_seconds=5.0, total_chars=10)
ENDLESS = (*SMALL_MODEL, "--max-steps", str(ENDLESS_STEPS), "--run-name", "endless")


def scripted(cli: Cli, script: Sequence[e.Event], started: e.RunStarted | None = None) -> None:
    """Let a run emit these events, and its end."""
    session = fakes.FakeSession((*script, END), started or fakes.run_started())
    cli.monkeypatch.setattr("engine.session.session.TrainingSession", lambda *_arguments, **_options: session)


def test_json_is_an_event_per_line_obeys_the_invariants_and_is_the_journal(cli: Cli, home: Path, tweets: Path) -> None:
    budget = ("--max-steps", "12", "--sample-every", "4", "--eval-every", "5")
    read = ("--data", tweets, "--format", "text")
    ended = cli("train", "--json", *read, *SMALL_MODEL, "--run-name", "streamed", *budget)
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
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["model"]["hidden_size"] == 8

    more = cli("train", "--json", "--resume", "streamed", "--max-steps", "20")
    assert more.code == 0, more.err
    events = [e.from_json(line) for line in more.lines]
    assert_valid_stream(events)
    assert isinstance(events[0], e.RunStarted)
    assert (events[0].run, events[0].step, events[0].resumed_from) == ("streamed", 12, "streamed/latest")
    assert events[-1].step == 20


def test_json_holds_no_answer_to_a_question_of_an_attached_screen(cli: Cli) -> None:
    levels = insight.BaselinesMeasured(
        step=100, elapsed_seconds=5.0, request=0, names=("uniform",), bits_per_char=(6.6,)
    )
    answers = (
        fakes.text_traced("hi"),
        fakes.units_scored(),
        fakes.batch_shown(),
        fakes.text_completed("hi"),
        fakes.tweet_read("hi"),
        levels,
    )
    scripted(cli, (*answers, fakes.tweet_sampled("hi")))
    printed = cli("train", "--json").objects
    assert [each["event"] for each in printed] == ["RunStarted", "TweetSampled", "RunFinished"]


def test_without_json_stderr_alone_reports_the_progress(cli: Cli, tweets: Path, snapshot: SnapshotAssertion) -> None:
    cli.monkeypatch.setattr("tui.cli.output.PLAIN_SECONDS", math.inf)
    auto = ("--nproc-per-node", "auto", "--device", "cpu")  # one process, for a reason that is given
    six_steps = ("--max-steps", "6", "--sample-every", "0", "--run-name", "quiet")
    ended = cli("train", *auto, "--data", tweets, *SMALL_MODEL, *six_steps)
    assert (ended.code, ended.out) == (0, "")
    assert without_figures(ended.err.replace(str(tweets), "TWEETS")) == snapshot


def test_stderr_names_early_estimates_later_figures_and_refused_drafts(cli: Cli, snapshot: SnapshotAssertion) -> None:
    early = structs.replace(fakes.eval_finished(64, 3.01, is_best=False), is_early=True)
    filtered = structs.replace(fakes.tweet_sampled("hi"), num_drafts=3, refused=(("copy", 1), ("avoided word", 1)))
    failing = structs.replace(
        fakes.tweet_sampled("ho", 7), num_drafts=32, refused=(("copy", 32),), unmet=("copy", "too short")
    )
    faster = e.ThreadsChanged(
        step=80, elapsed_seconds=4.0, num_threads=2, precision="float32", message="2 threads in place of 1"
    )
    script = (
        early,
        fakes.eval_finished(70, 2.9, is_best=False),
        faster,
        fakes.tweet_sampled("he", 3),
        filtered,
        failing,
    )
    scripted(cli, script, fakes.run_started(tuning="due"))
    cli.monkeypatch.setattr("tui.cli.output.PLAIN_SECONDS", math.inf)
    assert cli.transcript("train") == snapshot


def saved_step(home: Path) -> int:
    """Return the step of the run's last save."""
    info, _ = read_info(home / "runs/endless/checkpoints/latest.safetensors")
    return info.step


def test_sigterm_saves_and_ends_a_run_which_can_be_resumed(launch: Launch, cli: Cli, home: Path, tweets: Path) -> None:
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


def test_settings_from_the_socket_are_changed_all_or_none_as_json_and_journal_have_it(
    launch: Launch, home: Path, tweets: Path
) -> None:
    process = launch("train", "--json", "--data", tweets, *ENDLESS)
    process.read_events("StepsFinished", 1)
    bad, good = ({"learning_rate": 0.002, "batch_size": size} for size in (0, 5))
    with RawClient(socket_path(folder_of_run("endless")), HELLO) as client:
        client.receive_until("SnapshotEnd")
        for command in (fakes.change(**bad), fakes.change(**good), c.Stop()):
            client.send(line_of(command))
        received = client.receive_all()
    lines = process.wait().lines
    journal = (home / "runs/endless/events.jsonl").read_text("utf-8").splitlines()
    for found in (received, [json.loads(line) for line in lines], [json.loads(line) for line in journal]):
        [refused] = [event for event in found if event.get("event") == "CommandRefused"]
        [changed] = [event for event in found if event.get("event") == "SettingsChanged"]
        assert refused["detail"] == "batch_size must be a number from 1 to 65536, not 0."
        assert (refused["command"], set(refused["settings"])) == ("ChangeSettings", set(bad))
        assert changed["settings"] == {**good, "first_batch_size": 0}
    info, _ = read_info(home / "runs/endless/checkpoints/latest.safetensors")
    assert (info.training.learning_rate, info.training.batch_size) == (0.002, 5)


@pytest.mark.parametrize(("number", "reason"), [(signal.SIGINT, "interrupted"), (signal.SIGHUP, "hung up")])
def test_a_signal_saves_and_ends_a_run(cli: Cli, home: Path, tweets: Path, number: signal.Signals, reason: str) -> None:
    steps, step = [], Trainer.step

    def raising(trainer: Trainer, *arguments: Any) -> None:
        step(trainer, *arguments)
        steps.append(1)
        if len(steps) == 5:
            signal.raise_signal(number)

    cli.monkeypatch.setattr(Trainer, "step", raising)
    cli.monkeypatch.setattr("tui.process.signals.close_terminal", lambda: None)  # that of these tests
    ended = cli("train", "--json", "--data", tweets, *ENDLESS, "--on-hangup", "stop")
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

    def read_two_lines() -> list[str]:
        with os.fdopen(reading) as pipe:
            return [pipe.readline(), pipe.readline()]

    with ThreadPoolExecutor() as pool, os.fdopen(writing, "w") as pipe:
        lines = pool.submit(read_two_lines)
        cli.monkeypatch.setattr(sys, "stdout", pipe)
        ended = cli("train", "--json", "--data", tweets, *ENDLESS)
        assert [json.loads(line)["event"] for line in lines.result()] == ["RunStarted", "CheckpointSaved"]
    assert ended.code == 0
    assert "Traceback" not in ended.err
    assert saved_step(home) > 0


def test_a_run_that_has_left_its_terminal_shows_no_later_stage_either(capsys: pytest.CaptureFixture[str]) -> None:
    output = headless._Output(as_json=False, on_start=lambda _: None)
    output.on_stage(Stage("loading torch"))
    output.emit(fakes.run_started())
    output.on_stage(Stage("training", detail="compiling"))
    assert capsys.readouterr().err == "loading torch ...\n"


class StartedByTest(Torchrun):
    """Starts nothing: the test hosts the run."""

    is_alive = True

    def start(self) -> None: ...


def test_events_of_an_attached_run_come_once_until_ctrl_c(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torchrun = StartedByTest(RunConfig(run_name=RUN), 2)
    recorded, printed = list[str](), list[str]()

    def has_printed_all() -> bool:
        printed.extend(capsys.readouterr().out.splitlines())
        return printed == recorded

    def play(started_at: float) -> None:
        """Host a session; an event comes before the client has attached, and one while its connection is broken."""
        started = fakes.run_started(run=RUN, started_at=started_at)
        with hosted(started, agent=Agent.of_process(os.getpid(), "job")) as made:

            def emit(*events: e.Event) -> None:
                recorded.extend(map(codec.encode, events))
                made.folder.journal_path.write_text("".join(line + "\n" for line in recorded))
                made.emit(events[-1])
                wait_until(has_printed_all, "the events")

            emit(started, fakes.steps_finished(1, [3.0]))
            made.break_connections()
            emit(PAUSED)
            if started_at == 2.0:
                os.kill(os.getpid(), signal.SIGINT)
                wait_until(lambda: made.sent == [c.Stop(reason="interrupted")], "the stop")
                emit(structs.replace(FINISHED, reason="interrupted"))

    with ThreadPoolExecutor() as pool:
        host = pool.submit(lambda: list(map(play, (1.0, 2.0))))
        assert headless.run_attached(torchrun, as_json=True, stops_on_hangup=False, detaches=False) == 130
        host.result()
    torchrun._output.close()
    torchrun._errors.close()
