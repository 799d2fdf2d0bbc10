"""The JSON form of events and commands: the keys that `--json` promises, and lossless decoding."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.config.run import ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.codec import DecodeError
from tests import strategies
from tests.fakes import eval_finished, steps_finished, steps_thinned, tweet_sampled

PAUSED = e.Paused(step=7, elapsed_seconds=1.5)
BOTH = pytest.mark.parametrize(
    ("tag", "read"), [("event", e.from_json), ("command", c.from_json)], ids=["event", "command"]
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["event", "command", "step", "x"]), inner | st.sampled_from(["Paused", "Stop"])
        )
    ),
    max_leaves=8,
)


def fields_of(kind: type) -> str:
    """Return the names of a dataclass's fields in order."""
    return " ".join([kind.__name__, *(field.name for field in dataclasses.fields(kind))])


def test_events_commands_and_settings_have_the_recorded_fields(snapshot: SnapshotAssertion) -> None:
    """Scripts rely on them."""
    kinds = (*get_args(e.Event), *get_args(c.Command), ModelConfig, TrainingConfig, SamplingConfig)
    assert "\n".join(map(fields_of, kinds)) == snapshot


def test_the_json_form_begins_with_the_name_and_is_one_line(snapshot: SnapshotAssertion) -> None:
    tweet = tweet_sampled("hi", char_bits=(1.5,), num_drafts=3, refused=(("copy", 2),))
    commands: tuple[c.Command, ...] = (
        c.SampleLadder(seed=1, temperatures=(0.2, 1.0)),
        c.SetSampling(sampling=SamplingConfig()),
        c.Pause(),
    )
    assert "\n".join([e.to_json(tweet), e.to_json(PAUSED), *map(c.to_json, commands)]) == snapshot


@given(event=strategies.events())
def test_an_event_equals_itself_after_a_json_round_trip(event: e.Event) -> None:
    line = e.to_json(event)
    assert " ".join([type(event).__name__, *list(json.loads(line))[1:]]) == fields_of(type(event))
    assert "\n" not in line
    assert e.from_json(line) == event
    assert e.from_json(line.encode()) == event
    assert e.to_json(e.from_json(line)) == line


@given(command=strategies.any_commands())
def test_a_command_equals_itself_after_a_json_round_trip(command: c.Command) -> None:
    assert c.from_json(c.to_json(command)) == command


def test_an_unknown_field_is_ignored() -> None:
    assert e.from_json(e.to_json(PAUSED).replace("{", '{"mood":"fine",')) == PAUSED


@pytest.mark.parametrize("text", ["nonsense", '{"TAG": ' + "[" * 100_000, b'{"TAG": "\xff"}', "\ud800"], ids=range(4))
@BOTH
def test_what_is_not_json_is_refused(text: str | bytes, tag: str, read: Callable[..., object]) -> None:
    with pytest.raises(DecodeError):
        read(text.replace(b"TAG", tag.encode()) if isinstance(text, bytes) else text.replace("TAG", tag))


@BOTH
def test_the_error_names_what_is_wrong(tag: str, read: Callable[[str], object]) -> None:
    with pytest.raises(DecodeError, match=f"unknown {tag} 'Exploded'"):
        read(f'{{"{tag}":"Exploded"}}')
    with pytest.raises(DecodeError, match=r"Paused: .*step"):
        e.from_json('{"event":"Paused","step":"many","elapsed_seconds":1.5}')


@given(value=JSON_VALUES)
@BOTH
def test_any_json_is_decoded_or_refused(value: Any, tag: str, read: Callable[[str], object]) -> None:
    try:
        assert type(read(json.dumps(value))).__name__ == value[tag]
    except DecodeError:
        return


FREQUENT: tuple[e.Event, ...] = (
    steps_finished(7, [1.5]),
    steps_thinned(1, 7),
    eval_finished(7, 1.5),
    tweet_sampled("hi", char_bits=(1.5,)),
    e.StepTimes(
        step=7,
        elapsed_seconds=1.5,
        num_steps=3,
        **{f.name: 1.5 for f in dataclasses.fields(e.StepTimes) if "seconds" in f.name and "elapsed" not in f.name},
    ),
)
"""The events of which a journal has many, one of each type."""


@pytest.mark.parametrize("event", FREQUENT, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("number", ["1e300", "-1e300", "1" + "0" * 45])
def test_a_number_out_of_range_is_refused(event: e.Event, number: str) -> None:
    record = json.loads(e.to_json(event))
    for field in [name for name, value in record.items() if not isinstance(value, str | bool)]:
        wrong = record | {field: ["NUMBER"] if isinstance(record[field], list) else "NUMBER"}
        line = json.dumps(wrong, separators=(",", ":")).replace('"NUMBER"', number)
        with pytest.raises(DecodeError):
            e.from_json(line.encode())
