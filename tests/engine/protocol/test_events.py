"""Events and commands: the keys that `--json` promises, lossless decoding, harmless text, and hostile commands."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect
from syrupy.assertion import SnapshotAssertion

from engine.config.run import ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.protocol import codec
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.codec import DecodeError, kinds_of
from engine.session.sampling import MAX_READ_CHARS
from engine.text import MAX_CHARS, MAX_COMBINING_RUN, is_harmless, sanitize
from tests import fakes, hostile, strategies
from tests.engine.helpers import latest, losses, of_type, only, plain_losses, run_tiny
from tests.engine.session.stream_rules import values_in
from tests.fakes import change
from tests.hostile import obeyed
from tests.strategies import hostile_text

PAUSED = e.Paused(step=7, elapsed_seconds=1.5)
command_of = partial(codec.decode_tagged, base=c.Command)
BOTH = pytest.mark.parametrize(("tag", "read"), [("event", e.from_json), ("command", command_of)])
KEYS, KINDS = st.sampled_from(["event", "command", "step", "x"]), st.sampled_from(["Paused", "Stop"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner | KINDS),
    max_leaves=8,
)


def fields_of(kind: Any) -> str:
    """Return the names of the fields of a class in order."""
    names = kind.__struct_fields__ if issubclass(kind, msgspec.Struct) else [each.name for each in fields(kind)]
    return " ".join([kind.__name__, *names])


def test_events_commands_and_settings_have_the_recorded_fields(snapshot: SnapshotAssertion) -> None:
    """Scripts rely on them."""
    kinds = (*kinds_of(e.Event), *kinds_of(c.Command), ModelConfig, TrainingConfig, SamplingConfig)
    assert "\n".join(map(fields_of, kinds)) == snapshot


def test_the_json_form_begins_with_the_name_and_is_one_line(snapshot: SnapshotAssertion) -> None:
    tweet = fakes.tweet_sampled("hi", char_bits=(1.5,), num_drafts=3, refused=(("copy", 2),))
    ladder, sampling = c.SampleLadder(seed=1, temperatures=(0.2, 1.0)), change(temperature=0.5, avoid=("rain",))
    assert "\n".join(map(codec.encode, (tweet, PAUSED, ladder, sampling, c.Pause()))) == snapshot


@given(event=strategies.events(), command=strategies.any_commands())
def test_events_and_commands_equal_themselves_after_a_json_round_trip(event: e.Event, command: c.Command) -> None:
    assert command_of(codec.encode(command)) == command
    line = codec.encode(event)
    assert " ".join([type(event).__name__, *list(json.loads(line))[1:]]) == fields_of(type(event))
    assert "\n" not in line
    assert e.from_json(line) == event
    assert e.from_json(line.encode()) == event
    assert codec.encode(e.from_json(line)) == line


@BOTH
def test_what_is_not_json_or_too_deep_is_refused_the_error_names_what_is_wrong_and_an_unknown_field_is_ignored(
    tag: str, read: Callable[..., object]
) -> None:
    for text in ("nonsense", f'{{"{tag}": ' + "[" * 100_000, f'{{"{tag}": "'.encode() + b'\xff"}', "\ud800"):
        with pytest.raises(DecodeError):
            read(text)
    with pytest.raises(DecodeError, match=f"unknown {tag} 'Exploded'"):
        read(f'{{"{tag}":"Exploded"}}')
    with pytest.raises(DecodeError, match=r"Paused: .*step"):
        e.from_json('{"event":"Paused","step":"many","elapsed_seconds":1.5}')
    for depth in (200, 600, 900, 100_000):
        with pytest.raises(DecodeError):
            e.from_json(codec.encode(EMITTED[0]).replace('"R"', "[" * depth + '"é"' + "]" * depth))
    assert e.from_json(codec.encode(PAUSED).replace("{", '{"mood":"fine",')) == PAUSED


@given(value=JSON_VALUES)
@BOTH
def test_any_json_is_decoded_or_refused(value: Any, tag: str, read: Callable[[str], object]) -> None:
    try:
        assert type(read(json.dumps(value))).__name__ == value[tag]
    except DecodeError:
        return


def unbounded_numbers(kind: object, path: str) -> list[str]:
    """Return where a type has numbers without bounds; those of a config are checked as it is made."""
    match kind:
        case inspect.IntType(ge=low, le=high) | inspect.FloatType(ge=low, le=high):
            return [] if None not in (low, high) else [path]
        case inspect.StructType(fields=fields):
            return [found for each in fields for found in unbounded_numbers(each.type, f"{path}.{each.name}")]
        case inspect.UnionType(types=kinds) | inspect.TupleType(item_types=kinds):
            return [found for each in kinds for found in unbounded_numbers(each, path)]
        case inspect.VarTupleType(item_type=item):
            return unbounded_numbers(item, path)
        case inspect.DictType(key_type=key, value_type=value):
            return unbounded_numbers(key, path) + unbounded_numbers(value, path)
        case inspect.StrType() | inspect.BoolType() | inspect.NoneType() | inspect.LiteralType():
            return []
        case inspect.DataclassType(cls=config) if config in {ModelConfig, TrainingConfig, SamplingConfig}:
            return []
        case _:
            return [f"{path}: {kind}"]


def test_every_number_of_an_event_or_a_command_is_bounded() -> None:
    kinds = (*kinds_of(e.Event), *kinds_of(c.Command))
    assert [found for kind in kinds for found in unbounded_numbers(inspect.type_info(kind), kind.__name__)] == []


# Text -----------------------------------------------------------------------------------------------------------------
TEXTS = [
    *(text.encode("utf-8", "ignore").decode() for text in [hostile.ALL_AT_ONCE, *hostile.TEXTS.values()]),
    *("a\u0301" * 3, "e" + "\u0301" * 40, "\u0301"),
]
NOW: dict[str, Any] = {"step": 1, "elapsed_seconds": 1.0}
PRIMED = SamplingConfig(prime="R", max_length=10_000)
RUNG = e.LadderTweet(temperature=1.0, text="R", reached_eos=True, bits_per_char=1.0, novelty="new")
EMITTED = (
    fakes.run_started(run="R", corpus="R", device="R", resumed_from="R", sampling=PRIMED),
    fakes.tweet_sampled("R", prime="R"),
    e.LadderSampled(**NOW, prime="R", seed=1, rungs=(RUNG,)),
    fakes.text_completed("R"),
    fakes.tweet_read("R"),
    e.Warned(**NOW, message="R"),
    e.CheckpointSaved(**NOW, name="R", path="R", bits_per_char=None, weights_step=1),
    e.CommandRefused(**NOW, command="R", title="R", detail="R", hint="R"),
    e.RunFailed(**NOW, title="R", detail="R", hint="R"),
)
"""Events with an R in place of any text."""


@pytest.mark.parametrize("event", EMITTED, ids=lambda event: type(event).__name__)
def test_all_text_of_a_decoded_event_is_harmless(event: e.Event) -> None:
    for text in TEXTS:
        plain, escaped = (
            codec.encode(event).replace('"R"', json.dumps(text, ensure_ascii=each)) for each in (False, True)
        )
        found = e.from_json(plain)
        assert e.from_json(escaped.encode()) == found
        for string in (value for value in values_in(found) if isinstance(value, str)):
            assert is_harmless(string) or len(string) == 1
            assert hostile.obeyed(string) == []
            assert hostile.most_marks_on_one(string) <= MAX_COMBINING_RUN
            assert len(string) <= MAX_CHARS
        assert e.from_json(codec.encode(found)) == found


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        (fakes.steps_finished(3, [2.0, 1.5]), {"train_losses": [2.0, 1.5, 1.0]}),
        (fakes.steps_finished(3, [2.0, 1.5]), {"grad_norms": [1.0]}),
        (fakes.steps_finished(3, [2.0, 1.5]), {"learning_rates": []}),
        (fakes.steps_finished(3, [2.0, 1.5]), {"first_step": 4}),
        (fakes.steps_finished(3, [2.0]), {"step": 2, "train_losses": [], "grad_norms": [], "learning_rates": []}),
        (fakes.steps_thinned(3, 4), {"first_step": 5}),
    ],
)
def test_reports_without_one_number_per_step_are_refused(event: e.Event, changes: dict[str, Any]) -> None:
    line = json.dumps(json.loads(codec.encode(event)) | changes, separators=(",", ":"))
    for read in (line, line.encode()):
        with pytest.raises(DecodeError):
            e.from_json(read)


@given(text=hostile_text() | st.text('"\\ \u0301\ufe0f\u200d\x1b❤é'), is_ascii=st.booleans())
def test_a_line_that_is_decoded_in_one_go_has_no_text_that_another_way_changes(text: str, is_ascii: bool) -> None:
    written = text.encode("utf-8", "ignore").decode()
    line = codec.encode(fakes.tweet_sampled("R")).replace('"R"', json.dumps(written, ensure_ascii=is_ascii))
    assert [e.from_json(each) for each in (line, line.encode())] == [fakes.tweet_sampled(sanitize(written))] * 2


# Commands from the socket ---------------------------------------------------------------------------------------------
def line(command: str, **fields: Any) -> str:
    return json.dumps({"command": command, **fields})


UNDECODED = [
    line("ChangeSettings", settings={"batch_size": 2**64}),
    line("ChangeSettings", settings={"learning_rate": float("nan")}),
    '{"command":"ChangeSettings","settings":{"learning_rate":1e999}}',
    line("ChangeSettings", settings={"avoid": [1]}),
    line("ChangeSettings", settings={"\x1b[2J": 1}),
    line("ChangeSettings", settings={f"a{chr(97 + number // 26)}{chr(97 + number % 26)}": 1 for number in range(65)}),
    line("ChangeSettings", settings=[]),
    line("SampleLadder", seed=0, temperatures=["hot"]),
    line("Stop", reason=None),
    line("SampleNow", prime="\ud800"),
]
"""Commands with values of which there is no command."""
REFUSED: dict[str, list[dict[str, Any]]] = {
    "ChangeSettings": [
        {"settings": settings}
        for settings in (
            *({"batch_size": 10**18}, {"learning_rate": 1e38}, {"max_seconds": -1.0}, {"temperature": 0.001}),
            *({"prime": "ß☃"}, {"prime": "\x1b]0;title\x07"}),
        )
    ],
    "SampleNow": [{"prime": text} for text in ("\x1b[2J", "x" * 60_000, "☃")],
    "SampleLadder": [{"seed": 0, "temperatures": [1] * 20_000}, {"seed": 0, "prime": "\x1b[2J"}],
    "SaveCheckpoint": [{"name": name} for name in ("../../x", "x" * 60_000, "\x1b[31m\x00")],
    "LoadCheckpoint": [{"name": name} for name in ("/dev/zero", "../../../etc/passwd", "a\x00b")],
    "CompleteText": [{"text": "x" * 60_000}],
    "ReadTweet": [{"text": text} for text in ("", "x" * (MAX_READ_CHARS + 1))],
}
"""Fields of commands that a run refuses."""


@pytest.mark.parametrize("line_of_command", UNDECODED)
def test_commands_with_invalid_values_are_not_decoded(line_of_command: str) -> None:
    with pytest.raises(DecodeError):
        command_of(line_of_command)


def test_invalid_commands_are_refused_and_the_losses_are_unchanged(corpus: Path, home: Path) -> None:
    plain, before = plain_losses(), sorted(home.parent.iterdir())
    asked = [command_of(line(command, **fields)) for command, cases in REFUSED.items() for fields in cases]
    emitted = run_tiny(corpus, {3: asked})
    refused = of_type(emitted, e.CommandRefused)
    assert Counter(each.command for each in refused) == {command: len(cases) for command, cases in REFUSED.items()}
    assert all(each.title and each.detail for each in refused)
    assert not any(obeyed(codec.encode(event)) for event in emitted)
    assert losses(emitted) == plain
    assert latest().training == only(emitted, e.RunStarted).training
    assert sorted(home.parent.iterdir()) == before
    assert list((home / "checkpoints").glob("*")) == []
