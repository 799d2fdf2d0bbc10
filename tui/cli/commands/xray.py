"""`tweetgen-tui xray`: what a checkpoint computes along a text, as a view, a picture or JSON."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from engine.checkpoints.catalog import checkpoint_name, may_read_files, resolve_checkpoint
from engine.corpus.report import counted
from engine.errors import CheckpointError, ConfigError
from engine.protocol.insight import HoldUnit, MapEmbeddings, MeasureReach, ReachMethod, ScoreUnits, TraceText
from engine.text import clean, sanitize_line
from tui.cli.options import Checkpoint
from tui.cli.output import STANDARD_STREAM, report_checkpoint, require_effect, write_output
from tui.xray.view_names import ViewName

if TYPE_CHECKING:  # it imports torch
    from engine.checkpoints.format import CheckpointInfo
    from engine.insight.checkpoint_answers import CheckpointAnswers
    from engine.protocol.insight import EmbeddingsMapped, ReachMeasured, TextTraced, UnitHeld, UnitsScored
    from tui.cli.xray_page import ViewAnswer

_MAX_INPUT_BYTES = 100_000
"""Of standard input; a text that long is refused."""
_MAX_NAMED_CHARS = 8
_MAX_TITLE_CHARS = 40


def xray(  # noqa: PLR0913 - one per option
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="The text that the model reads, or - for standard input.")
    ],
    *,
    checkpoint: Checkpoint = None,
    view: Annotated[
        ViewName | None,
        typer.Option(
            metavar="step|gates|reach|units|map",
            help="One character at a time, its gates, how far back it reaches, units that track a concept, or the map "
            "of the characters.",
            show_default="step",
        ),
    ] = None,
    at: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Characters that the model has read; what is shown is its prediction of the next one.",
            show_default="the whole text",
        ),
    ] = None,
    layer: Annotated[
        int | None, typer.Option(metavar="N", help="Layer whose gates and states are shown, from 1.", show_default="1")
    ] = None,
    method: Annotated[
        ReachMethod | None,
        typer.Option(
            metavar="occlusion|gradient",
            help="How reach is measured: by hiding a character, or by a gradient.",
            show_default="occlusion",
        ),
    ] = None,
    svg: Annotated[
        str | None,
        typer.Option("--svg", metavar="FILE", help="Write the view as a picture, or - for standard output."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per character, <EOS> last.")] = False,
) -> None:
    """Show what a trained model computes along a text.

    The text is coloured by what the view shows of each character; below it is what happens at one of them, and what
    that means in one sentence.

    Examples:
    tweetgen-tui xray "good morning @anna"
    tweetgen-tui xray "good morning @anna" --view reach --at 16 --svg reach.svg
    tweetgen-tui xray "good morning @anna" --checkpoint my-run/best --json
    """
    require = partial(require_effect, command="xray")
    require({"view": view, "at": at, "method": method, "svg": svg}, "with --json", has_effect=not as_json)
    require({"method": method}, "without --view reach", has_effect=view == "reach")
    require({"layer": layer}, f"with --view {view}", has_effect=view in {None, "step", "gates"})
    require({"force": force or None}, "without --svg FILE", has_effect=svg not in {None, STANDARD_STREAM})
    path = resolve_checkpoint(checkpoint)
    read = _standard_input() if text == STANDARD_STREAM else text
    cursor = _cursor(read, at)

    from engine.insight.checkpoint_answers import CheckpointAnswers
    from engine.insight.checks import check_text

    check_text(read)
    answers = CheckpointAnswers(path)
    report_checkpoint(path, answers.info)
    layer_index = _layer_index(1 if layer is None else layer, answers.info)
    _report_unknown(read, answers.info)
    if as_json:
        from tui.cli.xray_output import print_targets

        print_targets(cast("TextTraced", answers.answer(TraceText(text=read, layer=layer_index))))
        return
    if view == "units":
        _require_own_tweets(path, answers.info)
    answer = _answer(answers, view or "step", read, cursor, layer_index, method or "occlusion")
    _show(view or "step", answer, read, cursor, svg, checkpoint_name(path), may_replace=force)


def _standard_input() -> str:
    """Return the text on standard input as a model learns it: one line, without blanks at its ends."""
    return clean(sys.stdin.buffer.read(_MAX_INPUT_BYTES).decode("utf-8", "replace"))


def _cursor(text: str, at: int | None) -> int:
    """Return how many characters were read. Raises `ConfigError` if the text does not have so many."""
    if at is not None and not 0 <= at <= len(text):
        raise ConfigError(
            f"--at must be from 0 to {len(text):,}, not {at:,}.", "It is the number of characters that were read."
        )
    return len(text) if at is None else at


def _layer_index(layer: int, info: CheckpointInfo) -> int:
    """Return the index of a layer, from 0. Raises `ConfigError` if the model has no such layer."""
    if not 1 <= layer <= info.model.num_layers:
        raise ConfigError(
            f"--layer must be from 1 to {info.model.num_layers}, not {layer:,}.",
            f"The model of this checkpoint has {counted(info.model.num_layers, 'layer')}.",
        )
    return layer - 1


def _report_unknown(text: str, info: CheckpointInfo) -> None:
    """Print the characters that are not in the vocabulary."""
    unknown = sorted(set(text) - set(info.vocab))
    if unknown:
        named = ", ".join(f"{char!r} (U+{ord(char):04X})" for char in unknown[:_MAX_NAMED_CHARS])
        more = " and more" if len(unknown) > _MAX_NAMED_CHARS else ""
        typer.echo(sanitize_line(f"not in the vocabulary, read as <UNK>: {named}{more}"), err=True)


def _require_own_tweets(path: Path, info: CheckpointInfo) -> None:
    """Raise `CheckpointError` if the checkpoint's validation tweets may not be read."""
    if not may_read_files(path, info):
        raise CheckpointError(
            f"{path.name} comes from elsewhere, so the tweets that it names are not read, which scoring units needs.",
            "Choose another --view, or a checkpoint of a run on this machine.",
        )


