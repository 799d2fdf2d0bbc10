"""Options for reading and cleaning tweets, and resuming a run on piped data."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import SMALL_MODEL, Cli, assert_two_line_error, write_tweets

NAMES = ("Tom", "Ann", "Bo", "gran", "mum", "we", "they", "you", "Zoë", "a fox")
THINGS = ("tea", "a long walk", "my dog", "the rain", "two boats", "jam")
TWEETS = [f"{name} likes {thing}" for thing in THINGS for name in NAMES]
FEW_STEPS = (*SMALL_MODEL, "--sample-every", "0", "--eval-every", "0", "--json")


def write(path: Path, lines: Iterable[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def facts(cli: Cli, *arguments: str | Path) -> dict[str, Any]:
    """Return the object of `data inspect --json`."""
    ended = cli("data", "inspect", *arguments, "--json")
    assert ended.code == 0, ended.err
    return ended.object


def pipe_in(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


SHOUTED = [f"@Mia_{n} LOVES the café, no {n}" for n in range(5)] + TWEETS


@pytest.mark.parametrize(
    ("option", "present", "absent"),
    [
        ("", "@LOVESé_", ""),
        ("--lowercase", "@lovesé_", "LOVESMTABZ"),
        ("--strip-mentions", "LOVESé", "@_"),
        ("--mask-mentions", "@user LOVESé", "_M"),
        ("--to-ascii", "@LOVESe", "éë"),
    ],
)
def test_an_option_changes_the_text_and_its_absence_does_not(
    cli: Cli, tmp_path: Path, option: str, present: str, absent: str
) -> None:
    path = write(tmp_path / "a.txt", SHOUTED)
    found = facts(cli, path, "--keep-duplicates", *filter(None, [option]))
    assert not set(absent) & set(found["alphabet"])
    assert set(present) <= set(found["alphabet"])
    assert found["kept"] == len(SHOUTED)


def test_long_tweets_and_duplicates_are_kept_on_request(cli: Cli, tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", [*TWEETS, "x" * 141, "y" * 280, "z" * 281, "TOM likes tea!!"])
    assert facts(cli, path)["dropped"] == {"over 140 characters": 3, "duplicate": 1}
    kept = facts(cli, path, "--max-length", "280", "--keep-duplicates")
    assert kept["dropped"] == {"over 280 characters": 1}
    assert kept["duplicates"] == 1


def test_a_run_on_standard_input_resumes_without_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe_in(monkeypatch, "".join(f"{tweet}\n" for tweet in TWEETS).encode())
    first = cli("train", "--data", "-", "--max-steps", "2", "--run-name", "piped", *FEW_STEPS)
    pipe_in(monkeypatch, b"")
    more = cli("train", "--resume", "piped", "--max-steps", "4", "--json")
    assert (first.code, more.code) == (0, 0), more.err
    began, went_on = first.objects[0], more.objects[0]
    assert began["corpus"] == went_on["corpus"] == "standard input"
    assert began["num_train_tweets"] == went_on["num_train_tweets"] == 48
    assert "not those" not in more.err
    assert more.objects[-1]["step"] == 4


@pytest.mark.parametrize("weights", [("1",), ("nan", "1")])
def test_weights_that_do_not_fit_the_files_are_refused(cli: Cli, tmp_path: Path, weights: tuple[str, ...]) -> None:
    one, two = write(tmp_path / "one.txt", TWEETS), write_tweets(tmp_path / "two.txt")
    given = [part for weight in weights for part in ("--weight", weight)]
    assert_two_line_error(cli("train", "--data", one, "--data", two, "--max-steps", "1", *given), "weight")
