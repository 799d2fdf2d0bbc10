"""`tweetgen-tui export`: a trained model in the forms that other programs read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from engine.checkpoints.catalog import resolve_checkpoint
from engine.errors import ConfigError, StorageError
from engine.text import harmless
from tui.cli.completion import complete_checkpoint
from tui.cli.help_page import CommandGroup
from tui.cli.output.progress_display import show_progress
from tui.files.export_file import write_export
from tui.formatting.numbers import format_size

app = CommandGroup("Write a trained model for use without this program.")
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME-OR-PATH",
        autocompletion=complete_checkpoint,
        help="Name as listed by checkpoints list, a run (its best), or a file.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]


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

    The card counts the training tweets, and the copies of them among 1,000 samples; it quotes none. `checkpoints
    import` reads such a folder.

    Examples:
    tweetgen-tui export hub my-run/best my-model --license mit
    """
    path = resolve_checkpoint(name)
    target = Path(folder).expanduser()

    from engine.export.hub.licenses import OTHER, checked_license
    from engine.export.hub.write import require_free, write_folder

    require_free(target, may_replace=force)
    license_id = checked_license(_asked_license() if license_id is None else license_id)
    with show_progress() as on_progress:
        written = write_folder(path, target, license_id, may_replace=force, on_progress=on_progress)
    _report(f"exported to {target}, {format_size(written.num_bytes)}")
    _report(written.finding)
    if license_id == OTHER:
        _report("Add the text of your license as LICENSE to it, and its name as license_name to the head of README.md.")


def _asked_license() -> str:
    """Return the answer to the question for a license. Raises `ConfigError` without a terminal to ask on."""
    if not sys.stdin.isatty():
        raise ConfigError(
            "A shared model needs a license, and there is no terminal to ask for it.",
            "Add --license ID, such as mit, cc-by-4.0 or unknown.",
        )
    answer: str = typer.prompt("License of the model (mit, apache-2.0, cc-by-4.0, unknown ...)", err=True)
    return answer


@app.command()
def onnx(
    name: Name,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file, such as tweets.onnx.")],
    *,
    force: Force = False,
) -> None:
    """Write a model as an ONNX graph, for ONNX Runtime and other programs.

    The graph maps token ids and a state to the log-probabilities of the next characters and the new state. Its metadata
    contain the vocabulary. Needs the package onnx.

    Examples:
    tweetgen-tui export onnx my-run/best tweets.onnx
    """
    path = resolve_checkpoint(name)

    from engine.checkpoints.checkpoint import load_checkpoint
    from engine.export.onnx_file.write import onnx_file

    _write(Path(file).expanduser(), onnx_file(load_checkpoint(path)), force=force)


def _write(file: Path, content: bytes, *, force: bool) -> None:
    """Write an exported file and report it. Raises `StorageError`."""
    try:
        write_export(file, [content], may_replace=force)
    except FileExistsError as error:
        raise StorageError(f"{file} already exists.", "--force replaces it.") from error
    _report(f"exported to {file}, {format_size(len(content))}")


def _report(sentence: str) -> None:
    """Print a line on stderr."""
    typer.echo(harmless(sentence), err=True)