def _answer(
    answers: CheckpointAnswers, view: ViewName, text: str, cursor: int, layer: int, method: ReachMethod
) -> ViewAnswer:
    """Return what a view draws. Raises `TweetgenError`."""
    match view:
        case "step" | "gates":
            return cast("TextTraced", answers.answer(TraceText(text=text, layer=layer)))
        case "reach":
            return cast("ReachMeasured", answers.answer(MeasureReach(text=text, position=cursor, method=method)))
        case "units":
            return _best_unit(answers, text)
        case "map":
            return cast("EmbeddingsMapped", answers.answer(MapEmbeddings()))


def _best_unit(answers: CheckpointAnswers, text: str) -> ViewAnswer:
    """Return the scores of all units, and the best unit along the text, if there is one."""
    from tui.xray.units_view import UnitAnswers, selectable

    scored = cast("UnitsScored", answers.answer(ScoreUnits()))
    held = None
    for layer, unit in selectable(scored)[:1]:
        held = cast("UnitHeld", answers.answer(HoldUnit(text=text, layer=layer, unit=unit)))
    return UnitAnswers(scored=scored, held=held)


def _show(
    view: ViewName, answer: ViewAnswer, text: str, cursor: int, svg: str | None, checkpoint: str, *, may_replace: bool
) -> None:
    """Print the view, or write it as a picture."""
    from tui.cli.xray_output import print_page, svg_of
    from tui.cli.xray_page import page

    draw = partial(page, view, answer, text, cursor)
    if svg is None:
        print_page(draw)
        return
    picture = svg_of(draw, sanitize_line(f"{sanitize_line(text, _MAX_TITLE_CHARS)}: {view}, {checkpoint}"))
    write_output(svg, picture.encode(), may_replace=may_replace)
