"""Settings that are invalid, alone or in combination."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import Cli, assert_error_at_the_end, assert_two_line_error

OUT_OF_RANGE = [
    ("--hidden-size", "99999"),
    ("--dropout", "nan"),
    ("--learning-rate", "0"),
    ("--threads", "-1"),
    ("--top-p", "0"),
    ("--autosave-seconds", "0"),
    ("--max-steps", "-1"),
]
TWEETS = "the file of tweets"
AT_ONCE: dict[str, tuple[str, tuple[str, ...]]] = {
    "generate has the same ranges": ("generate --top-p 0", ("Change --top-p",)),
    "temperature": ("generate --temperature 0.01", ("--temperature must be 0 or a number from 0.05 to 5, not 0.01",)),
    "the screen has the same ranges": (f"--temperature 9 --data {TWEETS}", ("Change --temperature",)),
    "a prime as long as a tweet": (
        "generate --prime mum --max-length 3",
        ("--prime must be shorter than --max-length, 3,",),
    ),
    "a prime with an avoided word": (
        "generate --prime hate,_so --avoid love,HATE",
        ("--prime must be without the avoided word “HATE”, not 'hate,_so'", "Change --prime"),
    ),
    "a required text with an avoided word": (
        f"train --must-contain #mum --avoid mum --data {TWEETS}",
        ("--must-contain must be without the avoided word “mum”, not '#mum'", "Change --must-contain"),
    ),
    "a required text with unknown characters": (
        "generate --must-contain a寿",
        ("No tweet can contain “a寿”: the vocabulary lacks '寿' (U+5BFF).", "Change --must-contain"),
    ),
    "a minimum length above the maximum": (
        "generate --min-length 9 --max-length 8",
        ("--min-length must be below --max-length, 8",),
    ),
    "a required text as long as a tweet": (
        "generate --must-contain mum --max-length 3",
        ("--must-contain must be shorter than --max-length, 3,",),
    ),
    "a run name that is a path": (f"train --run-name ../up --data {TWEETS}", ("A run can't be called",)),
    "an unknown run": ("train --resume nothing", ("nothing", "runs list")),
    "resume and checkpoint": ("train --resume first --checkpoint first", ("--resume continues a run",)),
    "resume and a name": ("train --resume first --run-name x", ("--resume continues a run",)),
    "resume and reading": ("train --resume first --max-length 99 --max-steps 50", ("--max-length", "--data FILE")),
    "train: how to read, and not what": ("train --column text", ("--column", "--data FILE")),
    "evaluate: how to read, and not what": ("evaluate --column text", ("--column", "--data FILE")),
    "the name of a run that is there": (f"train --run-name first --data {TWEETS}", ("already a run", "--resume first")),
}
WHILE_PREPARING: dict[str, tuple[str, tuple[str, ...]]] = {
    "a prime with unknown characters": (f"train --prime 寿 --data {TWEETS}", ("寿",)),
    "a required text with characters of no tweet": (
        f"train --must-contain a寿 --data {TWEETS}",
        ("No tweet can contain “a寿”", "寿"),
    ),
    "a run called last": (f"train --run-name last --max-steps 1 --data {TWEETS}", ("can't be called last",)),
    "another model than that of the run": (
        "train --resume first --hidden-size 32 --max-steps 50",
        ("--hidden-size can't be changed",),
    ),
    "no steps beyond those taken": (
        "train --resume first --max-steps 40",
        ("has taken 40 steps", "--max-steps 40", "larger --max-steps"),
    ),
}


def split(line: str, tweets: Path) -> list[str]:
    """Return the arguments of a command line in which `TWEETS` stands for a file."""
    return [*line.removesuffix(TWEETS).split(), *([str(tweets)] if line.endswith(TWEETS) else [])]


@pytest.mark.parametrize(("option", "value"), OUT_OF_RANGE)
def test_a_setting_out_of_range_is_named_with_its_range(cli: Cli, tweets: Path, option: str, value: str) -> None:
    ended = cli("train", "--data", tweets, option, value)
    assert_two_line_error(ended, f": {option} must be ", f", not {value}.", f"Change {option}")


@pytest.mark.parametrize("case", AT_ONCE)
def test_contradicting_settings_are_an_error_before_anything_is_written(
    cli: Cli, trained: Path, tweets: Path, case: str
) -> None:
    line, words = AT_ONCE[case]
    before = sorted(trained.rglob("*"))
    assert_two_line_error(cli(*split(line, tweets)), *words)
    assert sorted(trained.rglob("*")) == before


@pytest.mark.parametrize("case", WHILE_PREPARING)
def test_a_problem_found_during_setup_is_an_error_in_two_lines(
    cli: Cli, trained: Path, tweets: Path, case: str
) -> None:
    line, words = WHILE_PREPARING[case]
    assert_error_at_the_end(cli(*split(line, tweets)), *words)


def test_the_screen_requires_a_terminal(cli: Cli, tweets: Path) -> None:
    assert_two_line_error(cli("--data", tweets), "needs a terminal", "tweetgen-tui train")


def test_an_empty_run_name_is_refused(cli: Cli, tweets: Path) -> None:
    assert_two_line_error(cli("train", "--data", tweets, "--run-name", ""), "A run can't be called")


def test_resume_last_without_a_run_names_the_command_that_starts_one(cli: Cli) -> None:
    assert_two_line_error(cli("train", "--resume", "last"), "no run yet", "tweetgen-tui train")


def test_a_missing_device_is_refused(cli: Cli, tweets: Path) -> None:
    import torch

    if torch.backends.mps.is_available():
        pytest.skip("this machine has it")
    assert_error_at_the_end(cli("train", "--data", tweets, "--device", "mps"), "no mps device")
