"""Settings that are invalid, alone or in combination: the two lines of the error are recorded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.cli.program import Cli, assert_error_at_the_end, assert_two_line_error

TWEETS = "--data TWEETS"
AT_ONCE = {
    "hidden size": f"train {TWEETS} --hidden-size 99999",
    "dropout": f"train {TWEETS} --dropout nan",
    "learning rate": f"train {TWEETS} --learning-rate 0",
    "threads": f"train {TWEETS} --threads -1",
    "top-p": f"train {TWEETS} --top-p 0",
    "top-p of generate": "generate --top-p 0",
    "interval of saves": f"train {TWEETS} --autosave-seconds 0",
    "steps": f"train {TWEETS} --max-steps -1",
    "temperature": "generate --temperature 0.01",
    "temperature of the screen": f"--temperature 9 {TWEETS}",
    "a prime as long as a tweet": "generate --prime mum --max-length 3",
    "a prime with an avoided word": "generate --prime hate,_so --avoid love,HATE",
    "a required text with an avoided word": f"train --must-contain #mum --avoid mum {TWEETS}",
    "a required text with unknown characters": "generate --must-contain a寿",
    "a minimum length above the maximum": "generate --min-length 9 --max-length 8",
    "a required text as long as a tweet": "generate --must-contain mum --max-length 3",
    "avoided words of a missing file, generate": "generate --avoid @no-such-file",
    "avoided words of a missing file, train": "train --avoid @no-such-file",
    "a number of samples without quality": "evaluate --count 5",
    "a temperature of evaluation without quality": "evaluate --temperature 1",
    "a seed of evaluation without quality": "evaluate --seed 0",
    "a run name that is a path": f"train --run-name ../up {TWEETS}",
    "an empty run name": f"train --run-name= {TWEETS}",
    "an unknown run": "train --resume nothing",
    "resume and checkpoint": "train --resume first --checkpoint first",
    "resume and a name": "train --resume first --run-name x",
    "resume and reading": "train --resume first --max-length 99 --max-steps 50",
    "how to read, and not what, train": "train --column text",
    "how to read, and not what, evaluate": "evaluate --column text",
    "the name of a run that is there": f"train --run-name first {TWEETS}",
    "a misspelt checkpoint": "generate --checkpoint frist",
    "a screen without a terminal": TWEETS,
}
WHILE_PREPARING = {
    "a prime with unknown characters, train": f"train --prime 寿 {TWEETS}",
    "a prime with unknown characters, generate": "generate --prime mum寿",
    "a required text with characters of no tweet": f"train --must-contain a寿 {TWEETS}",
    "a run called last": f"train --run-name last --max-steps 1 {TWEETS}",
    "another model than that of the run": "train --resume first --hidden-size 32 --max-steps 50",
    "no steps beyond those taken": "train --resume first --max-steps 40",
}


def arguments_of(line: str, tweets: Path) -> list[str]:
    return [str(tweets) if word == "TWEETS" else word for word in line.split()]


@pytest.mark.parametrize("case", AT_ONCE)
def test_an_invalid_setting_is_an_error_before_anything_is_written(
    cli: Cli, trained: Path, tweets: Path, snapshot: SnapshotAssertion, case: str
) -> None:
    before = sorted(trained.rglob("*"))
    ended = cli(*arguments_of(AT_ONCE[case], tweets))
    assert_two_line_error(ended)
    assert ended.err == snapshot
    assert sorted(trained.rglob("*")) == before


@pytest.mark.parametrize("case", WHILE_PREPARING)
def test_a_problem_found_during_setup_is_an_error_in_two_lines(
    cli: Cli, trained: Path, tweets: Path, snapshot: SnapshotAssertion, case: str
) -> None:
    ended = cli(*arguments_of(WHILE_PREPARING[case], tweets))
    assert_error_at_the_end(ended)
    assert re.sub(r"in [\d.]+ s", "in N s", "\n".join(ended.error_lines[-2:])) == snapshot


@pytest.mark.parametrize("line", ["train --resume last", "generate", "serve", "attach missing"])
def test_without_a_run_the_error_names_the_command_that_starts_one(
    cli: Cli, snapshot: SnapshotAssertion, line: str
) -> None:
    ended = cli(*line.split())
    assert_two_line_error(ended)
    assert ended.err == snapshot


def test_a_missing_device_is_refused(cli: Cli, tweets: Path) -> None:
    import torch

    if torch.backends.mps.is_available():
        pytest.skip("this machine has it")
    assert_error_at_the_end(cli("train", "--data", tweets, "--device", "mps"), "no mps device")
