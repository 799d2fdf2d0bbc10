"""`tweetgen-tui xray`: what a checkpoint computes along a text, as a view, a picture or JSON."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, cast

import typer

from engine.checkpoints.catalog import checkpoint_name, may_read_files, resolve_checkpoint
from engine.errors import CheckpointError, ConfigError
from engine.protocol.insight import ReachMethod
from engine.text import clean, counted, sanitize_line
from tui.cli.options import Checkpoint, Force, require_effect
from tui.cli.output import STANDARD_STREAM, report, report_checkpoint, write_output
from tui.xray.state import ViewName, XrayState, trace_command

if TYPE_CHECKING:  # it imports torch
    from engine.checkpoints.format import CheckpointInfo
    from engine.protocol.insight import TextTraced

_MAX_INPUT_BYTES = 100_000
"""How much of standard input is read; a text that long is refused."""
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
    force: Force = False,
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
    require = partial(require_effect, hint="Omit {}; `tweetgen-tui xray --help` lists all.")
    require({"view": view, "at": at, "method": method, "svg": svg}, "with --json", has_effect=not as_json)
    require({"method": method}, "without --view reach", has_effect=view == "reach")
    require({"layer": layer}, f"with --view {view}", has_effect=view in {None, "step", "gates"})
    require({"force": force or None}, "without --svg FILE", has_effect=svg not in {None, STANDARD_STREAM})
    path = resolve_checkpoint(checkpoint)
    read = text
    if text == STANDARD_STREAM:  # as a model learns it: one line, without blanks at its ends
        read = clean(sys.stdin.buffer.read(_MAX_INPUT_BYTES).decode("utf-8", "replace"))
    cursor = len(read) if at is None else at
    if not 0 <= cursor <= len(read):
        raise ConfigError(
            f"--at must be from 0 to {len(read):,}, not {cursor:,}.", "It is the number of characters that were read."
        )

    from engine.insight.answers import CheckpointAnswers
    from engine.insight.trace import check_text

    check_text(read)
    answers = CheckpointAnswers(path)
    report_checkpoint(path, answers.info)
    name, shown_layer, num_layers = view or "step", 1 if layer is None else layer, answers.info.model.num_layers
    if not 1 <= shown_layer <= num_layers:
        raise ConfigError(
            f"--layer must be from 1 to {num_layers}, not {shown_layer:,}.",
            f"The model of this checkpoint has {counted(num_layers, 'layer')}.",
        )
    _report_unknown(read, answers.info)
    if name == "units" and not may_read_files(path, answers.info):
        raise CheckpointError(
            f"{path.name} comes from elsewhere, so the tweets that it names are not read, which scoring units needs.",
            "Choose another --view, or a checkpoint of a run on this machine.",
        )

    from tui.cli.xray_output import print_page, print_targets, svg_of
    from tui.xray.views import answered, page

    chosen = XrayState(text=read, cursor=cursor, view=name, layer=shown_layer - 1, method=method or "occlusion")
    if as_json:
        print_targets(cast("TextTraced", answers.answer(trace_command(chosen))))
        return
    draw = partial(page, *answered(chosen, answers.answer))
    if svg is None:
        print_page(draw)
        return
    picture = svg_of(draw, sanitize_line(f"{sanitize_line(read, _MAX_TITLE_CHARS)}: {name}, {checkpoint_name(path)}"))
    write_output(svg, picture.encode(), may_replace=force)


def _report_unknown(text: str, info: CheckpointInfo) -> None:
    """Print the characters that are not in the vocabulary."""
    unknown = sorted(set(text) - set(info.vocab))
    if unknown:
        named = ", ".join(f"{char!r} (U+{ord(char):04X})" for char in unknown[:_MAX_NAMED_CHARS])
        more = " and more" if len(unknown) > _MAX_NAMED_CHARS else ""
        report(f"not in the vocabulary, read as <UNK>: {named}{more}")
