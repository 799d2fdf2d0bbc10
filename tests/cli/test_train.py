"""`train`: lines and `--json`, resuming, signals and closed pipes, as a rank; and an attached run."""

from __future__ import annotations

import io
import json
import math
import os
import queue
import re
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from msgspec import structs
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.format import read_info
from engine.config.run import RunConfig
from engine.errors import DistributedError, RankLostError
from engine.protocol import codec, insight
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.progress import Stage
from engine.storage.files import try_lock
from engine.storage.folders import RunFolder, folder_of_run
from engine.training.trainer import Trainer
from tests import fakes
from tests.cli.program import ENDLESS_STEPS, SMALL_MODEL, Cli, Terminal, assert_two_line_error, without_figures
from tests.engine.session.stream_rules import assert_valid_stream
from tests.fakes import FakeClock
from tests.tui.process.host_and_client import FINISHED, HELLO, PAUSED, RUN, RawClient, hosted, line_of
from tests.tui.process.test_ranks import agent_of, leader
from tests.tui.widgets.status.test_stage_hint import REPORT
from tests.waiting import wait_until
from tui.cli import headless, options
from tui.cli.commands import train
from tui.cli.headless import _Output
from tui.cli.output import show_progress
from tui.process import ranks
from tui.process.attached import read_greeting
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
    now: dict[str, Any] = {"step": 100, "elapsed_seconds": 5.0, "request": 0}
    answers = [fakes.text_traced("hi"), fakes.text_completed("hi"), fakes.tweet_read("hi")]
    answers += [fakes.units_scored(), fakes.batch_shown()]
    answers += [insight.BaselinesMeasured(**now, names=("uniform",), bits_per_char=(6.6,))]
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


def test_a_dumb_terminal_gets_plain_lines_and_no_bar(cli: Cli) -> None:
    """As a screen reader needs them."""
    cli.monkeypatch.setenv("TTY_COMPATIBLE", "1")  # to rich, stderr is a terminal
    printed = {}
    for term in ("xterm", "dumb"):
        cli.monkeypatch.setenv("TERM", term)
        scripted(cli, (fakes.tweet_sampled("hi there"),))
        printed[term] = cli("train").err
        assert ": hi there\n" in printed[term].replace("\r", "")
    assert "\x1b" in printed["xterm"]
    assert not {"\x1b", "\r"} & {*printed["dumb"]}


def test_stderr_names_early_estimates_later_figures_and_refused_drafts(cli: Cli, snapshot: SnapshotAssertion) -> None:
    refused = (("copy", 1), ("avoided word", 1))
    script = (
        structs.replace(fakes.eval_finished(64, 3.01, is_best=False), is_early=True),
        fakes.eval_finished(70, 2.9, is_best=False),
        e.ThreadsChanged(
            step=80, elapsed_seconds=4.0, num_threads=2, precision="float32", message="2 threads in place of 1"
        ),
        fakes.tweet_sampled("he", 3),
        structs.replace(fakes.tweet_sampled("hi"), num_drafts=3, refused=refused),
        structs.replace(
            fakes.tweet_sampled("ho", 7), num_drafts=32, refused=(("copy", 32),), unmet=("copy", "too short")
        ),
    )
    scripted(cli, script, fakes.run_started(tuning="due"))
    cli.monkeypatch.setattr("tui.cli.output.PLAIN_SECONDS", math.inf)
    assert cli.transcript("train") == snapshot


def saved_step(home: Path) -> int:
    """Return the step of the run's last save."""
    info, _ = read_info(home / "runs/endless/checkpoints/latest.safetensors")
    return info.step


