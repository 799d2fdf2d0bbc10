"""`tweetgen-tui runs`: lists the runs of the data folder, replays or exports one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from engine.errors import ConfigError, StorageError
from engine.storage.folders import RunFolder, find_run, list_runs
from engine.storage.journal import SkippedLines
from engine.text import sanitize_line
from tui.cli.commands.replay_recording import (
    DEFAULT_SECONDS,
    DEFAULT_SIZE,
    ScreenSize,
    check_recording,
    parse_size,
    record_replay,
)
from tui.cli.commands.screen import local_runs, require_terminal, show
from tui.cli.completion import complete_run
from tui.cli.output.output_file import STANDARD_STREAM, require_effect
from tui.cli.output.run_list import facts_of, row_of
from tui.cli.output.tables import print_json, print_table
from tui.process.job_control import start_job_control
from tui.text.numbers import format_size

if TYPE_CHECKING:
    from engine.export.run_export import Thinned

app = typer.Typer(no_args_is_help=True, help="List the runs and their states, replay or export one.")
Run = Annotated[
    str,
    typer.Argument(metavar="RUN", autocompletion=complete_run, help="The run's name, or last for the latest."),
]
_MAX = "max"
_DEFAULT_SPEED = 10.0


@app.command("list")
def list_all(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False
) -> None:
    """List all runs, the latest first."""
    facts = [facts_of(run) for run in list_runs()]
    if as_json:
        for fact in facts:
            print_json(fact)
    elif not facts:
        typer.echo("There is no run yet. Start one with tweetgen-tui, or tweetgen-tui train.", err=True)
    else:
        has_ranks = any(fact["world_size"] > 1 for fact in facts)
        headings = ("RUN", "STEP", "TRAINED", "BEST BITS", "CORPUS", *(("RANKS",) if has_ranks else ()))
        rows = (row_of(fact, has_ranks=has_ranks) for fact in facts)
        print_table((*headings, "LAST SAVED", "STATE"), rows)


def _to_speed(text: str) -> float:
    """Return the factor of an option; raises typer's error."""
    if text == _MAX:
        return float("inf")
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise typer.BadParameter(f"{text!r} is neither a number above 0 nor {_MAX}.")
    return speed


@app.command()
def replay(
    run: Run,
    *,
    speed: Annotated[
        float | None,
        typer.Option(
            parser=_to_speed,
            metavar="N",
            help=f"Times faster than the run trained; {_MAX}: no limit.",
            show_default=f"{_DEFAULT_SPEED:g}; a recording: what makes it {DEFAULT_SECONDS:.0f} seconds long",
        ),
    ] = None,
    cast: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Record to this file for asciinema, without a screen; - is standard output."),
    ] = None,
    size: Annotated[
        ScreenSize | None,
        typer.Option(
            parser=parse_size, metavar="COLSxROWS", help="Size of the recorded screen.", show_default="100x30"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Replay a run on the screen without changing it, or record that to a file; space pauses, q quits.

    Examples:
    tweetgen-tui runs replay last --cast training.cast --size 80x24
    """
    has_file = cast not in (None, STANDARD_STREAM)
    require_effect({"size": size}, "without --cast", "runs replay", has_effect=cast is not None)
    require_effect({"force": force or None}, "without a file to write", "runs replay", has_effect=has_file)
    if cast is None:
        _show_replay(run, _DEFAULT_SPEED if speed is None else speed)
    else:
        check_recording(cast, speed, may_replace=force)
        record_replay(find_run(run), cast, speed, size or DEFAULT_SIZE, may_replace=force)


def _show_replay(run: str, speed: float) -> None:
    """Replay a run on the screen."""
    require_terminal("Without one: --cast FILE records the replay.")
    job_control = start_job_control()
    folder = find_run(run)

    from tui.run.journal import require_journal
    from tui.run.replay import ReplayedRun
    from tui.run.view import RunView
    from tui.settings.preferences import PreferencesStore, preferences_path

    require_journal(folder)
    replay, store = ReplayedRun(folder.journal_path, speed), PreferencesStore(preferences_path())
    show(replay, RunView(is_replay=True), local_runs(job_control), store, job_control)


@app.command()
def export(
    run: Run,
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            metavar="FILE|DIR",
            help="Write to this file, by default to standard output; tensorboard: to DIR/<run>.",
        ),
    ] = None,
    format_: Annotated[
        Literal["csv", "jsonl", "tensorboard"],
        typer.Option(
            "--format",
            metavar="csv|jsonl|tensorboard",
            help="csv: steps and evaluations as a table; jsonl: all events; tensorboard: event files, which other "
            "trackers import, too.",
        ),
    ] = "csv",
    force: Annotated[
        bool, typer.Option("--force", help="Replace an existing file; tensorboard: the event files of this program.")
    ] = False,
) -> None:
    """Write the steps and evaluations of a run for other programs; stderr has what was thinned.

    Examples:
    tweetgen-tui runs export last --output run.csv
    tweetgen-tui runs export last --format tensorboard --output runs
    """
    from engine.export.run_export import FORMATS, Thinned
    from tui.run.journal import require_journal

    folder = find_run(run)
    require_journal(folder)
    thinned, skipped = Thinned(), SkippedLines()
    if format_ == "tensorboard":
        _export_to_tensorboard(folder, output, thinned, skipped, force=force)
    else:
        _export_lines(FORMATS[format_](folder.journal_path, thinned, skipped), output, force=force)
    for sentence in (str(thinned), skipped.warning):
        if sentence:
            typer.echo(sentence, err=True)


def _export_lines(lines: Iterator[str], output: str | None, *, force: bool) -> None:
    """Write lines to a file, or to standard output. Raises `StorageError`."""
    from engine.export.tweets import write_export

    if output is None:
        sys.stdout.writelines(lines)
        return
    try:
        write_export(Path(output).expanduser(), (line.encode() for line in lines), may_replace=force)
    except FileExistsError as error:
        raise StorageError(f"{output} already exists.", "--force replaces it.") from error


def _export_to_tensorboard(
    run: RunFolder, output: str | None, thinned: Thinned, skipped: SkippedLines, *, force: bool
) -> None:
    """Write an event file for TensorBoard. Raises `TweetgenError`."""
    from engine.export.tensorboard import export_to_tensorboard

    if output is None:
        raise ConfigError("--format tensorboard writes to a folder, and none is given.", "Add --output DIR.")
    try:
        file = export_to_tensorboard(run, Path(output).expanduser(), thinned, skipped, may_replace=force)
    except FileExistsError as error:
        raise StorageError(
            f"{error} has event files already.", "--force replaces those that this program has written."
        ) from error
    typer.echo(sanitize_line(f"wrote {file}, {format_size(file.stat().st_size)}"), err=True)
