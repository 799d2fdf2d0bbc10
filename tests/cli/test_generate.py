"""`generate`: tweets on stdout, one per line."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from engine.checkpoints.format import read_info
from engine.config.sampling import MAX_DRAFTS
from tests.cli.conftest import Launch
from tests.cli.program import SMALL_MODEL, Cli, assert_error_at_the_end

USED = "checkpoint: first/best, step 40\n"
FIELDS = {"text", "temperature", "seed", "reached_eos", "bits_per_char", "novelty", "num_drafts", "refused", "unmet"}


def test_n_tweets_are_n_lines_with_consecutive_seeds_and_nothing_else(cli: Cli, trained: Path) -> None:
    ended = cli("generate", "-n", "5", "--seed", "3")
    assert (ended.code, ended.err, len(ended.lines)) == (0, USED, 5)
    assert cli("generate", "-n", "5", "--seed", "1000") != ended
    assert cli("generate", "--seed", "5").lines == ended.lines[2:3]
    tweets = cli("generate", "-n", "5", "--seed", "3", "--json").objects
    assert [tweet["text"] for tweet in tweets] == ended.lines
    assert [tweet["seed"] for tweet in tweets] == [3, 4, 5, 6, 7]
    assert all(tweet.keys() == FIELDS for tweet in tweets)
    assert [(tweet["num_drafts"], tweet["refused"], tweet["unmet"]) for tweet in tweets] == [(1, [], [])] * 5
    assert {tweet["novelty"] for tweet in tweets} <= {"new", "near-copy", "copy"}


def test_a_closed_pipe_ends_it_quietly_with_the_code_of_sigpipe(cli: Cli, launch: Launch, trained: Path) -> None:
    asked = launch("generate", "--help")
    asked.stop_reading()
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        cli.monkeypatch.setattr("sys.stdout", pipe)
        generated = cli("generate", "-n", "500")
    assert (generated.code, generated.err) == (141, USED)
    ended = asked.wait()
    assert (ended.code, ended.err) == (141, "")


def test_the_options_of_a_tweet_and_of_its_filter_act_and_refused_drafts_are_counted(cli: Cli, trained: Path) -> None:
    assert cli("generate", "-n", "3", "--min-p", "0.1", "--temperature-last").err == USED  # no filter, no report
    options = ("--prime", "mum got", "--max-length", "20", "--only-new", "--avoid", "e,a", "--best-of", "2")
    ended = cli("generate", "-n", "3", *options, "--seed", "5", "--json")
    for tweet in ended.objects:
        assert tweet["text"].startswith("mum got")
        assert (len(tweet["text"]) <= 20, tweet["novelty"], tweet["unmet"]) == (True, "new", [])
        assert tweet["num_drafts"] == 2 + sum(count for _, count in tweet["refused"])
    num_drafts = sum(tweet["num_drafts"] for tweet in ended.objects)
    assert re.match(rf"{num_drafts - 3} of {num_drafts} drafts refused", ended.error_lines[-1])
    assert cli("generate", "-n", "3", *options, "--seed", "5").lines == [tweet["text"] for tweet in ended.objects]
    ended = cli("generate", "--must-contain", "zebra zebra", "--max-length", "20", "--seed", "1")
    assert (ended.code, len(ended.lines)) == (0, 1)
    assert ended.error_lines[1].startswith(f"{MAX_DRAFTS:,} of {MAX_DRAFTS:,} drafts refused: ")
    assert ended.error_lines[2] == (
        "The filter refused all drafts of 1 of 1 tweet; the nearest are shown: 1 without the text"
    )


def test_changed_or_missing_training_tweets_are_not_compared_with(cli: Cli, tweets: Path) -> None:
    cli("train", "--data", tweets, *SMALL_MODEL, "--max-steps", "2", "--only-new", "--best-of", "2")
    with tweets.open("a", encoding="utf-8") as file:
        file.writelines(f"another tweet of number {number}\n" for number in range(40))
    assert cli("evaluate").code == 0
    for option in ("--baselines", "--quality"):
        assert_error_at_the_end(cli("evaluate", option), "has changed since the checkpoint was trained on it", option)
    tweets.unlink()
    assert_error_at_the_end(cli("generate", "--only-new"), "--only-new compares with the training tweets", "Leave")
    ended = cli("generate", "--json", "--max-length", "10")
    assert (ended.code, ended.object["novelty"]) == (0, None)
    assert "No novelty figures" in ended.err
    assert ended.object["num_drafts"] == 1  # the filter of the run is not that of `generate`


def test_a_checkpoint_from_elsewhere_has_no_novelty_an_x_ray_and_is_evaluated_on_files_that_the_user_names(
    cli: Cli, best: Path, elsewhere: Path
) -> None:
    copy = shutil.copy(best, elsewhere / "copy.safetensors")
    ended = cli("generate", "--checkpoint", copy, "--json")
    assert ended.object["novelty"] is None
    assert ended.err == (
        f"checkpoint: {copy}, step 40\n"
        "No novelty figures: copy.safetensors is from elsewhere, so the files that it names are not read.\n"
    )
    assert cli("xray", "mum", "--checkpoint", copy).code == 0
    [file] = read_info(best)[0].corpus.files
    assert cli("evaluate", "--checkpoint", copy, "--baselines", "--json", "--data", file).object["baselines"]
