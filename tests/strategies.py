"""Hypothesis strategies: hostile text, tweets, configs, commands and events."""

from __future__ import annotations

from collections.abc import Sequence
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from engine.config.run import MAX_LEARNING_RATE, ModelConfig, SamplePacing, TrainingConfig
from engine.config.sampling import LADDER_TEMPERATURES, MAX_TEMPERATURE, MIN_TEMPERATURE, SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.text import clean, defused

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
    return st.one_of(
        st.builds(c.Pause),
        st.builds(c.Resume),
        st.builds(c.SetSampling, sampling=sampling_configs(primes)),
        st.builds(c.SetLearningRate, learning_rate=st.floats(1e-5, 0.1) | st.sampled_from([-1.0, 0.0, 99.0])),
        st.builds(c.SetBatchSize, batch_size=st.sampled_from([0, 1, 3, 8])),
        st.builds(
            c.SetIntervals,
            eval_every=st.integers(-1, 5),
            sample_every=st.integers(-1, 5),
            sample_pacing=st.sampled_from(get_args(SamplePacing)),
        ),
        st.builds(  # always with a limit of steps, so that every run of a test ends
            c.SetBudget,
            max_steps=st.sampled_from([0, 1, 9, 30]),
            max_seconds=st.sampled_from([None, -1.0, 1e9]),
            epochs=st.sampled_from([None, 0.5, 100.0]),
        ),
        st.builds(c.Finish),
        st.builds(c.CancelFinish),
        st.builds(c.SampleNow, prime=st.none() | st.sampled_from(list(primes))),
        st.builds(c.CompleteText, text=st.sampled_from(list(primes)), request=st.integers(0, 9)),
        st.builds(c.ReadTweet, text=st.sampled_from(["", "the cat", "☃ \u202e", "x" * 3000])),
        st.builds(c.SaveLatest),
        st.builds(
            c.SampleLadder,
            seed=st.integers(0, 1000),
            prime=st.sampled_from(list(primes)),
            temperatures=st.just(LADDER_TEMPERATURES) | st.lists(temperatures(), min_size=1, max_size=3).map(tuple),
        ),
        st.builds(c.TakeStep),
        st.builds(c.SetSpeedLimit, steps_per_second=st.sampled_from([-1.0, 0.0, 500.0])),
        st.builds(c.ShowBatch, shuffled=st.booleans()),
        insight_questions(st.sampled_from(["", "the cat", "☃ \u202e", "x" * 3000])),
        st.builds(c.SaveCheckpoint, name=st.sampled_from(["one", "two", "../up", ""]), replace=st.booleans()),
        st.builds(c.LoadCheckpoint, name=st.sampled_from(["one", "two", "no such checkpoint"])),
    )


def insight_questions(text: SearchStrategy[str]) -> SearchStrategy[c.Command]:
    """Any question about the weights; some are invalid, and a session has to refuse them."""
    small, layer = st.integers(-1, 20), st.integers(-1, 1)
    return st.one_of(
        st.builds(c.TraceText, text=text, layer=layer, own_from=st.none() | small, seed=small),
        st.builds(c.MeasureReach, text=text, position=small, method=st.sampled_from(["occlusion", "gradient"])),
        st.builds(c.ScoreUnits),
        st.builds(c.HoldUnit, text=text, layer=layer, unit=small, value=st.none() | st.floats(-2, 2), seed=small),
        st.builds(c.MapEmbeddings),
        st.builds(c.MeasureBaselines),
    )


def any_commands() -> SearchStrategy[c.Command]:
    """Any command with any text, as a client may send it."""
    text = st.text(max_size=20)
    free = st.one_of(
        st.builds(c.Stop, reason=text),
        st.builds(
            c.SetBudget, max_steps=st.none() | st.integers(-1, 2**53), max_seconds=st.none() | st.floats(-1, 1e9)
        ),
        st.builds(c.LoadCheckpoint, name=text),
        st.builds(c.SaveCheckpoint, name=text, replace=st.booleans()),
        st.builds(c.SampleLadder, seed=st.integers(0, 2**63 - 1), prime=text),
        st.builds(c.SampleNow, prime=text),
        st.builds(c.CompleteText, text=text, request=st.integers(0, 2**53)),
        st.builds(c.ReadTweet, text=text),
        insight_questions(text),
    )
    return commands() | free


def events() -> SearchStrategy[e.Event]:
    """Any event, each type equally likely."""
    return st.one_of([events_of(event_type) for event_type in get_args(e.Event)])


def events_of(event_type: type[e.Event]) -> SearchStrategy[Any]:
    """Events of one type, with finite numbers and text that is safe in terminals."""
    return _instances(event_type)


def _instances(kind: type) -> SearchStrategy[Any]:
    """Instances of a dataclass with every field generated."""
    hints = get_type_hints(kind)
    values = {name: _BY_NAME.get(name, _values(hint)) for name, hint in hints.items()}
    return st.builds(kind, **values)


def _values(hint: Any) -> SearchStrategy[Any]:
    """Values of a type hint."""
    if hint in _BY_TYPE:
        return _BY_TYPE[hint]
    if get_origin(hint) is tuple and get_args(hint)[-1] is not ...:
        return st.tuples(*map(_values, get_args(hint)))
    if get_origin(hint) is tuple:
        return st.lists(_values(get_args(hint)[0]), max_size=4).map(tuple)
    if get_origin(hint) is UnionType:
        return st.one_of([_values(option) for option in get_args(hint)])
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    return _instances(hint)


_BY_NAME: dict[str, SearchStrategy[Any]] = {
    "elapsed_seconds": st.floats(0, 1e18),
    "learning_rate": st.floats(0, MAX_LEARNING_RATE),  # the highest that configs allow
    "names": st.lists(  # of baselines
        st.sampled_from(["uniform", "unigram", "2-gram", "6-gram"]) | st.text(max_size=30).map(defused), max_size=4
    ).map(tuple),
}
_BY_TYPE: dict[Any, SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(0, 2**53),
    float: st.floats(-1e38, 1e38),
    str: st.text(max_size=30).map(defused),
    type(None): st.none(),
    ModelConfig: st.builds(ModelConfig, hidden_size=st.integers(1, 8192), dropout=st.floats(0, 0.95)),
    TrainingConfig: st.builds(
        TrainingConfig,
        preset_reason=st.text(max_size=30).map(defused),
        schedule=st.sampled_from(["constant", "cosine"]),
        max_steps=st.none() | st.integers(1, 2**53),
        max_seconds=st.none() | st.floats(0.1, 1e9),
    ),
    SamplingConfig: sampling_configs(),
}