def test_settings_from_the_socket_are_changed_all_or_none_as_json_and_journal_have_it(
    cli: Cli, home: Path, tweets: Path
) -> None:
    bad, good = ({"learning_rate": 0.002, "batch_size": size} for size in (0, 5))

    def steer() -> list[dict[str, Any]]:
        run = folder_of_run("endless")
        wait_until(lambda: read_greeting(run) is not None, "the run")
        with RawClient(socket_path(run), HELLO) as client:
            client.receive_until("SnapshotEnd")
            for command in (fakes.change(**bad), fakes.change(**good), c.Stop()):
                client.send(line_of(command))
            return list(client.receive_all())

    with ThreadPoolExecutor() as pool:
        steered = pool.submit(steer)
        printed = cli("train", "--json", "--data", tweets, *ENDLESS).objects
    journal = (home / "runs/endless/events.jsonl").read_text("utf-8").splitlines()
    for found in (steered.result(), printed, [json.loads(line) for line in journal]):
        [refused] = [event for event in found if event.get("event") == "CommandRefused"]
        [changed] = [event for event in found if event.get("event") == "SettingsChanged"]
        assert refused["detail"] == "batch_size must be a number from 1 to 65536, not 0."
        assert (refused["command"], set(refused["settings"])) == ("ChangeSettings", set(bad))
        assert changed["settings"] == {**good, "first_batch_size": 0}
    info, _ = read_info(home / "runs/endless/checkpoints/latest.safetensors")
    assert (info.training.learning_rate, info.training.batch_size) == (0.002, 5)


