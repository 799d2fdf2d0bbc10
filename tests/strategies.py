"""Hypothesis strategies: hostile text, tweets, configs, commands and events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from engine.config.run import LIVE_SETTINGS, MAX_LEARNING_RATE, ModelConfig, TrainingConfig
from engine.config.sampling import LADDER_TEMPERATURES, MAX_TEMPERATURE, MIN_TEMPERATURE, SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.protocol.codec import kinds_of
from engine.text import clean, sanitize
from tests.fakes import steps_finished

SEQUENCES = ("\x1b[31m", "\x1b[2J\x1b[H", "\x1b]0;title\x07", "\x1b]8;;http://example.org\x1b\\", "\x1bP1$r\x1b\\")
"""A colour, a clear screen, a title, a link, a device control string."""
CONTROLS = ("\x1b", "\x9b31m", "\x00", "\x07", "\x08", "\x7f", "\r", "\n", "\t", "\x0b", "\x85", "\u2028")
UNSEEN = ("\u202e", "\u2066", "\u2069", "\u200b", "\u200c", "\u200d", "\ufeff", "\ufe0f", "\u3164", "\U000e0041")
MARKS = ("\u0301", "\u0344", "\u0301" * 12, "\u200d\u0301" * 6)  # NFC makes two marks of the second
NO_CHARACTERS = ("\ud800", "\udfff", "\ue000")
MARKUP = (
    "&amp;",
    "&lt;b&gt;",
    "&#27;[31m",
    "&#x202e;",
    "&nbsp;",
    "[/foo]",
    "[@click=app.bell]x[/]",
    "[bold red]",
    "\\[",
)
COMPOSED = ("👩\u200d🚀", "❤\ufe0f", "🇨🇦", "e\u0301", "ﬁ", "\u0958", "กี่", "कि")  # NFC makes two of "\u0958"
ORDINARY = ("@name", "http://example.org/a", '"', ",", " ", "a", "Z")
HOSTILE_PIECES = SEQUENCES + CONTROLS + UNSEEN + MARKS + NO_CHARACTERS + MARKUP + COMPOSED + ORDINARY
TWEET_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789 .,!?'\"@#:/()-_éñß😀❤"
QUESTIONED = ["", "the cat", "☃ \u202e", "x" * 3000]
QUESTIONS = (*kinds_of(insight.Insight), insight.MeasureBaselines)
NAMES_OF_SETTINGS = st.sampled_from(sorted(LIVE_SETTINGS)) | st.text("abcdefg_", min_size=1, max_size=12)
SETTINGS = st.none() | st.booleans() | st.integers(-1, 2**53) | st.floats(-1, 1e9) | st.text(max_size=9)
NAMES = st.text("abcdefgXYZ0123456789_", min_size=1, max_size=12)


def hostile_text(max_pieces: int = 24) -> SearchStrategy[str]:
    """Text that attacks terminals, parsers and markup, mixed with any code points."""
    piece = st.sampled_from(HOSTILE_PIECES) | st.text(st.characters(), max_size=4)
    return st.lists(piece, max_size=max_pieces).map("".join)


def tweets(max_size: int = 140) -> SearchStrategy[str]:
    """Tweets as in a corpus: cleaned and not empty."""
    return st.text(TWEET_ALPHABET, min_size=1, max_size=max_size).map(clean).filter(bool)


def tweet_lists(max_size: int = 60) -> SearchStrategy[list[str]]:
    """Lists of tweets, possibly with duplicates."""
    return st.lists(tweets(60), min_size=1, max_size=max_size)


def temperatures() -> SearchStrategy[float]:
    """Valid temperatures, 0 included."""
    return st.just(0.0) | st.floats(MIN_TEMPERATURE, MAX_TEMPERATURE)


def avoided_words() -> SearchStrategy[tuple[str, ...]]:
    """Words and phrases as in `SamplingConfig.avoid`."""
    word = tweets(8).map(lambda text: " ".join(text.split())).filter(bool)
    return st.lists(word, max_size=4).map(tuple)


def sampling_configs(primes: Sequence[str] = ("",)) -> SearchStrategy[SamplingConfig]:
    """Valid sampling configs of up to 40 characters, with one of these `primes`, each shorter than that."""
    return st.builds(
        SamplingConfig,
        temperature=temperatures(),
        top_k=st.integers(0, 12),
        top_p=st.floats(0.001, 1.0),
        min_p=st.floats(0.0, 0.999),
        prime=st.sampled_from(list(primes)),
        max_length=st.integers(max(3, *map(len, primes)) + 1, 40),
        only_new=st.booleans(),
        avoid=avoided_words(),
        must_contain=st.text(TWEET_ALPHABET, max_size=2).map(clean),
        min_length=st.integers(0, 3),
        best_of=st.integers(1, 4),
        temperature_last=st.booleans(),
    )


def commands(primes: Sequence[str] = ("",)) -> SearchStrategy[c.Command]:
    """Any command except `Stop`; some are invalid, and a session has to refuse them."""
    prime = st.sampled_from(list(primes))
    settings: dict[str, SearchStrategy[Any]] = {
        "learning_rate": st.floats(1e-5, 0.1) | st.sampled_from([-1.0, 0.0, 99.0]),
        "batch_size": st.sampled_from([0, 1, 3, 8]),
        "eval_every": st.integers(-1, 5),
        "sample_every": st.integers(-1, 5),
        "max_steps": st.sampled_from([0, 1, 9, 30]),  # always a limit, so that every run of a test ends
        "max_seconds": st.sampled_from([None, -1.0, 1e9]),
        "epochs": st.sampled_from([None, 0.5, 100.0]),
        "steps_per_second": st.sampled_from([-1.0, 0.0, 500.0]),
        "hidden_size": st.just(8),
    }
    fields: dict[str, SearchStrategy[Any]] = {
        "prime": prime,
        "SampleNow.prime": st.none() | prime,
        "CompleteText.text": prime,
        "text": st.sampled_from(QUESTIONED),
        "request": st.integers(0, 9),
        "draw": st.integers(0, 9),
        "seed": st.integers(0, 1000),
        "temperatures": st.just(LADDER_TEMPERATURES) | st.lists(temperatures(), min_size=1, max_size=3).map(tuple),
        "name": st.sampled_from(["one", "two", "../up", "", "no such checkpoint"]),
    }
    of_training: SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({}, optional=settings)
    changes = st.builds(c.ChangeSettings, settings=of_training | sampling_configs(primes).map(vars))
    kinds = [kind for kind in kinds_of(c.Command) if kind not in (c.Stop, c.ChangeSettings, *QUESTIONS)]
    others = st.one_of([_instances(kind, fields) for kind in kinds])
    return changes | others | insight_questions(st.sampled_from(QUESTIONED))


def insight_questions(text: SearchStrategy[str]) -> SearchStrategy[c.Command]:
    """Any question about the weights; some are invalid, and a session has to refuse them."""
    fields: dict[str, SearchStrategy[Any]] = {
        **dict.fromkeys(("position", "unit", "seed", "request"), st.integers(-1, 20)),
        "text": text,
        "layer": st.integers(-1, 1),
        "own_from": st.none() | st.integers(-1, 20),
        "value": st.none() | st.floats(-2, 2),
    }
    return st.one_of([_instances(kind, fields) for kind in QUESTIONS])


def any_commands() -> SearchStrategy[c.Command]:
    """Any command with any text, as a client may send it."""
    text = st.text(max_size=20)
    fields: dict[str, SearchStrategy[Any]] = {
        **dict.fromkeys(("reason", "name", "prime", "text"), text),
        "unless_unsaved": st.just(False),
        "settings": st.dictionaries(NAMES_OF_SETTINGS, SETTINGS, max_size=4),
        "temperatures": st.just(LADDER_TEMPERATURES),
        "seed": st.integers(0, 2**63 - 1),
    }
    kinds = (c.Stop, c.ChangeSettings, c.LoadCheckpoint, c.SaveCheckpoint, c.SampleLadder, c.SampleNow, c.CompleteText)
    free = st.one_of([_instances(kind, fields) for kind in (*kinds, c.ReadTweet)])
    return commands() | free | insight_questions(text)


def events() -> SearchStrategy[e.Event]:
    """Any event, each type equally likely."""
    return st.one_of([events_of(event_type) for event_type in kinds_of(e.Event)])


def events_of(event_type: type[e.Event]) -> SearchStrategy[Any]:
    """Events of one type, with finite numbers and text that is safe in terminals."""
    return _instances(event_type, _BY_NAME) if event_type is not e.StepsFinished else _steps_finished()


def _steps_finished() -> SearchStrategy[e.StepsFinished]:
    """One to four consecutive steps."""
    numbers = _BY_TYPE[float]
    rows = st.lists(st.tuples(numbers, numbers, _BY_NAME["learning_rate"]), min_size=1, max_size=4)

    def made(first_step: int, rows: list[tuple[float, float, float]], **others: float) -> e.StepsFinished:
        losses, norms, rates = zip(*rows, strict=True)
        return steps_finished(first_step, losses, grad_norms=norms, learning_rates=rates, **others)

    others = {"elapsed_seconds": _BY_NAME["elapsed_seconds"], "chars_per_second": numbers}
    return st.builds(made, first_step=st.integers(0, 2**53 - 4), rows=rows, **others)


def _instances(kind: Any, fields: Mapping[str, SearchStrategy[Any]]) -> SearchStrategy[Any]:
    """Instances of a class: each field from `fields`, by its name after that of the class or alone, or by type."""
    values = {}
    names = kind.__struct_fields__ if issubclass(kind, msgspec.Struct) else [each.name for each in fields_of(kind)]
    hints = get_type_hints(kind)
    for name in names:
        hint = hints[name]
        given = fields.get(f"{kind.__name__}.{name}", fields.get(name))
        values[name] = _values(hint) if given is None else given
    return st.builds(kind, **values)


def _values(hint: Any) -> SearchStrategy[Any]:
    """Values of a type hint."""
    if hint in _BY_TYPE:
        return _BY_TYPE[hint]
    if get_origin(hint) is tuple and get_args(hint)[-1] is not ...:
        return st.tuples(*map(_values, get_args(hint)))
    if get_origin(hint) is tuple:
        return st.lists(_values(get_args(hint)[0]), max_size=4).map(tuple)
    if get_origin(hint) in (UnionType, Union):
        return st.one_of([_values(option) for option in get_args(hint)])
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    return _instances(hint, _BY_NAME)


_BY_NAME: dict[str, SearchStrategy[Any]] = {
    "SettingsChanged.settings": st.dictionaries(
        NAMES_OF_SETTINGS, SETTINGS.filter(lambda value: not isinstance(value, str)), max_size=4
    ),
    "elapsed_seconds": st.floats(0, 1e18),
    "learning_rate": st.floats(0, MAX_LEARNING_RATE),  # the highest that configs allow
    "StepsThinned.first_step": st.integers(0, 1000),
    "StepsThinned.step": st.integers(1000, 2**53),
    "names": st.lists(  # of baselines
        st.sampled_from(["uniform", "unigram", "2-gram", "6-gram"]) | st.text(max_size=30).map(sanitize), max_size=4
    ).map(tuple),
}
_BY_TYPE: dict[Any, SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(0, 2**53),
    float: st.floats(-1e38, 1e38),
    str: st.text(max_size=30).map(sanitize),
    type(None): st.none(),
    ModelConfig: st.builds(ModelConfig, hidden_size=st.integers(1, 8192), dropout=st.floats(0, 0.95)),
    TrainingConfig: st.builds(
        TrainingConfig,
        preset_reason=st.text(max_size=30).map(sanitize),
        schedule=st.sampled_from(["constant", "cosine"]),
        max_steps=st.none() | st.integers(1, 2**53),
        max_seconds=st.none() | st.floats(0.1, 1e9),
    ),
    SamplingConfig: sampling_configs(),
}
