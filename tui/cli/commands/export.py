"""`tweetgen-tui export`: a trained model in the forms that other programs read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from engine.checkpoints.catalog import resolve_checkpoint
from engine.checkpoints.format import read_info
from engine.errors import CheckpointError, ConfigError, CorpusError
from engine.export import WeightFormat
from engine.protocol.progress import OnProgress
from tui.cli.options import Force, complete_checkpoint
from tui.cli.output import check_output, report, report_checkpoint, show_progress, write_output
from tui.text.numbers import format_size

if TYPE_CHECKING:  # they import torch
    from engine.checkpoints.checkpoint import Checkpoint

app = typer.Typer(no_args_is_help=True, help="Write a trained model for use without this program.")
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME-OR-PATH",
        autocompletion=complete_checkpoint,
        help="Name as listed by checkpoints list, a run (its best), or a file.",
    ),
]
Measured = TypeVar("Measured")


@app.command()
def html(
    name: Name,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The page, such as tweets.html, or - for standard output.")
    ],
    *,
    weights: Annotated[
        WeightFormat,
        typer.Option(metavar="float16|int8", help="Precision of the weights; int8 makes the page half as large."),
    ] = "float16",
    force: Force = False,
) -> None:
    """Write one HTML file that samples tweets in any browser, offline.

    It has the weights, and JavaScript that samples as the program does: with float16 weights, nearly every seed gives
    the program's own tweet. The page also reports the bits per character on the validation tweets, and how many of
    1,000 samples are copies of training tweets: a model of a private archive can write what it has read. For both, the
    tweets of the checkpoint are read again.

    Examples:
    tweetgen-tui export html my-run/best tweets.html
    tweetgen-tui export html my-run/best small.html --weights int8
    """
    path = resolve_checkpoint(name)
    check_output(file, may_replace=force)

    from engine.checkpoints.checkpoint import load_checkpoint
    from engine.export.copies import measure
    from engine.export.web_page import web_page

    checkpoint = load_checkpoint(path)
    figures = _measured(
        path,
        checkpoint,
        lambda on_progress: measure(path, checkpoint, checkpoint.info.sampling, on_progress),
        without="Copies were not counted, and the page says so",
    )
    if figures is not None:
        report(str(figures.copies))
    write_output(file, web_page(checkpoint, weights, figures).encode(), may_replace=force)


def _measured(
    path: Path, checkpoint: Checkpoint, measure: Callable[[OnProgress], Measured], *, without: str
) -> Measured | None:
    """Print which checkpoint is used, and return what is measured with its model and training corpus.

    Where the corpus can't be read, print `without` and why, and return None.
    """
    report_checkpoint(path, checkpoint.info)
    try:
        with show_progress() as on_progress:
            return measure(on_progress)
    except (CheckpointError, CorpusError) as error:
        report(f"{without}: {error.message}")
        return None


@app.command()
def hub(
    name: Name,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder to create; its name is that of the model.")],
    *,
    license_id: Annotated[
        str | None,
        typer.Option(
            "--license",
            metavar="ID",
            help="License of the model, by the hub's identifier: mit, apache-2.0, cc-by-4.0 ..., other or unknown. "
            "Asked for on a terminal.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the files of a model in an existing folder.")] = False,
) -> None:
    """Write a folder for a model hub, with a model card and 40 lines of PyTorch.

    The card has the number of training tweets, the bits per character on the validation tweets, and the number of
    copies among 1,000 samples: for these, the tweets of the checkpoint are read again, and none is quoted. `checkpoints
    import` reads such a folder.

    Examples:
    tweetgen-tui export hub my-run/best my-model --license mit
    """
    path = resolve_checkpoint(name)
    target = Path(folder).expanduser()

    from engine.export.hub import checked_license, require_free, write_folder
    from engine.export.model_card import OTHER

    require_free(target, may_replace=force)
    license_id = _asked_license() if license_id is None else checked_license(license_id)
    report_checkpoint(path, read_info(path)[0])
    with show_progress() as on_progress:
        written = write_folder(path, target, license_id, may_replace=force, on_progress=on_progress)
    report(written.finding)
    report(f"wrote {target}, {format_size(written.num_bytes)}")
    if license_id == OTHER:
        report("Add the text of your license as LICENSE to it, and its name as license_name to the head of README.md.")


def _asked_license() -> str:
    """Return the hub's identifier of a license that is asked for. Raises `ConfigError` without a terminal to ask on."""
    if not sys.stdin.isatty():
        raise ConfigError(
            "A shared model needs a license, and there is no terminal to ask for it.",
            "Add --license ID, such as mit, cc-by-4.0 or unknown.",
        )
    from engine.export.hub import checked_license

    def checked(answer: str) -> str:
        try:
            return checked_license(answer)
        except ConfigError as error:  # the question is asked again
            raise typer.BadParameter(f"{error.message} {error.hint}") from error

    question = "License of the model (mit, apache-2.0, cc-by-4.0, unknown ...)"
    identifier: str = typer.prompt(question, err=True, value_proc=checked)
    return identifier


@app.command()
def onnx(
    name: Name,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The file, such as tweets.onnx, or - for standard output.")
    ],
    *,
    force: Force = False,
) -> None:
    """Write a model as an ONNX graph, for ONNX Runtime and other programs.

    The graph maps token ids and a state to the log-probabilities of the next characters and the new state. Its metadata
    contain the vocabulary, and the bits per character on the validation tweets: for these, the tweets of the checkpoint
    are read again and the model is evaluated. Needs the package onnx.

    Examples:
    tweetgen-tui export onnx my-run/best tweets.onnx
    """
    path = resolve_checkpoint(name)
    check_output(file, may_replace=force, is_binary=True)

    from engine.checkpoints.checkpoint import load_checkpoint
    from engine.export.copies import measure_bits
    from engine.export.onnx import onnx_file

    checkpoint = load_checkpoint(path)

    def measured_bits() -> float | None:
        return _measured(
            path,
            checkpoint,
            lambda on_progress: measure_bits(path, checkpoint, on_progress),
            without="The file has no bits_per_char",
        )

    write_output(file, onnx_file(checkpoint, measured_bits), may_replace=force)
