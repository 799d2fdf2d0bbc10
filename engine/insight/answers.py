"""`Answers`: answers questions about the weights at one step, in pieces between which training goes on."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeAlias

import torch

from engine.config.run import SamplingConfig
from engine.corpus.encoded_tweets import EncodedTweets
from engine.errors import ConfigError
from engine.insight.explicit_gru import ExplicitGru
from engine.insight.own_draw import draw_on, longest_own_text
from engine.insight.pieces import Pieces
from engine.insight.pooling import STATE_BANDS, bands
from engine.insight.trace import sequence_loss, trace
from engine.insight.trace_fields import chars_read, layer_fields
from engine.model.gru import TextGenerator
from engine.model.vocab import EOS, Vocab
from engine.protocol.commands import Insight, TraceText
from engine.protocol.events import Event, OwnDraw, TextTraced
from engine.text import harmless_in_place

MAX_TRACED_CHARS = 500
_LOSS_DIGITS = 8
Answer: TypeAlias = tuple[Callable[..., Event], dict[str, Any]]
"""The type of the event, and its fields except `step` and `elapsed_seconds`."""


def snapshot(model: TextGenerator) -> TextGenerator:
    """Return a copy on the CPU, in float32 and eval mode, whose weights record no gradient. Draws no random number."""
    return copy.deepcopy(model).to("cpu", torch.float32).eval().requires_grad_(requires_grad=False)


class Answers:
    """A snapshot of a model, and what is needed to answer questions about it. Not thread-safe."""

    def __init__(
        self,
        model: TextGenerator,
        vocab: Vocab,
        held_out: Callable[[], EncodedTweets],
        sampling: SamplingConfig,
        weights_step: int,
    ) -> None:
        """`model` must be a `snapshot` of the weights at `weights_step`. `held_out` is called where it is needed.

        `sampling` is used for own draws, except for its prime.
        """
        self._model = model
        self._vocab = vocab
        self._held_out = held_out
        self._sampling = sampling
        self._weights_step = weights_step

    def job(self, command: Insight) -> Pieces[Answer]:
        """Check a question and return the pieces of its answer; none of them has been run yet.

        Raises `ConfigError` if it can't be asked about this model. A piece raises `DivergedError` if the model's output
        is not finite.
        """
        match command:
            case TraceText():
                self._check_text(command.text)
                self._check_layer(command.layer)
                if command.own_from is not None:
                    _check_index(
                        "start of own draws", command.own_from, len(command.text), "It can't be behind the text."
                    )
                _check_seed(command.seed)
                return self._trace_text(command)
            case _:
                raise ConfigError(f"{type(command).__name__} is not known here.")

    @cached_property
    def _gru(self) -> ExplicitGru:
        return ExplicitGru(self._model)

    def _fields(self, command: Insight, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - the fields of whichever event
        """Return the fields of an answer, with those of all answers."""
        return {"request": command.request, "weights_step": self._weights_step, **fields}

    def _trace_text(self, command: TraceText) -> Pieces[Answer]:
        """Answer `TraceText`."""
        model, text = self._model, command.text
        token_ids = self._vocab.encode(text)
        traced = yield from trace(self._gru, token_ids)
        chars = yield from chars_read(self._vocab, text, traced)
        of_layer = yield from layer_fields(traced, command.layer)
        own = None if command.own_from is None else (yield from self._draw_own(command, command.own_from))
        return TextTraced, self._fields(
            command,
            text=harmless_in_place(text),
            layer=command.layer,
            num_layers=len(traced.layers),
            embedding_size=model.embed.embedding_dim,
            hidden_size=model.rnn.hidden_size,
            vocab_size=len(self._vocab),
            token_ids=traced.inputs,
            chars=chars,
            stepwise_loss=round(traced.stepwise_loss, _LOSS_DIGITS),
            sequence_loss=round(sequence_loss(model, token_ids), _LOSS_DIGITS),
            own=own,
            **of_layer,
        )

    def _draw_own(self, command: TraceText, first: int) -> Pieces[OwnDraw]:
        """Return the trace of the model's own draws after `first` characters of the text."""
        given = self._vocab.encode(command.text[:first])
        limit = longest_own_text(self._sampling, first, MAX_TRACED_CHARS)
        drawn = yield from draw_on(self._model, self._sampling, given, command.seed, limit)
        reached_eos = drawn[-1] == EOS
        if reached_eos:
            drawn.pop()
        text = command.text[:first] + self._vocab.decode(drawn[first:])
        traced = yield from trace(self._gru, drawn)
        return OwnDraw(
            first=first,
            text=harmless_in_place(text),
            reached_eos=reached_eos,
            chars=(yield from chars_read(self._vocab, text, traced)),
            hidden_bands=bands(traced.layers[command.layer].hidden, STATE_BANDS),
        )

    def _check_text(self, text: str) -> None:
        """Raise `ConfigError` unless the text can be traced."""
        if not text:
            raise ConfigError("There is no text to look at.", "Give a text of at least one character.")
        if len(text) > MAX_TRACED_CHARS:
            raise ConfigError(
                f"The text has {len(text):,} characters; at most {MAX_TRACED_CHARS} can be traced.", "Shorten it."
            )

    def _check_layer(self, layer: int) -> None:
        """Raise `ConfigError` unless the model has the layer."""
        _check_index("layer", layer, self._model.rnn.num_layers - 1, "The first layer is 0.")


def _check_index(name: str, value: int, last: int, hint: str) -> None:
    """Raise `ConfigError` unless `value` is from 0 to `last`."""
    if not 0 <= value <= last:
        raise ConfigError(f"The {name} must be from 0 to {last:,}, not {value:,}.", hint)


def _check_seed(seed: int) -> None:
    """Raise `ConfigError` unless NumPy can use the seed."""
    if seed < 0:
        raise ConfigError(f"The seed must be at least 0, not {seed:,}.", "Use 0 or more.")
