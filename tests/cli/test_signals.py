"""Signals and closed pipes: the run saves, reports that, and exits with the code of the signal."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from engine.checkpoints.metadata import read_info
from engine.protocol import events as e
from tests.cli.conftest import Launch
from tests.cli.program import ENDLESS_STEPS, SMALL_MODEL, Cli
from tests.engine.session.stream_rules import assert_valid_stream

ENDLESS = ("--max-steps", str(ENDLESS_STEPS), "--run-name", "endless")


def test_a_signal_saves_and_ends_the_run_with_its_code(launch: Launch, cli: Cli, home: Path, tweets: Path) -> None:
    process = launch("train", "--json", "--data", tweets, *SMALL_MODEL, *ENDLESS, "--on-hangup", "stop")
    process.read_events("StepsFinished", 2)
    process.send(signal.SIGHUP)
    ended = process.wait()
    last = ended.objects[-1]
    assert (ended.code, last["event"], last["reason"]) == (129, "RunFinished", "hung up")
    assert "--resume endless" in ended.error_lines[-1]
    told = [e.from_json(line) for line in (home / "runs/endless/events.jsonl").read_text("utf-8").splitlines()]
    assert_valid_stream(told)
    info, _ = read_info(home / "runs/endless/checkpoints/latest.safetensors")
    assert info.step == last["step"] > 0
    goes_on = cli("train", "--json", "--resume", "endless", "--max-steps", str(info.step + 3))
    assert (goes_on.code, goes_on.objects[0]["step"]) == (0, info.step)


def test_the_same_signal_again_exits_at_once(launch: Launch, home: Path, tweets: Path) -> None:
    process = launch("train", "--json", "--data", tweets, *SMALL_MODEL, *ENDLESS)
    process.read_error_until("loading torch")
    process.send_until_it_ends(signal.SIGINT)
    ended = process.wait()
    assert (ended.code, ended.out) == (130, "")
    assert "Traceback" not in ended.err
    assert not list((home / "runs").iterdir())


def test_a_closed_json_pipe_saves_and_ends_the_run(launch: Launch, home: Path, tweets: Path) -> None:
    process = launch("train", "--json", "--data", tweets, *SMALL_MODEL, *ENDLESS)
    first_two = [json.loads(next(process.lines()))["event"] for _ in range(2)]
    process.stop_reading()
    ended = process.wait()
    assert first_two == ["RunStarted", "CheckpointSaved"]
    assert ended.code == 0
    assert "Traceback" not in ended.err
    assert (home / "runs/endless/checkpoints/latest.safetensors").is_file()
