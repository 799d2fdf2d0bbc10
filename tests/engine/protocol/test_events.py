"""The JSON form of events and commands: the keys that `--json` promises, and lossless decoding."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given

from engine.config.run import ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.codec import DecodeError
from engine.protocol.events import BaseEvent
from engine.text import defused
from tests import strategies
from tests.fakes import eval_finished, steps_finished, steps_thinned, tweet_sampled

NOW: dict[str, Any] = {"step": 7, "elapsed_seconds": 1.5}

EVENTS = {
    "RunStarted": "run corpus num_train_tweets num_val_tweets vocab_size num_parameters device precision num_threads "
    "tuning model training sampling resumed_from is_warm_start epochs world_size "
    "backend started_at",
    "StepsFinished": "first_step train_losses grad_norms learning_rate chars_per_second",
    "StepsThinned": "first_step least_loss mean_loss greatest_loss least_grad_norm mean_grad_norm "
    "greatest_grad_norm learning_rate chars_per_second",
    "EvalFinished": "val_loss bits_per_char is_best is_early",
    "TweetSampled": "text temperature reached_eos bits_per_char novelty copied_share char_bits prime num_drafts "
    "refused unmet",
    "TweetDelayed": "num_drafts max_drafts due_in_seconds",
    "LadderSampled": "prime seed rungs",
    "CheckpointSaved": "name path bits_per_char weights_step",
    "CheckpointLoaded": "name path bits_per_char epochs",
    "ModelChanged": "model num_parameters",
    "LearningRateChanged": "learning_rate",
    "BatchSizeChanged": "batch_size epochs",
    "IntervalsChanged": "eval_every sample_every sample_pacing",
    "BudgetChanged": "max_steps max_seconds epochs",
    "TextCompleted": "request completion reached_eos next_chars unknown_chars bits_per_char",
    "TweetRead": "text chars bits_per_char copied_share nearest nearest_share",
    "StepTimes": "num_steps seconds data_seconds forward_seconds backward_seconds optimizer_seconds sampling_seconds "
    "evaluation_seconds saving_seconds waiting_seconds",
    "RanksMeasured": "waiting_shares devices hosts",
    "StepTaken": "loss_before loss_after grad_norm learning_rate num_tweets num_targets",
    "SpeedLimitChanged": "steps_per_second",
    "BatchShown": "batch_step rows num_tweets num_columns num_targets vocab_size sorted_padding shuffled_padding "
    "shuffled",
    "TextTraced": "request weights_step text layer num_layers embedding_size hidden_size vocab_size token_ids chars "
    "next_log_probs gates embedding_bands hidden_bands reset_bands update_bands candidate_bands stepwise_loss "
    "sequence_loss own",
    "ReachMeasured": "request weights_step text position method scores",
    "UnitsScored": "request weights_step num_tweets num_chars units",
    "UnitHeld": "request weights_step text layer unit value activations chars tweets",
    "EmbeddingsMapped": "request weights_step points variance_shares num_chars",
    "BaselinesMeasured": "request names bits_per_char is_complete",
    "FinishPlanned": "last_step",
    "FinishCancelled": "",
    "ThreadsChanged": "num_threads precision message",
    "SamplingChanged": "sampling",
    "Paused": "",
    "Resumed": "",
    "Warned": "message kind",
    "CommandRefused": "command title detail hint",
    "RunFinished": "reason total_seconds total_chars",
    "RunFailed": "title detail hint",
}
"""The fields of each event in order, as in DESIGN, section 6; scripts rely on them."""
COMMANDS = {
    "Pause": "",
    "Resume": "",
    "Stop": "reason unless_unsaved",
    "SetSampling": "sampling",
    "SetLearningRate": "learning_rate",
    "SetBatchSize": "batch_size",
    "SetIntervals": "eval_every sample_every sample_pacing",
    "SetBudget": "max_steps max_seconds epochs",
    "Finish": "",
    "CancelFinish": "",
    "SampleNow": "prime draw",
    "CompleteText": "text request draw",
    "ReadTweet": "text",
    "SaveLatest": "",
    "SampleLadder": "seed prime temperatures",
    "TakeStep": "",
    "SetSpeedLimit": "steps_per_second",
    "ShowBatch": "shuffled",
    "TraceText": "text request layer own_from seed",
    "MeasureReach": "text position request method",
    "ScoreUnits": "request",
    "HoldUnit": "text layer unit request value seed",
    "MapEmbeddings": "request",
    "MeasureBaselines": "request",
    "SaveCheckpoint": "name replace",
    "LoadCheckpoint": "name halves_rate",
}
CONFIGS = {
    "model": "embedding_size hidden_size num_layers dropout tied_embeddings ngram_order ngram_contexts",
    "training": "preset preset_reason batch_size first_batch_size learning_rate schedule warmup_steps weight_decay "
    "ngram_decay max_grad_norm average_lag epochs max_steps max_seconds eval_every eval_tweets early_eval_tweets "
    "sample_every sample_pacing pacing save_every keep_checkpoints autosave_seconds keep_every_step "
    "steps_per_second seed",
    "sampling": "temperature top_k top_p min_p prime max_length only_new avoid must_contain min_length best_of "
    "temperature_last",
}


def fields_of(kind: type) -> str:
    """Return the names of a dataclass's own fields, without those of `BaseEvent`."""
    names = [field.name for field in dataclasses.fields(kind)]
    return " ".join(name for name in names if name not in NOW or not issubclass(kind, BaseEvent))


