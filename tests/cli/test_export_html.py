"""`tweetgen-tui export html`: a page, what stderr says of it, and clear errors. What the page does: tests/e2e."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from engine.storage.atomic_write import write_atomically
from tests.cli.program import SMALL_MODEL, Cli, assert_two_line_error

USED = "checkpoint: first/best, step 40"


def test_it_writes_one_page_and_reports_copies_and_size_on_stderr(cli: Cli, trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    ended = cli("export", "html", "first", file)
    assert (ended.code, ended.out) == (0, "")
    used, copies, wrote = ended.error_lines
    assert used == USED
    assert copies.startswith("Of 1,000 tweets that it wrote at temperature 0.8, ")
    assert wrote == f"wrote {file}, {file.stat().st_size / 1e3:.1f} kB"
    page = file.read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert copies in page


def test_int8_weights_make_the_page_smaller(cli: Cli, trained: Path, tmp_path: Path) -> None:
    for weights in ("float16", "int8"):
        assert cli("export", "html", "first", tmp_path / f"{weights}.html", "--weights", weights).code == 0
    assert (tmp_path / "int8.html").stat().st_size < (tmp_path / "float16.html").stat().st_size


def test_the_page_counts_the_copies_that_generate_finds_with_the_same_seeds(
    cli: Cli, home: Path, tweets: Path, tmp_path: Path
) -> None:
    most_of_a_tweet = "mum made a cake toda"
    sampling = ("--prime", most_of_a_tweet, "--max-length", str(len(most_of_a_tweet) + 2))
    run = ("--data", tweets, "--run-name", "parrot", "--max-steps", "60", *SMALL_MODEL, *sampling)
    assert cli("train", *run).code == 0
    settings = ("-n", "1000", "--seed", "0", "--json")
    counts = Counter(tweet["novelty"] for tweet in cli("generate", "--checkpoint", "parrot", *settings).objects)
    assert counts["copy"] > 0
    expected = f"{counts['copy']:,} equalled a training tweet, and of {counts['near-copy']:,} more"
    assert expected in cli("export", "html", "parrot", tmp_path / "page.html").err


def test_missing_training_tweets_are_reported_and_the_page_names_no_file_of_this_machine(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    [tweets] = cli("checkpoints", "show", "first", "--json").object["corpus"]["files"]
    hidden = Path(tweets).with_suffix(".hidden")
    Path(tweets).rename(hidden)
    try:
        ended = cli("export", "html", "first", tmp_path / "page.html")
    finally:
        hidden.rename(tweets)
    assert ended.code == 0, ended.err
    assert ended.error_lines[1].startswith("Copies were not counted, and the page says so: ")
    assert tweets in ended.error_lines[1]
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "How many of its tweets are copies of training tweets was not measured" in page
    assert str(Path(tweets).parent) not in page


def test_the_files_that_an_imported_checkpoint_names_are_not_read(cli: Cli, trained: Path, tmp_path: Path) -> None:
    assert cli("checkpoints", "export", "first", tmp_path / "model.safetensors").code == 0
    assert cli("checkpoints", "import", tmp_path / "model.safetensors", "--name", "foreign").code == 0
    ended = cli("export", "html", "foreign", tmp_path / "page.html")
    assert ended.code == 0
    assert "is from elsewhere" in ended.error_lines[1]


def test_a_file_is_replaced_only_by_force_and_that_is_checked_before_the_work(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    write_atomically(file, b"mine")
    assert_two_line_error(cli("export", "html", "first", file), f"{file} already exists.", "--force replaces it.")
    assert file.read_text("utf-8") == "mine"
    assert cli("export", "html", "first", file, "--force").code == 0
    assert file.read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("name", ["missing/page.html", "."])
def test_a_page_that_cannot_be_written_is_an_error_before_the_work(
    cli: Cli, trained: Path, tmp_path: Path, name: str
) -> None:
    assert_two_line_error(cli("export", "html", "first", tmp_path / name), str(tmp_path))


def test_an_unknown_checkpoint_and_an_unknown_precision_are_errors(cli: Cli, trained: Path, tmp_path: Path) -> None:
    assert_two_line_error(cli("export", "html", "frist", tmp_path / "page.html"), "frist", "Did you mean first")
    ended = cli("export", "html", "first", tmp_path / "page.html", "--weights", "int4")
    assert ended.code == 2
    assert "'int4' is not one of" in ended.err
