"""The JSON form of events and commands: key by key what `--json` promises, and back without loss."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given

from engine import commands as c
from engine import events as e
from engine.answers import CharChance, CharRead, TextCompleted, TweetRead
from engine.config import ModelConfig, SamplingConfig, TrainingConfig
from engine.wire import WireError
from tests import strategies

NOW: dict[str, Any] = {"step": 7, "elapsed_seconds": 1.5}
MODEL = {"embedding_size": 128, "hidden_size": 128, "num_layers": 1, "dropout": 0.0, "tied_embeddings": False}
SAMPLING = {"temperature": 0.8, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "prime": "", "max_length": 140}
TRAINING = {
    "preset": "tutorial",
    "preset_reason": "",
    "batch_size": 32,
    "learning_rate": 0.004,
    "schedule": "constant",
    "warmup_steps": 0,
    "weight_decay": 0.0,
    "max_grad_norm": 0.0,
    "average_lag": 0.0,
    "epochs": None,
    "max_steps": None,
    "max_seconds": None,
    "eval_every": 500,
    "eval_tweets": 2000,
    "sample_every": 100,
    "save_every": 0,
    "keep_checkpoints": 10,
    "autosave_seconds": 60.0,
    "seed": 0,
}
STEP_TIMES: dict[str, Any] = {
    "num_steps": 5,
    "seconds": 2.5,
    "data_seconds": 0.25,
    "forward_seconds": 0.5,
    "backward_seconds": 0.5,
    "optimizer_seconds": 0.25,
    "sampling_seconds": 0.125,
    "evaluation_seconds": 0.0,
    "saving_seconds": 0.0,
}
LADDER_TWEET = {"temperature": 0.2, "text": "hi", "reached_eos": True, "bits_per_char": 2.0, "novelty": "near-copy"}

# each event with exactly the fields that DESIGN.md, section 6, and the issue give it, in their order
EVENTS: list[tuple[e.Event, dict[str, Any]]] = [
    (
        e.RunStarted(
            run="r",
            corpus="happy.csv",
            num_train_tweets=19,
            num_val_tweets=2,
            vocab_size=30,
            num_parameters=1000,
            device="cpu",
            precision="float32",
            num_threads=1,
            step_path="fast",
            tuning="fixed",
            model=ModelConfig(),
            training=TrainingConfig(),
            sampling=SamplingConfig(),
            resumed_from=None,
            **NOW,
        ),
        {
            "run": "r",
            "corpus": "happy.csv",
            "num_train_tweets": 19,
            "num_val_tweets": 2,
            "vocab_size": 30,
            "num_parameters": 1000,
            "device": "cpu",
            "precision": "float32",
            "num_threads": 1,
            "step_path": "fast",
            "tuning": "fixed",
            "model": MODEL,
            "training": TRAINING,
            "sampling": SAMPLING,
            "resumed_from": None,
            "epochs": None,
            "format_version": 1,
        },
    ),
    (
        e.StepsFinished(
            first_step=6,
            train_losses=(2.0, 1.5),
            grad_norms=(0.5, 0.25),
            learning_rate=0.004,
            chars_per_second=9.5,
            **NOW,
        ),
        {
            "first_step": 6,
            "train_losses": [2.0, 1.5],
            "grad_norms": [0.5, 0.25],
            "learning_rate": 0.004,
            "chars_per_second": 9.5,
        },
    ),
    (
        e.EvalFinished(val_loss=2.0, bits_per_char=2.9, is_best=True, **NOW),
        {"val_loss": 2.0, "bits_per_char": 2.9, "is_best": True},
    ),
    (
        e.TweetSampled(text="hi", temperature=0.8, reached_eos=False, bits_per_char=2.5, novelty="new", **NOW),
        {
            "text": "hi",
            "temperature": 0.8,
            "reached_eos": False,
            "bits_per_char": 2.5,
            "novelty": "new",
            "copied_share": 0.0,
            "char_bits": [],
            "prime": "",
        },
    ),
    (
        e.LadderSampled(
            prime="h",
            seed=3,
            rungs=(
                e.LadderTweet(temperature=0.2, text="hi", reached_eos=True, bits_per_char=2.0, novelty="near-copy"),
            ),
            **NOW,
        ),
        {"prime": "h", "seed": 3, "rungs": [LADDER_TWEET]},
    ),
    (
        e.CheckpointSaved(name="best", path="/x/best.safetensors", bits_per_char=None, **NOW),
        {"name": "best", "path": "/x/best.safetensors", "bits_per_char": None},
    ),
    (
        e.CheckpointLoaded(name="best", path="/x/best.safetensors", bits_per_char=2.5, **NOW),
        {"name": "best", "path": "/x/best.safetensors", "bits_per_char": 2.5, "epochs": None},
    ),
    (e.ModelChanged(model=ModelConfig(), num_parameters=1000, **NOW), {"model": MODEL, "num_parameters": 1000}),
    (e.LearningRateChanged(learning_rate=0.001, **NOW), {"learning_rate": 0.001}),
    (e.BatchSizeChanged(batch_size=8, epochs=1.5, **NOW), {"batch_size": 8, "epochs": 1.5}),
    (e.IntervalsChanged(eval_every=9, sample_every=0, **NOW), {"eval_every": 9, "sample_every": 0}),
    (
        TextCompleted(
            request=3,
            completion=("a", " "),
            reached_eos=True,
            next_chars=(CharChance(char="", probability=0.5),),
            unknown_chars=("☃",),
            **NOW,
        ),
        {
            "request": 3,
            "completion": ["a", " "],
            "reached_eos": True,
            "next_chars": [{"char": "", "probability": 0.5}],
            "unknown_chars": ["☃"],
            "bits_per_char": None,
        },
    ),
    (
        TweetRead(
            text="a",
            chars=(CharRead(char="a", bits=1.5, likeliest=(CharChance(char=" ", probability=0.25),)),),
            bits_per_char=1.5,
            copied_share=0.25,
            nearest="b",
            nearest_share=0.5,
            **NOW,
        ),
        {
            "text": "a",
            "chars": [{"char": "a", "bits": 1.5, "likeliest": [{"char": " ", "probability": 0.25}]}],
            "bits_per_char": 1.5,
            "copied_share": 0.25,
            "nearest": "b",
            "nearest_share": 0.5,
        },
    ),
    (e.StepTimes(**STEP_TIMES, **NOW), STEP_TIMES),
    (e.FinishPlanned(last_step=9, **NOW), {"last_step": 9}),
    (e.FinishCancelled(**NOW), {}),
    (e.ThreadsChanged(num_threads=2, message="m", **NOW), {"num_threads": 2, "message": "m"}),
    (e.SamplingChanged(sampling=SamplingConfig(), **NOW), {"sampling": SAMPLING}),
    (e.Paused(**NOW), {}),
    (e.Resumed(**NOW), {}),
    (e.Warned(message="m", **NOW), {"message": "m", "kind": ""}),
    (
        e.CommandRefused(command="LoadCheckpoint", title="t", detail="d", hint="h", **NOW),
        {"command": "LoadCheckpoint", "title": "t", "detail": "d", "hint": "h"},
    ),
    (
        e.RunFinished(reason="stopped", total_seconds=1.5, total_chars=10, **NOW),
        {"reason": "stopped", "total_seconds": 1.5, "total_chars": 10},
    ),
    (e.RunFailed(title="t", detail="d", hint="h", **NOW), {"title": "t", "detail": "d", "hint": "h"}),
]

COMMANDS: list[tuple[c.Command, dict[str, Any]]] = [
    (c.Pause(), {}),
    (c.Resume(), {}),
    (c.Stop(), {"reason": "stopped", "unless_unsaved": False}),
    (c.SetSampling(sampling=SamplingConfig()), {"sampling": SAMPLING}),
    (c.SetLearningRate(learning_rate=0.5), {"learning_rate": 0.5}),
    (c.SetBatchSize(batch_size=8), {"batch_size": 8}),
    (c.SetIntervals(eval_every=9, sample_every=0), {"eval_every": 9, "sample_every": 0}),
    (c.Finish(), {}),
    (c.CancelFinish(), {}),
    (c.SampleNow(), {"prime": None}),
    (c.CompleteText(text="a"), {"text": "a", "request": 0}),
    (c.ReadTweet(text="a"), {"text": "a"}),
    (c.SaveLatest(), {}),
    (c.SampleLadder(seed=1), {"seed": 1, "prime": "", "temperatures": [0.2, 0.5, 0.8, 1.0, 1.5, 2.0, 5.0]}),
    (c.SaveCheckpoint(name="n"), {"name": "n", "replace": False}),
    (c.LoadCheckpoint(name="n"), {"name": "n"}),
]


def _name(value: object) -> str:
    return type(value).__name__ if not isinstance(value, dict) else ""


@pytest.mark.parametrize(("event", "fields"), EVENTS, ids=_name)
def test_an_event_is_its_name_step_and_seconds_and_then_its_own_fields(event: e.Event, fields: dict[str, Any]) -> None:
    record = json.loads(e.to_json(event))
    assert list(record.items()) == list({"event": type(event).__name__, **NOW, **fields}.items())


@pytest.mark.parametrize(("command", "fields"), COMMANDS, ids=_name)
def test_a_command_is_its_name_and_then_its_fields(command: c.Command, fields: dict[str, Any]) -> None:
    record = json.loads(c.to_json(command))
    assert list(record.items()) == list({"command": type(command).__name__, **fields}.items())


def test_every_kind_of_event_and_command_is_written_down_here() -> None:
    assert {type(event) for event, _ in EVENTS} == set(get_args(e.Event))
    assert {type(command) for command, _ in COMMANDS} == set(get_args(c.Command))


@given(event=strategies.events())
def test_an_event_survives_its_json_form(event: e.Event) -> None:
    line = e.to_json(event)
    assert "\n" not in line
    assert e.from_json(line) == event
    assert e.from_json(line.encode()) == event
    assert e.to_json(e.from_json(line)) == line


@given(command=strategies.any_commands())
def test_a_command_survives_its_json_form(command: c.Command) -> None:
    assert c.from_json(c.to_json(command)) == command


WRONG = (
    "",
    "nonsense",
    "null",
    "[]",
    "{}",
    '{"KIND": null}',
    '{"KIND": "Exploded"}',
    '{"KIND": ["Paused"]}',
    '{"KIND": {"a": 1}}',
    '{"KIND": "_Event"}',
    "[" * 100_000,
    '{"KIND": ' + "[" * 100_000,
    b'{"KIND": "\xff"}',
    "\ud800",
)


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_is_no_event_is_refused(text: str | bytes) -> None:
    with pytest.raises(WireError):
        e.from_json(text.replace(b"KIND", b"event") if isinstance(text, bytes) else text.replace("KIND", "event"))


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_is_no_command_is_refused(text: str | bytes) -> None:
    with pytest.raises(WireError):
        c.from_json(text.replace(b"KIND", b"command") if isinstance(text, bytes) else text.replace("KIND", "command"))


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "Paused", "step": 1}',  # a field is missing
        '{"event": "Paused", "step": "1", "elapsed_seconds": 0}',
        '{"event": "Paused", "step": 1.5, "elapsed_seconds": 0}',
        '{"event": "Paused", "step": 1, "elapsed_seconds": null}',
        '{"event": "Paused", "step": 1, "elapsed_seconds": NaN}',
        '{"event": "Warned", "step": 1, "elapsed_seconds": 0, "message": 5}',
    ],
)
def test_an_event_with_a_field_missing_or_of_another_type_is_refused(line: str) -> None:
    with pytest.raises(WireError):
        e.from_json(line)


def test_a_field_that_this_version_does_not_know_is_left_out() -> None:
    assert e.from_json('{"event": "Paused", "step": 7, "elapsed_seconds": 1.5, "mood": "fine"}') == e.Paused(**NOW)


def test_a_command_with_a_setting_out_of_range_is_refused() -> None:
    line = c.to_json(c.SetSampling(sampling=SamplingConfig())).replace('"temperature":0.8', '"temperature":99')
    with pytest.raises(WireError, match="temperature"):
        c.from_json(line)
