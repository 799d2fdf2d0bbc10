"""`tweetgen-tui checkpoints`: list, show, delete."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from engine.calibration import numbered_threads
from engine.checkpoint_info import CheckpointInfo, read_info
from engine.checkpoint_list import CheckpointEntry, delete_checkpoint, find_listed, list_checkpoints, resolve_checkpoint
from tui.formatting import format_bits, format_duration, format_size
from tui.tables import print_facts, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="List, show and delete what was saved.", rich_markup_mode="rich")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]


@app.command("list")
def list_all(*, as_json: AsJson = False) -> None:
    """List all checkpoints: what you saved by name, then each run's own."""
    entries = list_checkpoints()
    if as_json:
        for entry in entries:
            print_json(_facts(entry))
    elif not entries:
        typer.echo("There is no checkpoint yet. Make one with tweetgen-tui, or tweetgen-tui train.", err=True)
    else:
        print_table(("NAME", "STEP", "BITS/CHAR", "SAVED", "SIZE", ""), map(_row, entries))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME-OR-PATH", help="As in the list, or a file.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Check that a checkpoint is whole, and show all that it says of itself."""
    path = resolve_checkpoint(name)
    info, digest = read_info(path)

    from engine.checkpoint import load_checkpoint

    load_checkpoint(path)
    if as_json:
        print_json({"name": name, "path": str(path), "sha256": digest, **msgspec.to_builtins(info)})
        return
    print_facts([("path", str(path)), *_description(info), ("sha256", digest)])


def _description(info: CheckpointInfo) -> list[tuple[str, str]]:
    """Return what a checkpoint says of itself as names and values."""
    model, training = info.model, info.training
    bits = "not evaluated yet" if info.bits_per_char is None else format_bits(info.bits_per_char)
    path = f", {info.step_path} path" if info.step_path else ""
    layers = f"hidden {model.hidden_size} x {model.num_layers}"
    return [
        ("run", info.run),
        ("step", f"{info.step:,} (epoch {info.position.epoch}, batch {info.position.batch:,} of it next)"),
        ("trained for", f"{format_duration(info.elapsed_seconds)}, {info.total_chars:,} characters"),
        ("bits per character", bits),
        ("corpus", info.corpus_name),
        ("vocabulary", f"{len(info.vocab)} characters"),
        ("model", f"embedding {model.embedding_size}, {layers}, dropout {model.dropout:g}"),
        ("training", f"{training.preset}: batch {training.batch_size}, learning rate {training.learning_rate:g}"),
        ("computed on", f"{info.device}, {info.precision}, {numbered_threads(info.num_threads)}{path}"),
        ("written by", ", ".join(f"{name} {version}" for name, version in info.versions.items())),
    ]


@app.command()
def delete(
    name: Annotated[str, typer.Argument(help="As in the list.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a checkpoint for good."""
    find_listed(name)
    if not yes:
        typer.confirm(f"Delete the checkpoint {name}?", abort=True, err=True)
    path = delete_checkpoint(name)
    typer.echo(f"deleted {path}", err=True)


def _facts(entry: CheckpointEntry) -> dict[str, Any]:
    """Return an entry's JSON form."""
    return {
        "name": entry.name,
        "path": str(entry.path),
        "step": entry.step,
        "bits_per_char": entry.bits_per_char,
        "saved_at": entry.saved_at,
        "num_bytes": entry.num_bytes,
        "problem": entry.problem,
    }


def _row(entry: CheckpointEntry) -> tuple[str, ...]:
    """Return an entry as cells of the table."""
    return (
        entry.name,
        "-" if entry.step is None else f"{entry.step:,}",
        "-" if entry.bits_per_char is None else format_bits(entry.bits_per_char),
        datetime.fromtimestamp(entry.saved_at).strftime("%Y-%m-%d %H:%M"),
        format_size(entry.num_bytes),
        "damaged" if entry.problem else "",
    )
