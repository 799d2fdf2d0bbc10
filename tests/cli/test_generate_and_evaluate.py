"""`generate`: tweets on stdout, one per line; `evaluate`: bits per character, baselines and quality; and `bench`."""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.format import read_info
from engine.config.sampling import MAX_DRAFTS
from engine.corpus.similarity.novelty import NoveltyIndex
from engine.sampling import bench
from engine.sampling.bench import BenchReport, Figures, Shape
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


def test_tweets_start_with_the_prime_end_at_max_length_and_at_0_are_the_likeliest(cli: Cli, trained: Path) -> None:
    tweets = cli("generate", "-n", "200", "--prime", "mum got", "--max-length", "9", "--json").objects
    assert all(tweet["text"].startswith("mum got") and len(tweet["text"]) <= 9 for tweet in tweets)
    cut = [tweet["text"] for tweet in tweets if not tweet["reached_eos"]]
    assert any(text.endswith(" ") for text in cut)
    assert {len(text) for text in cut} == {9}
    likeliest = cli("generate", "--temperature", "0").lines
    assert cli("generate", "-n", "3", "--temperature", "0").lines == 3 * likeliest
    for options in (("--top-k", "1"), ("--top-p", "0.001"), ("--min-p", "0.999")):
        assert cli("generate", *options, "--temperature", "1", "--seed", "1").lines == likeliest


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


def test_filtered_tweets_pass_and_their_drafts_are_counted(cli: Cli, trained: Path) -> None:
    assert cli("generate", "-n", "3", "--min-p", "0.1", "--temperature-last").err == USED  # no filter, no report
    options = ("--max-length", "40", "--min-length", "9", "--avoid", "e,a", "--must-contain", "T", "--seed", "5")
    ended = cli("generate", "-n", "3", *options, "--json")
    tweets = ended.objects
    for tweet in tweets:
        assert tweet["unmet"] == []
        assert tweet["num_drafts"] == 1 + sum(count for _, count in tweet["refused"])
        assert 9 <= len(tweet["text"]) < 40
        assert "t" in tweet["text"].lower()
        assert not {"e", "a"} & set(tweet["text"].lower().split())
        assert tweet["reached_eos"]
    assert [tweet["seed"] for tweet in tweets] == [5, 6, 7]
    num_drafts = sum(tweet["num_drafts"] for tweet in tweets)
    assert ended.error_lines[-1].startswith(f"{num_drafts - 3} of {num_drafts} drafts refused: ")
    assert cli("generate", "-n", "3", *options).lines == [tweet["text"] for tweet in tweets]


def test_the_best_of_n_has_the_fewest_bits_and_a_hopeless_filter_ends_with_the_nearest(cli: Cli, trained: Path) -> None:
    options = ("--seed", "2", "--max-length", "100", "--json")
    first, best = (cli("generate", *options, "--best-of", number).object for number in ("1", "6"))
    assert best["bits_per_char"] < first["bits_per_char"]
    assert best["num_drafts"] == 6 + sum(count for _, count in best["refused"])
    ended = cli("generate", "--must-contain", "zebra zebra", "--max-length", "20", "--seed", "1")
    assert (ended.code, len(ended.lines)) == (0, 1)
    assert ended.error_lines[1].startswith(f"{MAX_DRAFTS:,} of {MAX_DRAFTS:,} drafts refused: ")
    assert ended.error_lines[2] == (
        "The filter refused all drafts of 1 of 1 tweet; the nearest are shown: 1 without the text"
    )


def test_only_new_refuses_what_the_novelty_index_calls_a_copy(cli: Cli, trained: Path) -> None:
    cli.monkeypatch.setattr(NoveltyIndex, "copied_share", lambda _, text: (1.0, 0.5, 0.4)[len(text) % 3])
    tweets = cli("generate", "-n", "9", "--only-new", "--seed", "1", "--max-length", "60", "--json").objects
    assert [(tweet["novelty"], tweet["unmet"]) for tweet in tweets] == [("new", [])] * 9
    assert {"copy", "near-copy"} <= {reason for tweet in tweets for reason, _ in tweet["refused"]}


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


QUALITY = "evaluate --quality --count 20 --temperature 0.5 --seed 3"


@pytest.mark.parametrize("line", ["evaluate", "evaluate --data TWEETS", "evaluate --baselines", QUALITY])
def test_the_report_of(cli: Cli, trained: Path, tweets: Path, snapshot: SnapshotAssertion, line: str) -> None:
    assert cli.transcript(line, f"{line} --json", TWEETS=tweets) == snapshot


def test_evaluating_standard_input_stores_nothing(cli: Cli, trained: Path, home: Path, tweets: Path) -> None:
    before = {path for path in home.rglob("*") if path.is_file()}
    figures = cli("evaluate", "--data", tweets, "--json").object
    cli.reads(tweets.read_bytes())
    assert cli("evaluate", "--data", "-", "--json").object == figures
    assert {path for path in home.rglob("*") if path.is_file()} == before


