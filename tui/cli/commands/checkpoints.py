"""`tweetgen-tui checkpoints`: list, show, delete, rename, pin, export, import."""

from __future__ import annotations

import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.checkpoints import management as checkpoint_files
from engine.checkpoints.catalog import CheckpointEntry, find_listed, iterate_checkpoints, resolve_checkpoint
from engine.checkpoints.format import read_info
from engine.errors import CheckpointError, ConfigError
from engine.storage.files import storage_errors
from engine.storage.folders import SUFFIX
from engine.text import sanitize_line
from tui.cli.options import AsJson, AsJsonLines, complete_checkpoint
from tui.cli.output import STANDARD_STREAM, print_facts, print_json, print_table, report
from tui.text.numbers import format_size

app = typer.Typer(no_args_is_help=True, help="List, show, copy, rename, pin and delete checkpoints.")
Listed = Annotated[
    str,
    typer.Argument(metavar="NAME", autocompletion=complete_checkpoint, help="Name as listed by checkpoints list."),
]
ListedOrFile = Annotated[
    str,
    typer.Argument(
        metavar="NAME-OR-PATH",
        autocompletion=complete_checkpoint,
        help="Name as listed by checkpoints list, or a file.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing one.")]


@app.command("list")
def list_all(*, as_json: AsJsonLines = False) -> None:
    """List all checkpoints: those saved by name, then each run's own."""
    entries = list(iterate_checkpoints())
    if as_json:
        for entry in entries:
            print_json(_facts(entry))
    elif not entries:
        report("No checkpoints yet. Create one with tweetgen-tui, or tweetgen-tui train.")
    else:
        print_table(("NAME", "STEP", "BITS/CHAR", "SAVED", "SIZE", ""), map(_row, entries))


@app.command()
def show(
    name: ListedOrFile,
    *,
    as_json: AsJson = False,
) -> None:
    """Verify a checkpoint and print its metadata."""
    path = resolve_checkpoint(name)
    info, digest = read_info(path)

    from engine.checkpoints.checkpoint import load_checkpoint
    from tui.text.checkpoints import description

    load_checkpoint(path)
    if as_json:
        fields = msgspec.to_builtins(info)
        flat = {**fields.pop("progress"), **fields.pop("computation"), **fields}
        print_json({"name": name, "path": str(path), "sha256": digest, **flat})
        return
    print_facts([("path", str(path)), *description(info), ("sha256", digest)])


@app.command()
def delete(
    name: Listed,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a checkpoint."""
    find_listed(name)
    if not yes:
        typer.confirm(sanitize_line(f"Delete the checkpoint {name}?"), abort=True, err=True)
    path = checkpoint_files.delete_checkpoint(name)
    report(f"deleted {path}")


@app.command()
def rename(
    old: Annotated[
        str,
        typer.Argument(metavar="OLD", autocompletion=complete_checkpoint, help="Name as listed by checkpoints list."),
    ],
    new: Annotated[str, typer.Argument(metavar="NEW", help="A name that is not in use.")],
) -> None:
    """Rename a checkpoint that was saved by name."""
    path = checkpoint_files.rename_checkpoint(old, new)
    report(f"renamed to {path}")


@app.command()
def pin(name: Listed) -> None:
    """Protect a checkpoint from being deleted or replaced."""
    checkpoint_files.set_pinned(name, is_pinned=True)
    report(f"pinned {name}")


@app.command()
def unpin(name: Listed) -> None:
    """Remove the pin of a checkpoint."""
    checkpoint_files.set_pinned(name, is_pinned=False)
    report(f"unpinned {name}")


@app.command("export")
def export(
    name: ListedOrFile,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Target file or folder, or - for standard output.")],
    *,
    force: Force = False,
) -> None:
    """Verify a checkpoint and copy it to a file.

    It names the files that it was trained on, and the words that its filter avoids; a folder of export hub does not.
    """
    if file == STANDARD_STREAM:
        if sys.stdout.isatty():
            raise ConfigError(
                "A checkpoint is binary: it can't be printed on a terminal.", "Name a file, or redirect: ... - > FILE"
            )
        sys.stdout.buffer.write(checkpoint_files.checked_content(resolve_checkpoint(name)))
        sys.stdout.buffer.flush()
        return
    path = checkpoint_files.export_checkpoint(name, Path(file).expanduser(), replace=force)
    report(f"exported to {path}, {format_size(path.stat().st_size)}")


@app.command("import")
def import_(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A checkpoint file, a folder that export hub wrote, or - for standard input."
        ),
    ],
    *,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name to store it under; by default that of the file or folder.")
    ] = None,
    force: Force = False,
) -> None:
    """Verify a checkpoint file or a model folder, and store it under a name."""
    source = Path(file).expanduser()
    if file == STANDARD_STREAM:
        path = _import_standard_input(name, replace=force)
    elif source.is_dir():
        from engine.export.hub import read_folder

        name = name if name is not None else source.resolve().name
        path = checkpoint_files.import_checkpoint(source, name, replace=force, load=read_folder)
    else:
        name = name if name is not None else source.name.removesuffix(SUFFIX)
        path = checkpoint_files.import_checkpoint(source, name, replace=force)
    report(f"imported as {path.stem}")


def _import_standard_input(name: str | None, *, replace: bool) -> Path:
    """Import a checkpoint from standard input; return the path of its file."""
    if name is None:
        raise ConfigError("A checkpoint from standard input needs a name.", "Add --name NAME.")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "standard input"
        with storage_errors(source):
            source.write_bytes(sys.stdin.buffer.read())
        try:
            return checkpoint_files.import_checkpoint(source, name, replace=replace)
        except CheckpointError as error:
            raise CheckpointError(error.message.replace(str(source), source.name), error.hint) from error


def _facts(entry: CheckpointEntry) -> dict[str, Any]:
    """Return an entry's JSON form."""
    return {
        "name": entry.name,
        "path": str(entry.path),
        "step": entry.step,
        "bits_per_char": entry.bits_per_char,
        "evaluated_at_step": entry.info.progress.last_eval_step
        if entry.info and entry.bits_per_char is not None
        else None,
        "saved_at": entry.saved_at,
        "num_bytes": entry.num_bytes,
        "pinned": entry.is_pinned,
        "problem": entry.problem,
    }


def _row(entry: CheckpointEntry) -> tuple[str, ...]:
    """Return a checkpoint as cells of the table."""
    from tui.text.checkpoints import bits_of

    return (
        entry.name,
        "-" if entry.step is None else f"{entry.step:,}",
        "-" if entry.info is None or entry.bits_per_char is None else bits_of(entry.info),
        datetime.fromtimestamp(entry.saved_at).strftime("%Y-%m-%d %H:%M"),
        format_size(entry.num_bytes),
        "damaged" if entry.problem else "pinned" if entry.is_pinned else "",
    )