ENDINGS = [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated"), (signal.SIGHUP, "hung up")]


@pytest.mark.parametrize(("number", "reason"), ENDINGS)
def test_a_signal_saves_and_ends_a_run_which_can_be_resumed(
    cli: Cli, home: Path, tweets: Path, number: signal.Signals, reason: str
) -> None:
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
    assert "--resume endless" in ended.error_lines[-1]
    journal = (home / "runs/endless/events.jsonl").read_text("utf-8")
    assert_valid_stream([e.from_json(line) for line in journal.splitlines()])
    assert saved_step(home) == last["step"] >= 5
    resumed = cli("train", "--json", "--resume", "endless", "--max-steps", str(last["step"] + 3))
    assert (resumed.code, resumed.objects[0]["step"]) == (0, last["step"])


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


def test_plain_output_shows_a_stage_once_its_progress_every_few_seconds_and_none_once_the_run_has_left_its_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = FakeClock()
    monkeypatch.setattr("tui.cli.output.time.monotonic", clock)
    output = _Output(as_json=False, on_start=lambda _: None)
    output.on_stage(Stage("loading torch"))
    for percent in range(100):
        clock.advance(0.125)
        output.on_stage(Stage("reading the tweets", percent / 100))
    output.on_stage(Stage("building the model", report=REPORT))
    output.on_stage(Stage("building the model", report=REPORT))
    output.emit(fakes.run_started())
    output.on_stage(Stage("training", detail="compiling"))
    assert capsys.readouterr().err.splitlines() == [
        "loading torch ...",
        "reading the tweets ... 0%",
        "reading the tweets ... 40%",
        "reading the tweets ... 80%",
        *REPORT,
        "building the model ...",
    ]


ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_the_bar_moves_and_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", Terminal(written := io.BytesIO(), "utf-8", write_through=True))
    with show_progress() as on_progress:
        on_progress(0.25, "a.csv, \x1b[31m5,000 rows")
        on_progress(None, "a.csv, 9,000 rows")
    shown = written.getvalue().decode()
    assert "25 %" in ESCAPES.sub("", shown)
    assert "9,000 rows" in shown
    assert "\x1b[31m5,000" not in shown
    assert shown.endswith("\x1b[2K"), "the line is empty again"
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


SetRank = Callable[[int], None]


@pytest.fixture
def set_rank(monkeypatch: pytest.MonkeyPatch) -> SetRank:
    """Return a function that sets the variables of torchrun, for a rank that waits for the others for a moment."""

    def set_(rank: int) -> None:
        place = {"RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "localhost", "MASTER_PORT": 0}
        for name, value in place.items():
            monkeypatch.setenv(name, str(value))

    monkeypatch.setattr("engine.session.ranks.place._seconds", lambda _: 0.1)
    monkeypatch.setattr(train, "leave_process", exit)
    return set_


def test_a_rank_has_no_screen_and_with_invalid_options_ends_in_order(cli: Cli, home: Path, set_rank: SetRank) -> None:
    set_rank(0)
    assert_two_line_error(cli(), "RANK is set", "torchrun")
    for given, words in (
        ("--nproc-per-node=2", "RANK is set"),
        ("--detach", "RANK is set"),
        ("--resume missing", "There is no run called missing"),
    ):
        ended = cli("train", *given.split())
        assert words in ended.error_lines[0]
        assert ended.code == 0  # else torchrun would start it again


def test_a_leader_whose_others_don_t_come_ends(cli: Cli, set_rank: SetRank, tweets: Path) -> None:
    set_rank(0)
    ended = cli("train", "--data", tweets, "--json")
    [failed] = map(e.from_json, ended.lines)
    assert isinstance(failed, e.RunFailed)
    assert "within 0.1 s" in failed.detail
    assert "TWEETGEN_RANK_TIMEOUT" in failed.hint
    assert ended.error_lines[-2] == f"tweetgen-tui: {failed.detail}"
    assert ended.code == 0  # torchrun would start it again


def test_only_a_rank_that_has_lost_another_is_to_start_again(cli: Cli, set_rank: SetRank) -> None:
    set_rank(1)
    for error, code, words in (
        (RankLostError("A sum failed."), 75, "A sum failed."),
        (DistributedError("Rank 0 has failed."), 0, "Rank 0 has failed."),
        (ZeroDivisionError("by zero"), 0, "ZeroDivisionError: by zero"),
    ):
        cli.monkeypatch.setattr(ranks, "follow", mock.Mock(side_effect=error))
        ended = cli("train")
        assert (ended.code, ended.error_lines[0]) == (code, f"tweetgen-tui: {words}")


def test_a_leader_that_gets_a_signal_twice_stops_once_and_saves_also_at_a_hangup() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signalled = leader()
        output: Any = SimpleNamespace(inbox=queue.SimpleQueue(), has_hung_up=threading.Event(), leader=signalled)
        headless._listen_to_signals(output, stops_on_hangup=False)
        for _ in range(2):
            signal.raise_signal(number)
        assert isinstance(output.inbox.get_nowait(), c.Stop)
        assert output.inbox.empty()
        assert signalled._is_terminated == (number == signal.SIGTERM)


def test_the_last_run_to_resume_is_the_latest_that_is_not_active(trained: Path) -> None:
    later = shutil.copytree(trained / "runs" / "first", trained / "runs" / "later")  # its files are as old
    assert options.config_to_train({"resume": "last"}).resume == "later"
    with (later / "events.jsonl").open("rb") as journal:
        assert try_lock(journal.fileno())
        assert options.config_to_train({"resume": "last"}).resume == "first"
        with (trained / "runs" / "first" / "events.jsonl").open("rb") as other:
            assert try_lock(other.fileno())
            assert options.config_to_train({"resume": "last"}).resume == "last", "which then names the run to attach to"


def test_a_run_whose_processes_start_again_is_restarting_and_not_resumed(cli: Cli, trained: Path) -> None:
    run = RunFolder(trained / "runs" / "first")
    run.journal_path.write_text(codec.encode(fakes.run_started(run="first")) + "\n")
    agent_of(os.getppid()).write(run)
    assert options.config_to_train({"resume": "first"}).resume == "first", "a torchrun of the user's may resume it"
    agent_of(os.getpid()).write(run)

    def state() -> str:
        return str(cli("runs", "list", "--json").object["state"])

    assert state() == "restarting"
    assert_two_line_error(cli("attach"), "terminal", "runs list")  # else how the run was cut off is printed
    assert_two_line_error(cli("train", "--resume", "first", "--max-steps", "50"), "is active already", "attach first")
    for over in ({"has_ended": True}, {"started": 0.0}, {"host": "another"}):
        agent_of(os.getpid(), **over).write(run)
        assert state() == "cut off"
        assert "The run was cut off" in cli("attach", "first").err
    agent_of(os.getpid()).write(run)
    run.journal_path.write_text(codec.encode(FINISHED) + "\n")
    assert state() == "finished"