def test_every_event_and_command_has_exactly_the_documented_fields() -> None:
    assert {kind.__name__: fields_of(kind) for kind in get_args(e.Event)} == EVENTS
    assert {kind.__name__: fields_of(kind) for kind in get_args(c.Command)} == COMMANDS
    configs = {"model": ModelConfig, "training": TrainingConfig, "sampling": SamplingConfig}
    assert {name: fields_of(kind) for name, kind in configs.items()} == CONFIGS


def test_json_has_the_type_step_and_seconds_first_and_then_the_fields() -> None:
    sampled = e.TweetSampled(
        text="hi",
        temperature=0.8,
        reached_eos=False,
        bits_per_char=2.5,
        novelty="near-copy",
        char_bits=(1.5,),
        num_drafts=3,
        refused=(("copy", 2),),
        **NOW,
    )
    assert e.to_json(sampled) == (
        '{"event":"TweetSampled","step":7,"elapsed_seconds":1.5,"text":"hi","temperature":0.8,"reached_eos":false,'
        '"bits_per_char":2.5,"novelty":"near-copy","copied_share":0.0,"char_bits":[1.5],"prime":"","num_drafts":3,"refused":[["copy",2]],"unmet":[]}'
    )
    assert c.to_json(c.SampleLadder(seed=1, temperatures=(0.2, 1.0))) == (
        '{"command":"SampleLadder","seed":1,"prime":"","temperatures":[0.2,1.0]}'
    )
    assert '"sampling":{"temperature":0.8,"top_k":0,' in c.to_json(c.SetSampling(sampling=SamplingConfig()))


@given(event=strategies.events())
def test_an_event_equals_itself_after_a_json_round_trip(event: e.Event) -> None:
    line = e.to_json(event)
    record = json.loads(line)
    assert list(record) == ["event", *NOW, *EVENTS[type(event).__name__].split()]
    assert "\n" not in line
    assert e.from_json(line) == event
    assert e.from_json(line.encode()) == event
    assert e.to_json(e.from_json(line)) == line


@given(command=strategies.any_commands())
def test_a_command_equals_itself_after_a_json_round_trip(command: c.Command) -> None:
    assert c.from_json(c.to_json(command)) == command


WRONG = (
    "nonsense",
    '{"KIND": "Exploded"}',
    '{"KIND": ' + "[" * 100_000,
    b'{"KIND": "\xff"}',
    "\ud800",
)


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
@pytest.mark.parametrize(("kind", "read"), [("event", e.from_json), ("command", c.from_json)], ids=["event", "command"])
def test_invalid_events_and_commands_are_refused(text: str | bytes, kind: str, read: Callable[..., object]) -> None:
    with pytest.raises(DecodeError):
        read(text.replace(b"KIND", kind.encode()) if isinstance(text, bytes) else text.replace("KIND", kind))


TIMES: dict[str, Any] = dict.fromkeys(EVENTS["StepTimes"].split(), 1.5) | {"num_steps": 3}
FREQUENT: tuple[e.Event, ...] = (
    steps_finished(7, [1.5]),
    steps_thinned(1, 7),
    eval_finished(7, 1.5),
    tweet_sampled("hi", char_bits=(1.5,)),
    e.StepTimes(**NOW, **TIMES),
)
"""The events of which a journal has many, one of each type."""


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (event, field)
        for event in FREQUENT
        for field, value in json.loads(e.to_json(event)).items()
        if not isinstance(value, str | bool)
    ],
    ids=str,
)
def test_a_number_out_of_range_is_refused(event: e.Event, field: str) -> None:
    record = json.loads(e.to_json(event))
    for number in ("1e300", "-1e300", "1" + "0" * 45):
        wrong = record | {field: ["NUMBER"] if isinstance(record[field], list) else "NUMBER"}
        line = json.dumps(wrong, separators=(",", ":")).replace('"NUMBER"', number)
        with pytest.raises(DecodeError):
            e.from_json(line.encode())


@pytest.mark.parametrize("text", ["\x1b[31m", "a\u202eb", "a\u0301" * 3, "e" + "\u0301" * 40, "\u0301"])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_a_tweet_from_outside_is_made_harmless(text: str, is_ascii: bool) -> None:
    record = json.loads(e.to_json(tweet_sampled("hi"))) | {"text": text, "prime": text}
    event = e.from_json(json.dumps(record, ensure_ascii=is_ascii, separators=(",", ":")).encode())
    assert isinstance(event, e.TweetSampled)
    assert (event.text, event.prime) == (defused(text), defused(text))


def test_an_unknown_field_is_ignored() -> None:
    assert e.from_json('{"event": "Paused", "step": 7, "elapsed_seconds": 1.5, "mood": "fine"}') == e.Paused(**NOW)
