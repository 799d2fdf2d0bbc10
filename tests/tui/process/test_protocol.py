"""The lines of the socket: a view is received as it was sent, an invalid one refused, and no line is too long."""

from __future__ import annotations

import functools
import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import sampling
from engine.config.run import RunConfig
from engine.protocol import events as e
from engine.protocol.codec import DecodeError
from engine.text import MAX_CHARS
from tests import strategies
from tests.fakes import change, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.process.host_and_client import line_of
from tui.process import protocol
from tui.process.protocol import (
    Snapshot,
    SnapshotEnd,
    TweetChunk,
    decode_view,
    encode_view,
    lines_of,
)
from tui.run.fold import fold
from tui.run.view import RunView

SERIES = ("train_losses", "learning_rates", "seconds")
CONFIG = RunConfig(settings={"avoid": ("tea", "good morning"), "only_new": True, "max_steps": 3})
BY_VALUE = [field.name for field in fields(RunView) if field.name not in SERIES]


def test_the_largest_sampling_settings_fit_a_line_of_the_socket() -> None:
    most = sampling.MAX_AVOIDED_CHARS
    for avoid in (("😀" * (most // 4 - 1),) * 4, ("😀",) * (most // 2), ('"',) * 5000):
        config = sampling.SamplingConfig(
            avoid=avoid,
            prime="😀" * MAX_CHARS,
            must_contain="😀" * sampling.MAX_REQUIRED_CHARS,
            max_length=sampling.MAX_TWEET_CHARS,
        )
        line = line_of(change(**vars(config)))
        assert len(line) < protocol.MAX_CLIENT_LINE_BYTES


def as_values(view: RunView) -> dict[str, Any]:
    """Return all of a view in what can be compared."""
    return {name: getattr(view, name) for name in BY_VALUE} | {name: encode_view(view)[name] for name in SERIES}


def sent(view: RunView) -> RunView:
    """Return a view as a client receives it."""
    *messages, last = [protocol.message_in(line) for line in lines_of(view, CONFIG)]
    assert isinstance(messages[0], Snapshot)
    assert messages[0].config == CONFIG
    assert isinstance(last, SnapshotEnd)
    tweets = tuple(tweet for some in messages[1:] if isinstance(some, TweetChunk) for tweet in some.tweets)
    received = decode_view(messages[0].view)
    assert received.tweets == ()
    return replace(received, tweets=tweets)


@given(st.lists(strategies.events(), max_size=12))
def test_any_view_arrives_as_it_was_sent(events: list[e.Event]) -> None:
    view = fold(RunView(), (run_started(), *events))
    assert as_values(sent(view)) == as_values(view)


def long_view(num_steps: int) -> RunView:
    """Return the view of a run of `num_steps` steps, reported by the ten."""
    reports = (steps_finished(step, [3.0 + step % 7 / 7] * 10) for step in range(1, num_steps, 10))
    return fold(fold(RunView(), [run_started()]), [*reports, eval_finished(num_steps, 2.5)])


def test_the_size_of_an_encoded_view_does_not_grow_with_the_number_of_steps_and_no_line_is_long() -> None:
    sizes = [len(b"".join(lines_of(long_view(num_steps), RunConfig()))) for num_steps in (100_000, 500_000)]
    assert sizes[1] < 1.3 * sizes[0] < 1_000_000
    view = fold(RunView(), [run_started(), *(tweet_sampled("x" * 140, char_bits=(1.25,) * 140) for _ in range(1000))])
    assert max(map(len, lines_of(view, RunConfig()))) < 1_000_000


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("step", "many"),
        ("phase", "dreaming"),
        ("train_losses", None),
        ("train_losses._window_steps", [2**80]),
        ("ended", '{"event": "Paused", "step": 1, "elapsed_seconds": 1.0}'),
        ("training", {"batch_size": 0}),
    ],
)
def test_an_invalid_encoded_view_is_refused(path: str, value: Any) -> None:
    form: dict[str, Any] = json.loads(json.dumps(encode_view(long_view(3000))))
    *names, last = path.split(".")
    functools.reduce(dict.__getitem__, names, form)[last] = value
    with pytest.raises(DecodeError):
        decode_view(form)