def test_figures_are_those_of_the_run_and_its_baselines_of_all_tweets(cli: Cli, trained: Path) -> None:
    figures = cli("evaluate", "--json").object
    assert figures["bits_per_char"] == pytest.approx(figures["nats_per_char"] / math.log(2))
    [run] = cli("runs", "list", "--json").objects
    assert figures["bits_per_char"] == pytest.approx(run["best_bits_per_char"], rel=1e-4)
    compared = cli("evaluate", "--baselines", "--json").object
    bits = [*compared.pop("baselines").values(), figures["bits_per_char"]]
    assert compared == figures
    rows = cli("evaluate", "--baselines").lines[7:]
    assert [row.removesuffix("best").split()[-1] for row in rows] == [f"{value:.4f}" for value in bits]
    assert [row.endswith("best") for row in rows] == [value == min(bits) for value in bits]


def test_an_unknown_character_costs_15_bits_more_also_in_baselines(cli: Cli, trained: Path, tmp_path: Path) -> None:
    known, unknown = tmp_path / "known.txt", tmp_path / "unknown.txt"
    known.write_text("mum made a cake\n", encoding="utf-8")
    unknown.write_text("mum made a c寿ke\n", encoding="utf-8")
    [cheap, dear] = (cli("evaluate", "--baselines", "--data", path, "--json").object for path in (known, unknown))
    assert (cheap["num_unknown_chars"], dear["num_unknown_chars"]) == (0, 1)
    assert (dear["bits_per_char"] - cheap["bits_per_char"]) * dear["num_chars"] > 15
    for name, bits in cheap["baselines"].items():
        assert (dear["baselines"][name] - bits) * dear["num_chars"] > 15


def test_quality_is_that_of_the_tweets_that_generate_prints_and_of_real_ones(cli: Cli, trained: Path) -> None:
    quality = cli(*QUALITY.split(), "--json").object["quality"]
    for part in (quality["written"], quality["held_out"]):
        assert all(0 <= part[name] <= 1 for name in part if name not in ("num_tweets", "mean_chars"))
    assert (quality["held_out"]["known_word_share"], quality["held_out"]["num_tweets"]) == (1, 12)
    assert 10 < quality["train_mean_chars"] < 30
    tweets = cli("generate", "-n", "20", "--temperature", "0.5", "--seed", "3", "--json").objects
    assert quality["written"]["mean_chars"] == pytest.approx(sum(len(tweet["text"]) for tweet in tweets) / 20)
    assert quality["written"]["ended_share"] == pytest.approx(sum(tweet["reached_eos"] for tweet in tweets) / 20)


def test_an_imported_checkpoint_has_no_novelty(cli: Cli, trained: Path, tmp_path: Path) -> None:
    copy = shutil.copy(trained / "runs" / "first" / "checkpoints" / "best.safetensors", tmp_path / "copy.safetensors")
    ended = cli("generate", "--checkpoint", copy, "--json")
    assert ended.object["novelty"] is None
    assert ended.err == (
        f"checkpoint: {copy}, step 40\n"
        "No novelty figures: copy.safetensors is from elsewhere, so the files that it names are not read.\n"
    )


def test_files_that_a_checkpoint_from_elsewhere_names_are_read_only_if_the_user_names_them(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    copy = shutil.copy(trained / "runs" / "first" / "checkpoints" / "best.safetensors", tmp_path / "copy.safetensors")
    [file] = read_info(Path(copy))[0].corpus.files
    for compares in ((), ("--baselines",)):
        ended = cli("evaluate", "--checkpoint", copy, *compares)
        assert_error_at_the_end(ended, "comes from elsewhere", f"--data {file}")
    ended = cli("evaluate", "--checkpoint", copy, "--baselines", "--json", "--data", file)
    assert ended.object["baselines"]


def figures(*rows: tuple[Any, ...]) -> list[Figures]:
    """Return what was measured: batch size, path, characters a second, their ratio to the tutorial, and CUDA graphs."""
    common: dict[str, Any] = {"embedding_size": 128, "hidden_size": 256, "num_threads": 2, "spread": 0.07}
    names = ("batch_size", "path", "chars_per_second", "ratio_to_tutorial", "num_graphs")
    return [Figures(**common, **dict(zip(names, row, strict=False))) for row in rows]


REPORT = BenchReport(
    machine={"processor": "A \x1b[31mCPU", "load_average": 0.5, "gpu": None},
    train=figures((64, "tutorial", 31_234.5, 1.0), (64, "ours, bfloat16", 98_765.4, 3.162)),
    sample=figures((1, "tutorial", 1_234.0, 1.0), (256, "ours", 59_232.0, 48.0)),
)
"""Figures of two shapes; a third one found no time."""


ON_A_GPU = replace(REPORT, train=figures((64, "tutorial", 31_234.5, 1.0), (64, "ours", 987_654.3, 31.62, 16)))


@pytest.mark.parametrize(
    ("report", "options"),
    [(REPORT, ()), (REPORT, ("--json", "--seconds", "90")), (ON_A_GPU, ())],
    ids=["table", "json", "on a GPU"],
)
def test_bench_prints(cli: Cli, snapshot: SnapshotAssertion, report: BenchReport, options: tuple[str, ...]) -> None:
    benchmark = mock.Mock(run=lambda: report, skipped_shapes=[Shape(128, 512, 128)])
    cli.monkeypatch.setattr(bench, "Benchmark", lambda *_: benchmark)
    ended = cli("bench", "--device", "cpu", *options)
    assert ended.code == 0
    assert f"{ended.out}\nstderr:\n{ended.err}" == snapshot
