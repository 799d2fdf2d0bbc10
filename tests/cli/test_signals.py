"""Signals and closed pipes: the run saves, reports that, and exits with the code of the signal."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints.metadata import read_info
from engine.protocol import events as e
from engine.training.trainer import Trainer
from tests.cli.conftest import Launch
from tests.cli.program import ENDLESS_STEPS, SMALL_MODEL, Cli
from tests.engine.session.stream_rules import assert_valid_stream

ENDLESS = (*SMALL_MODEL, "--max-steps", str(ENDLESS_STEPS), "--run-name", "endless")


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
