"""Checks of questions about the weights, before any work is done."""

from __future__ import annotations

from torch import nn

from engine.errors import ConfigError
from engine.protocol.insight import MAX_TRACED_CHARS, HoldUnit, Insight, MeasureReach, TraceText


def check(command: Insight, rnn: nn.GRU) -> None:
    """Raise `ConfigError` if the question can't be asked about this model."""
    if isinstance(command, TraceText | MeasureReach | HoldUnit):
        check_text(command.text)
    if isinstance(command, TraceText | HoldUnit):
        _check_index("layer", command.layer, rnn.num_layers - 1, "The first layer is 0.")
        if command.seed < 0:
            raise ConfigError(f"The seed must be at least 0, not {command.seed:,}.", "Use 0 or more.")
    if isinstance(command, TraceText) and command.own_from is not None:
        _check_index("start of own draws", command.own_from, len(command.text), "It can't be behind the text.")
    if isinstance(command, MeasureReach):
        _check_index("position", command.position, len(command.text), "The text's length stands for <EOS>.")
    if isinstance(command, HoldUnit):
        _check_index("unit", command.unit, rnn.hidden_size - 1, "The first unit is 0.")
        if command.value is not None and not -1 <= command.value <= 1:
            raise ConfigError(f"A hidden unit has values from -1 to 1, not {command.value:g}.", "Use -1 to 1.")


def check_text(text: str) -> None:
    """Raise `ConfigError` unless the text can be traced."""
    if not text:
        raise ConfigError("There is no text to look at.", "Give a text of at least one character.")
    if len(text) > MAX_TRACED_CHARS:
        raise ConfigError(
            f"The text has {len(text):,} characters; at most {MAX_TRACED_CHARS} can be traced.", "Shorten it."
        )


def _check_index(name: str, value: int, last: int, hint: str) -> None:
    """Raise `ConfigError` unless `value` is from 0 to `last`."""
    if not 0 <= value <= last:
        raise ConfigError(f"The {name} must be from 0 to {last:,}, not {value:,}.", hint)
