"""Each option that says which tweets are read, and how, does through the command line what its help says."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import SMALL_MODEL, Cli, assert_told_in_two_lines, write_tweets

NAMES = ("Tom", "Ann", "Bo", "gran", "mum", "we", "they", "you", "Zoë", "a fox")
THINGS = ("tea", "a long walk", "my dog", "the rain", "two boats", "jam")
TWEETS = [f"{name} likes {thing}" for thing in THINGS for name in NAMES]
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
FEW_STEPS = (*SMALL_MODEL, "--sample-every", "0", "--eval-every", "0", "--json")


def write(path: Path, lines: Iterable[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def facts(cli: Cli, *arguments: str | Path) -> dict[str, Any]:
    """Return what `data inspect --json` says."""
    ended = cli("data", "inspect", *arguments, "--json")
    assert ended.code == 0, ended.err
    return ended.object


def pipe_in(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Thirty happy, twenty sad and ten neutral tweets in the six columns of Sentiment140."""
    labels = ["4"] * 30 + ["0"] * 20 + ["2"] * 10
    rows = (
        f'"{label}","{n}","Mon May 11 03:17:40 UTC 2009","NO_QUERY","someone","{tweet}"'
        for n, (label, tweet) in enumerate(zip(labels, TWEETS, strict=True))
    )
    return write(tmp_path / "labelled.csv", rows)


@pytest.mark.parametrize(
    ("options", "kept", "dropped"),
    [
        ((), 30, {"labelled sad (0)": 20, "labelled neutral (2)": 10}),
        (("--label", "sad"), 20, {"labelled happy (4)": 30, "labelled neutral (2)": 10}),
        (("--label", "all"), 60, {}),
    ],
)
def test_the_label_says_which_tweets_are_kept(
    cli: Cli, labelled: Path, options: tuple[str, ...], kept: int, dropped: dict[str, int]
) -> None:
    found = facts(cli, labelled, *options)
    assert (found["format"], found["kept"], found["dropped"]) == ("sentiment140", kept, dropped)


def test_too_few_with_the_label_are_told_with_the_way_out(cli: Cli, labelled: Path) -> None:
    ended = cli("data", "inspect", labelled, "--label", "2", "--json")
    assert_told_in_two_lines(ended, "10 tweets kept", "--label all")


# What a piece is ------------------------------------------------------------------------------------------------------


def test_pieces_may_end_at_a_blank_line(cli: Cli, tmp_path: Path) -> None:
    path = write(tmp_path / "poems.txt", (line for tweet in TWEETS for line in (tweet, "and so do I", "")))
    found = facts(cli, path, "--blank-line-separated", "--keep-duplicates")
    assert (found["rows"], found["kept"]) == (60, 60)
    assert set(found["samples"]) <= {f"{tweet}↵and so do I" for tweet in TWEETS}


def test_replies_and_sensitive_posts_are_left_out_where_that_is_wanted(cli: Cli, tmp_path: Path) -> None:
    notes = [
        {"type": "Note", "content": f"<p>{tweet}</p>", "sensitive": 10 <= n < 15, "inReplyTo": "x" if n < 10 else None}
        for n, tweet in enumerate(TWEETS)
    ]
    posts = [{"type": "Create", "object": note | {"to": [PUBLIC], "summary": None}} for note in notes]
    path = tmp_path / "outbox.json"
    path.write_text(json.dumps({"type": "OrderedCollection", "orderedItems": posts}), encoding="utf-8")
    assert facts(cli, path)["dropped"] == {}
    assert facts(cli, path, "--no-replies", "--no-sensitive")["dropped"] == {"reply": 10, "marked as sensitive": 5}


def test_links_of_an_x_archive_are_kept_where_that_is_wanted(cli: Cli, tmp_path: Path) -> None:
    tweets = [{"tweet": {"full_text": f"{tweet} https://t.co/abc{n}"}} for n, tweet in enumerate(TWEETS)]
    path = tmp_path / "tweets.js"
    path.write_text(f"window.YTD.tweets.part0 = {json.dumps(tweets)}", encoding="utf-8")
    assert (facts(cli, path)["kept"], facts(cli, path)["links"]) == (60, 0)
    assert facts(cli, path, "--keep-links")["links"] == 60


# What becomes of the text ---------------------------------------------------------------------------------------------

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
def test_text_is_changed_as_the_option_says_and_else_left_alone(
    cli: Cli, tmp_path: Path, option: str, present: str, absent: str
) -> None:
    path = write(tmp_path / "a.txt", SHOUTED)
    found = facts(cli, path, "--keep-duplicates", *filter(None, [option]))
    assert not set(absent) & set(found["alphabet"])
    assert set(present) <= set(found["alphabet"])
    assert found["kept"] == len(SHOUTED)


def test_longer_ones_and_duplicates_are_kept_where_that_is_wanted(cli: Cli, tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", [*TWEETS, "x" * 141, "y" * 280, "z" * 281, "TOM likes tea!!"])
    assert facts(cli, path)["dropped"] == {"over 140 characters": 3, "duplicate": 1}
    kept = facts(cli, path, "--max-length", "280", "--keep-duplicates")
    assert kept["dropped"] == {"over 280 characters": 1}
    assert kept["duplicates"] == 1


# A run ----------------------------------------------------------------------------------------------------------------


def test_a_run_on_standard_input_goes_on_without_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_weights_that_do_not_fit_the_files_are_told(cli: Cli, tmp_path: Path, weights: tuple[str, ...]) -> None:
    one, two = write(tmp_path / "one.txt", TWEETS), write_tweets(tmp_path / "two.txt")
    given = [part for weight in weights for part in ("--weight", weight)]
    assert_told_in_two_lines(cli("train", "--data", one, "--data", two, "--max-steps", "1", *given), "weight")
