"""`Answers`: answers questions about the weights at one step, in pieces between which training goes on."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeAlias

import torch

from engine.compute.stepper import HeldUnit
from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import EncodedTweets
from engine.insight.checks import check
from engine.insight.embedding_map import map_embeddings
from engine.insight.explicit_gru import ExplicitGru
from engine.insight.holding import sample_held
from engine.insight.own_draw import draw_on, longest_own_text
from engine.insight.pooling import FINE_DIGITS, STATE_BANDS, bands, rounded
from engine.insight.reach import gradient, occlusion
from engine.insight.trace import sequence_loss, trace
from engine.insight.trace_fields import chars_read, layer_fields
from engine.insight.units import best_units, correlate, some_tweets
from engine.model.gru import TextGenerator
from engine.model.vocab import EOS, Vocab
from engine.progress import Pieces
from engine.protocol.events import Event
from engine.protocol.insight import (
    CharPoint,
    EmbeddingsMapped,
    HoldUnit,
    Insight,
    MapEmbeddings,
    MeasureReach,
    OwnDraw,
    ReachMeasured,
    ScoreUnits,
    TextTraced,
    TraceText,
    UnitHeld,
    UnitsScored,
)
from engine.sampling.logits import NEVER_SAMPLED
from engine.text import sanitize, sanitize_char, sanitize_in_place

MAX_POINTS = 200
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
        check(command, self._model.rnn)
        match command:
            case TraceText():
                return self._trace_text(command)
            case MeasureReach():
                return self._measure_reach(command)
            case ScoreUnits():
                return self._score_units(command)
            case HoldUnit():
                return self._hold_unit(command)
            case MapEmbeddings():
                return self._map_embeddings(command)
            case _:
                raise TypeError(type(command))

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
        after = traced.log_probs[-1, [each for each in range(len(self._vocab)) if each not in NEVER_SAMPLED]]
        return TextTraced, self._fields(
            command,
            text=sanitize_in_place(text),
            layer=command.layer,
            num_layers=len(traced.layers),
            embedding_size=model.embed.embedding_dim,
            hidden_size=model.rnn.hidden_size,
            vocab_size=len(self._vocab),
            token_ids=traced.inputs,
            chars=chars,
            next_log_probs=tuple(rounded(after.sort(descending=True).values)),
            stepwise_loss=round(traced.stepwise_loss, _LOSS_DIGITS),
            sequence_loss=round(sequence_loss(model, token_ids), _LOSS_DIGITS),
            own=own,
            **of_layer,
        )

    def _draw_own(self, command: TraceText, first: int) -> Pieces[OwnDraw]:
        """Return the trace of the model's own draws after `first` characters of the text."""
        given = self._vocab.encode(command.text[:first])
        limit = longest_own_text(self._sampling, first)
        drawn = yield from draw_on(self._model, self._sampling, given, command.seed, limit)
        reached_eos = drawn[-1] == EOS
        if reached_eos:
            drawn.pop()
        text = command.text[:first] + self._vocab.decode(drawn[first:])
        traced = yield from trace(self._gru, drawn)
        return OwnDraw(
            first=first,
            text=sanitize_in_place(text),
            reached_eos=reached_eos,
            chars=(yield from chars_read(self._vocab, text, traced)),
            hidden_bands=bands(traced.layers[command.layer].hidden, STATE_BANDS),
        )

    def _measure_reach(self, command: MeasureReach) -> Pieces[Answer]:
        """Answer `MeasureReach`."""
        measure = occlusion if command.method == "occlusion" else gradient
        scores = yield from measure(self._gru, self._vocab.encode(command.text), command.position)
        return ReachMeasured, self._fields(
            command,
            text=sanitize_in_place(command.text),
            position=command.position,
            method=command.method,
            scores=tuple(rounded(scores, FINE_DIGITS)),
        )

    def _score_units(self, command: ScoreUnits) -> Pieces[Answer]:
        """Answer `ScoreUnits`."""
        tweets = self._held_out()
        chosen = some_tweets(len(tweets))
        yield
        correlation = yield from correlate(self._gru, self._vocab, tweets, chosen)
        return UnitsScored, self._fields(
            command,
            num_tweets=len(chosen),
            num_chars=correlation.count,
            units=best_units(correlation.result(), self._gru.hidden_size),
        )

    def _hold_unit(self, command: HoldUnit) -> Pieces[Answer]:
        """Answer `HoldUnit`."""
        text, layer, unit, value = command.text, command.layer, command.unit, command.value
        held = None if value is None else HeldUnit(layer, unit, value)
        token_ids = self._vocab.encode(text)
        free = yield from trace(self._gru, token_ids)
        traced = free if held is None else (yield from trace(self._gru, token_ids, held))
        chars = yield from chars_read(self._vocab, text, traced)
        tweets = yield from sample_held(self._model, self._vocab, self._sampling, command.seed, held)
        return UnitHeld, self._fields(
            command,
            text=sanitize_in_place(text),
            layer=layer,
            unit=unit,
            value=value,
            activations=tuple(rounded(free.layers[layer].hidden[1:, unit])),
            chars=chars,
            tweets=tuple(sanitize(tweet.text) for tweet in tweets),
        )

    def _map_embeddings(self, command: MapEmbeddings) -> Pieces[Answer]:
        """Answer `MapEmbeddings`."""
        yield
        found = map_embeddings(self._gru.embedding)
        shown = zip(
            self._vocab.chars[:MAX_POINTS],
            *(rounded(axis, FINE_DIGITS) for axis in found.points[:MAX_POINTS].t()),
            strict=True,
        )
        return EmbeddingsMapped, self._fields(
            command,
            points=tuple(CharPoint(char=sanitize_char(char), x=x, y=y) for char, x, y in shown),
            variance_shares=tuple(rounded(found.variance_shares)),
            num_chars=len(self._vocab.chars),
        )
