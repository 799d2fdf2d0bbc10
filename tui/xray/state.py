"""What an X-ray shows: the user's choices, the answers so far, and a view, which makes a picture of both. Pure.

T is the number of characters of the text. The model reads T + 1 inputs: `<BOS>`, then the characters; after each it
predicts the next one, and `<EOS>` after the last. **The cursor is the index of an input**, 0 to T: 0 is `<BOS>`, k is
the character `text[k - 1]`, which the model has just read, and its prediction there is of `text[k]`, the target k. So
the cursor is also the index of that target, and `MeasureReach.position`. The strip shows T + 2 symbols: the inputs and
the end, which no cursor reaches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import msgspec

from engine.protocol.insight import Insight, InsightEvent, ReachMethod, TextTraced, TraceText
from tui.xray.drawing import Glyphs, Picture, Shades

ViewName = Literal["step", "gates", "reach", "units", "map"]
GateName = Literal["update", "reset", "candidate"]
UnitId = tuple[int, int]
"""Layer and number of a unit, from 0."""
_Command = TypeVar("_Command", bound=Insight)
_Event = TypeVar("_Event", bound=InsightEvent)


@dataclass(frozen=True)
class XrayState:
    """Everything that the user chose."""

    text: str = ""
    cursor: int = 0
    """The input that was read last; `text[cursor]` is predicted."""
    view: ViewName = "step"
    layer: int = 0
    own_from: int | None = None
    """Number of characters after which the model is also fed its own draws; None: it is not."""
    seed: int = 0
    gate: GateName | None = None
    """The gate that is shown; None: as many as fit."""
    method: ReachMethod = "occlusion"
    unit: UnitId | None = None
    """The selected unit; None before units are scored."""
    value: float | None = None
    """The value at which the unit is held; None: it is free."""


class Answers:
    """The latest answer to each type of command, with that command."""

    def __init__(self) -> None:
        self._latest: dict[type[Insight], tuple[Insight, InsightEvent]] = {}

    def add(self, command: Insight, event: InsightEvent) -> None:
        """Store an answer in place of an older one to a command of the same type."""
        self._latest[type(command)] = command, event

    def latest(self, kind: type[_Command], event_kind: type[_Event]) -> tuple[_Command, _Event] | None:
        """Return the command of a type that was answered last, and its answer; None if there is none yet."""
        command, event = self._latest.get(kind, (None, None))
        return (command, event) if isinstance(command, kind) and isinstance(event, event_kind) else None


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a view shows of the answers so far."""

    render: Callable[[int, int], Picture]
    """Returns at most `height` lines of at most `width` cells; the most important ones if there is not room for all."""
    sentence: str
    """What is seen at the cursor, without a full stop."""
    weights_step: int
    """The step of the weights that are shown."""
    shades: Shades | None = None
    """A value for `<BOS>`, each character and the end of the text (T + 2 values); None if the view has none."""
    num_layers: int = 0
    """0 in a view that shows no layer."""
    unknown_chars: tuple[str, ...] = ()
    """Characters of the text outside the vocabulary; empty in views whose answer has no token ids."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One view: the panel, the command `xray` and the lesson know a view by this value only."""

    name: ViewName
    help: tuple[str, ...]
    """Five lines: what is seen, how it is computed, what to look for."""
    height: int
    """Maximum number of lines of the view as the command `xray` prints it."""
    asks: Callable[[XrayState], tuple[Insight, ...]]
    """The commands whose answers the view shows, with any `request`."""
    show: Callable[[XrayState, Answers, Glyphs], Shown | None]
    """Returns what is shown; None before the answers for this text."""
    keys: frozenset[str] = frozenset()
    """Names of the keys that this view uses, among the keys that only some views have."""
    waiting: str = "Computing…"
    """What is shown until there is an answer."""
    variant: str = ""
    """What the key of variants changes; empty if there is one variant."""
    with_next_variant: Callable[[XrayState], XrayState] = lambda state: state
    select: Callable[[XrayState, Answers, int], XrayState] | None = None
    """Selects what lies that many places below the selected item; by 0, selects the first if none is selected yet.

    None in a view without items, in which the arrows move the cursor.
    """


def trace_command(state: XrayState) -> TraceText:
    """Return the command whose answer several views draw."""
    seed = 0 if state.own_from is None else state.seed
    return TraceText(text=state.text, layer=state.layer, own_from=state.own_from, seed=seed)


def latest_trace(state: XrayState, answers: Answers) -> TextTraced | None:
    """Return the trace of the text; without own draws if they have another start or seed than the chosen one."""
    found = answers.latest(TraceText, TextTraced)
    if found is None or found[0].text != state.text:
        return None
    command, traced = found
    is_wanted = (command.own_from, command.seed) == (state.own_from, state.seed)
    return traced if is_wanted else msgspec.structs.replace(traced, own=None)


def unknown_chars(traced: TextTraced) -> tuple[str, ...]:
    """Return the characters of a traced text that are not in the vocabulary, each once."""
    from engine.model.vocab import UNK  # the module imports numpy, which `--help` does not need

    pairs = zip(traced.text, traced.token_ids[1:], strict=False)
    return tuple(dict.fromkeys(char for char, token_id in pairs if token_id == UNK))
