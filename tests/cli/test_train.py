"""`tweetgen-tui train`: whole runs, with plain lines and with `--json`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.protocol import events as e
from tests.cli.program import SMALL_MODEL, Cli, Finished
from tests.engine.session.stream_rules import assert_valid_stream
from tests.fakes import (
    FakeSession,
    batch_shown,
    eval_finished,
    run_started,
    text_completed,
    text_traced,
    tweet_read,
    tweet_sampled,
    units_scored,
)

COMMON = {"event", "step", "elapsed_seconds"}
FIELDS = {
    "RunStarted": COMMON
    | {"run", "corpus", "num_train_tweets", "num_val_tweets", "vocab_size", "num_parameters", "device", "precision"}
    | {
        "num_threads",
        "tuning",
        "model",
        "training",
        "sampling",
        "resumed_from",
        "is_warm_start",
        "epochs",
        "world_size",
        "backend",
        "started_at",
    },
    "StepsFinished": COMMON | {"first_step", "train_losses", "grad_norms", "learning_rate", "chars_per_second"},
    "EvalFinished": COMMON | {"val_loss", "bits_per_char", "is_best", "is_early"},
    "StepTimes": COMMON
    | {"num_steps", "seconds", "data_seconds", "forward_seconds", "backward_seconds", "optimizer_seconds"}
    | {"sampling_seconds", "evaluation_seconds", "saving_seconds", "waiting_seconds"},
    "TweetSampled": COMMON
    | {"text", "temperature", "reached_eos", "bits_per_char", "novelty", "copied_share", "char_bits", "prime"}
    | {"num_drafts", "refused", "unmet"},
    "CheckpointSaved": COMMON | {"name", "path", "bits_per_char", "weights_step"},
    "RunFinished": COMMON | {"reason", "total_seconds", "total_chars"},
    "RunFailed": COMMON | {"title", "detail", "hint"},
}


@pytest.fixture
def streamed(cli: Cli, tweets: Path) -> Finished:
    ended = cli(
        *("train", "--json", "--data", tweets, *SMALL_MODEL, "--run-name", "streamed"),
        *("--max-steps", "12", "--sample-every", "4", "--eval-every", "5"),
    )
    assert ended.code == 0, ended.err
    return ended


def test_json_is_one_event_per_line_obeys_the_stream_invariants_and_equals_the_journal(
    streamed: Finished, home: Path
) -> None:
    told = [e.from_json(line) for line in streamed.lines]
    assert_valid_stream(told)
    assert told[-1].step == 12
    folder = home / "runs" / "streamed"
    assert (folder / "events.jsonl").read_text(encoding="utf-8") == streamed.out
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    own = {"checkpoints/latest.safetensors", "checkpoints/best.safetensors"}
    assert names == {"config.json", "events.jsonl", "tweetgen.log"} | own
    assert {event.path for event in told if isinstance(event, e.CheckpointSaved)} == {
        str(folder / name) for name in own
    }
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["model"]["hidden_size"] == 16


def test_json_holds_no_answer_to_a_question_of_an_attached_screen(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = (
        text_traced("hi"),
        units_scored(),
        batch_shown(),
        text_completed("hi"),
        tweet_read("hi"),
        e.BaselinesMeasured(step=100, elapsed_seconds=5.0, request=0, names=("uniform",), bits_per_char=(6.6,)),
    )
    end = e.RunFinished(step=100, elapsed_seconds=5.0, reason="budget", total_seconds=5.0, total_chars=10)
    session = FakeSession((*answers, tweet_sampled("hi"), end))
    monkeypatch.setattr("engine.session.session.TrainingSession", lambda *_arguments, **_options: session)
    printed = cli("train", "--json").objects
    assert [each["event"] for each in printed] == ["RunStarted", "TweetSampled", "RunFinished"]


def test_json_has_exactly_the_fields_of_the_design(streamed: Finished) -> None:
    kinds = {event["event"] for event in streamed.objects} - {"StepTimes"}  # every two seconds of training
    assert kinds == {"RunStarted", "StepsFinished", "EvalFinished", "TweetSampled", "CheckpointSaved", "RunFinished"}
    for event in streamed.objects:
        assert set(event) == FIELDS[event["event"]]


def test_without_json_stdout_is_empty_and_stderr_reports_the_progress(cli: Cli, tweets: Path) -> None:
    ended = cli("train", "--data", tweets, *SMALL_MODEL, "--max-steps", "6", "--run-name", "quiet", "--seed", "3")
    assert ended.code == 0
    assert ended.out == ""
    assert "loading torch" in ended.err
    assert "run quiet: tweets.txt, 48 training tweets" in ended.err
    assert ", precision and threads fixed; auto: " in ended.err
    assert "validation bits/char, best so far" in ended.err
    assert "\x1b" not in ended.err


def test_lines_on_stderr_name_early_estimates_and_what_is_measured_later(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = replace(eval_finished(64, 3.01, is_best=False), is_early=True)
    regular = eval_finished(70, 2.9, is_best=False)
    end = e.RunFinished(step=70, elapsed_seconds=5.0, reason="budget", total_seconds=5.0, total_chars=10)
    session = FakeSession((early, regular, end), run_started(tuning="threads-due"))
    monkeypatch.setattr("engine.session.session.TrainingSession", lambda *_arguments, **_options: session)
    ended = cli("train")
    assert ", 1 thread, threads to be measured; " in ended.err
    assert [line for line in ended.error_lines if line.startswith("step")] == [
        "step 64: 3.01 validation bits/char, an early estimate",
        "step 70: 2.90 validation bits/char",
    ]


def test_lines_on_stderr_count_the_refused_drafts_of_each_tweet(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    filtered = replace(tweet_sampled("hi"), num_drafts=3, refused=(("copy", 1), ("avoided word", 1)))
    failing = replace(tweet_sampled("ho", 7), num_drafts=32, refused=(("copy", 32),), unmet=("copy", "too short"))
    end = e.RunFinished(step=100, elapsed_seconds=5.0, reason="budget", total_seconds=5.0, total_chars=10)
    session = FakeSession((tweet_sampled("he", 3), filtered, failing, end))
    monkeypatch.setattr("engine.session.session.TrainingSession", lambda *_arguments, **_options: session)
    lines = [line for line in cli("train").error_lines if line.startswith("step")]
    assert lines == [
        "step 3: he",
        f"step {filtered.step}: hi",
        f"step {filtered.step}: 1 of 3 drafts: 1 copy, 1 with an avoided word",
        "step 7: ho",
        "step 7: none of 32 drafts: 32 copies",
        "step 7: No draft passed the filter; this one comes nearest: copy, too short.",
    ]


def test_a_finished_run_is_resumed_with_a_larger_budget(cli: Cli, trained: Path) -> None:
    ended = cli("train", "--json", "--resume", "first", "--max-steps", "80")
    assert ended.code == 0, ended.err
    told = [e.from_json(line) for line in ended.lines]
    assert_valid_stream(told)
    assert isinstance(told[0], e.RunStarted)
    assert (told[0].run, told[0].step, told[0].resumed_from) == ("first", 40, "first/latest")
    assert told[-1].step == 80


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("rows.csv", 'id,text,kind\n{0},"tweet, number {0}",x\n', ("--column", "text")),
        ("rows.csv", 'text\n"tweet, number {0}"\n', ()),
        ("rows.jsonl", '{{"body": "tweet, number {0}"}}\n', ("--column", "body")),
        ("rows.dat", "tweet, number {0}\n", ("--format", "text")),
    ],
)
def test_csv_jsonl_and_text_are_read_with_a_given_or_detected_column_or_format(
    cli: Cli, tmp_path: Path, name: str, content: str, options: tuple[str, ...]
) -> None:
    [*header, row] = content.splitlines(keepends=True)
    path = tmp_path / name
    path.write_text("".join([*header, *(row.format(number) for number in range(60))]), encoding="utf-8")
    ended = cli("train", "--json", "--data", path, *options, *SMALL_MODEL, "--max-steps", "1")
    assert ended.code == 0, ended.err
    assert ended.objects[0]["num_train_tweets"] + ended.objects[0]["num_val_tweets"] == 60
