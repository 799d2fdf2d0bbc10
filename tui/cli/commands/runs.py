"""`tweetgen-tui runs`: lists the runs of the data folder, replays one on the screen or to a file, exports one."""

from __future__ import annotations

import contextlib
import re
import sys
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from engine.checkpoints.format import read_info
from engine.config.run import BUDGETS
from engine.errors import CheckpointError, ConfigError, StorageError
from engine.protocol.codec import DecodeError, decode
from engine.protocol.events import RunFailed, RunFinished
from engine.storage.files import is_locked
from engine.storage.folders import RunFolder, find_run, list_runs
from engine.storage.journal import SkippedLines, last_event
from engine.text import sanitize_line
from tui.cli.commands.screen import local_runs, require_terminal, show
from tui.cli.options import AsJsonLines, Force, complete_run, require_effect
from tui.cli.output import (
    STANDARD_STREAM,
    check_output,
    hint_at_force,
    print_json,
    print_table,
    report,
    show_progress,
    write_output,
)
from tui.process.job_control import start_job_control
from tui.process.torchrun import restarting_agent
from tui.terminal.capabilities import LARGEST_SIZE
from tui.text.numbers import format_bits, format_duration, format_size

if TYPE_CHECKING:  # imported in the functions, so that --help starts fast
    from engine.export.text_files import Thinned
    from tui.process.protocol import Greeting

app = typer.Typer(no_args_is_help=True, help="List the runs and their states, replay or export one.")
Run = Annotated[
    str,
    typer.Argument(metavar="RUN", autocompletion=complete_run, help="The run's name, or last for the latest."),
]
# The list -------------------------------------------------------------------------------------------------------------

_ENDED = {"finished", "failed", "cut off"}


@app.command("list")
def list_all(*, as_json: AsJsonLines = False) -> None:
    """List all runs, the latest first."""
    facts = [facts_of(run) for run in list_runs()]
    if as_json:
        for fact in facts:
            print_json(fact)
    elif not facts:
        report("There is no run yet. Start one with tweetgen-tui, or tweetgen-tui train.")
    else:
        has_ranks = any(fact["world_size"] > 1 for fact in facts)
        headings = ("RUN", "STEP", "TRAINED", "BEST BITS", "CORPUS", *(("RANKS",) if has_ranks else ()))
        rows = (row_of(fact, has_ranks=has_ranks) for fact in facts)
        print_table((*headings, "LAST SAVED", "STATE"), rows)


@dataclass(frozen=True, kw_only=True)
class _Ranks:
    """The processes of a run's last session; the defaults are for a `config.json` that can't be read."""

    world_size: int = 1
    backend: str = ""


def facts_of(run: RunFolder) -> dict[str, Any]:
    """Return the row of a run: from its process while it is active, else from checkpoint and journal.

    The problem is why a run that has ended can't be resumed. One that is active will save a `latest`: the first comes
    some time after the run's folder and socket.
    """
    from tui.process.attached import read_greeting

    figures: dict[str, float | None] = {"step": None, "elapsed_seconds": None, "best_bits_per_char": None}
    greeting, corpus, problem, ranks = read_greeting(run), None, "", _Ranks()
    state = _state(run, greeting)
    try:
        info, _ = read_info(run.checkpoint_path("latest"))
    except CheckpointError as error:
        problem = error.message if state["state"] in _ENDED else ""
    else:
        best, corpus = info.progress.best_bits_per_char, info.corpus_name
        figures = {"step": info.step, "elapsed_seconds": info.elapsed_seconds, "best_bits_per_char": best}
    if greeting is not None:
        figures = {name: getattr(greeting, name) for name in figures}
        corpus = greeting.corpus or corpus
    with contextlib.suppress(OSError, DecodeError):
        ranks = decode(run.config_path.read_bytes(), _Ranks)
    return {
        "run": run.name,
        "path": str(run.path),
        "last_changed": run.last_changed,
        **state,
        "pid": None if greeting is None else greeting.pid,
        **figures,
        "corpus": corpus,
        **asdict(ranks),
        "problem": problem,
    }


def _state(run: RunFolder, greeting: Greeting | None) -> dict[str, str]:
    """Return the state of a run: its phase while it is active, else how it ended."""
    if greeting is not None:
        return {"state": greeting.phase, "reason": ""}
    if is_locked(run.journal_path):
        return {"state": "on", "reason": "says nothing"}
    if restarting_agent(run) is not None:
        return {"state": "restarting", "reason": ""}
    match last_event(run.journal_path):
        case RunFinished(reason=reason):
            return {"state": "finished", "reason": reason}
        case RunFailed(title=title):
            return {"state": "failed", "reason": title}
        case _:
            return {"state": "cut off", "reason": ""}


def row_of(facts: dict[str, Any], *, has_ranks: bool) -> tuple[str, ...]:
    """Return the cells of a run's row."""
    return (
        facts["run"],
        "-" if facts["step"] is None else f"{facts['step']:,}",
        "-" if facts["elapsed_seconds"] is None else format_duration(facts["elapsed_seconds"]),
        "-" if facts["best_bits_per_char"] is None else format_bits(facts["best_bits_per_char"]),
        facts["corpus"] or "-",
        *((f"{facts['world_size']} {facts['backend']}",) if has_ranks else ()),
        datetime.fromtimestamp(facts["last_changed"]).strftime("%Y-%m-%d %H:%M"),
        _state_text(facts),
    )


def _state_text(facts: dict[str, Any]) -> str:
    """Return the state and its reason: "finished: max steps"; "stopped by the user" for a run that ended before."""
    state, reason = facts["state"], facts["reason"].replace("_", " ")
    if facts["problem"]:
        state = "can't be resumed"
    elif state == "finished" and facts["reason"] not in {"finished", *BUDGETS}:
        return reason if reason.startswith("stopped") else f"stopped: {reason}"
    return state if reason in ("", state) else f"{state}: {reason}"


# A replay -------------------------------------------------------------------------------------------------------------

_DEFAULT_SPEED = 10.0
_MAX = "max"
RECORDING_SECONDS = 30.0
"""How long a recording is, unless a speed is given."""
MAX_IDLE_SECONDS = 2.0
"""In a recording, a longer time without an event is shortened to this."""


class ScreenSize(NamedTuple):
    """Columns and rows."""

    columns: int
    rows: int


_DEFAULT_SIZE = ScreenSize(100, 30)
_MIN_SIZE, _MAX_SIZE = ScreenSize(40, 12), ScreenSize(*LARGEST_SIZE)
"""A smaller screen shows one line of text."""


def _to_size(text: str) -> ScreenSize:
    """Return the size that an option names, as 80x24; raises typer's error."""
    found = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", text)
    size = ScreenSize(int(found[1]), int(found[2])) if found else ScreenSize(0, 0)
    if not all(low <= value <= high for low, value, high in zip(_MIN_SIZE, size, _MAX_SIZE, strict=True)):
        limits = " to ".join(f"{columns}x{rows}" for columns, rows in (_MIN_SIZE, _MAX_SIZE))
        raise typer.BadParameter(f"{text!r} is not a size in columns and rows from {limits}.")
    return size


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
            show_default=f"{_DEFAULT_SPEED:g}; a recording: what makes it {RECORDING_SECONDS:.0f} seconds long",
        ),
    ] = None,
    cast: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Record to this file for asciinema, without a screen; - is standard output."),
    ] = None,
    size: Annotated[
        ScreenSize | None,
        typer.Option(parser=_to_size, metavar="COLSxROWS", help="Size of the recorded screen.", show_default="100x30"),
    ] = None,
    force: Force = False,
) -> None:
    """Replay a run on the screen without changing it, or record that to a file; space pauses, q quits.

    Examples:
    tweetgen-tui runs replay last --cast training.cast --size 80x24
    """
    has_file = cast not in (None, STANDARD_STREAM)
    require = partial(require_effect, hint="Omit {}; `tweetgen-tui runs replay --help` lists all.")
    require({"size": size}, "without --cast", has_effect=cast is not None)
    require({"force": force or None}, "without a file to write", has_effect=has_file)
    if cast is None:
        _show_replay(run, _DEFAULT_SPEED if speed is None else speed)
    else:
        if speed == float("inf"):
            raise ConfigError(
                f"--speed {_MAX} is the pace of a screen; a recording needs a number.",
                f"Without --speed, a recording takes {RECORDING_SECONDS:.0f} seconds.",
            )
        check_output(cast, may_replace=force)
        _record_replay(find_run(run), cast, speed, size or _DEFAULT_SIZE, may_replace=force)


def _show_replay(run: str, speed: float) -> None:
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


def _record_replay(folder: RunFolder, file: str, speed: float | None, size: ScreenSize, *, may_replace: bool) -> None:
    """Record the replay of a run to a file, or "-" for standard output; stderr has the lines that can't be read.

    Raises `TweetgenError`.
    """
    from tui.app.main_screen import TICK_SECONDS
    from tui.app.recorder import Recorder, to_cast
    from tui.run.journal import require_journal
    from tui.run.replay import length_of
    from tui.settings.preferences import PreferencesStore, preferences_path

    require_journal(folder)
    path = folder.journal_path
    speed = speed or max(length_of(path) / RECORDING_SECONDS, 1.0)
    seconds = max(length_of(path, MAX_IDLE_SECONDS * speed) / speed, TICK_SECONDS)
    store = PreferencesStore(preferences_path())
    problems, store.problems = store.problems, ()  # reported below, not in the recording
    recorder = Recorder(path, speed, MAX_IDLE_SECONDS, size, store)
    with show_progress() as on_progress:
        outputs = recorder.record(lambda now: on_progress(min(now / seconds, 1.0), f"{format_duration(now)} recorded"))
    cast = to_cast(outputs, size, sanitize_line(f"tweetgen-tui: {folder.name}"))
    write_output(file, cast.encode(), may_replace=may_replace)
    for sentence in filter(None, (*problems, recorder.warning)):
        report(sentence)


# An export ------------------------------------------------------------------------------------------------------------


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
    from engine.export.text_files import RUN_FORMATS as FORMATS
    from engine.export.text_files import Thinned
    from engine.storage.files import write_export
    from tui.run.journal import require_journal

    folder = find_run(run)
    require_journal(folder)
    thinned, skipped = Thinned(), SkippedLines()
    if format_ == "tensorboard":
        _export_to_tensorboard(folder, output, thinned, skipped, may_replace=force)
    else:
        lines = FORMATS[format_](folder.journal_path, thinned, skipped)
        if output is None:
            sys.stdout.writelines(lines)
        else:
            with hint_at_force(output):
                write_export(Path(output).expanduser(), (line.encode() for line in lines), may_replace=force)
    for sentence in filter(None, (str(thinned), skipped.warning)):
        report(sentence)


def _export_to_tensorboard(
    run: RunFolder, output: str | None, thinned: Thinned, skipped: SkippedLines, *, may_replace: bool
) -> None:
    """Write an event file for TensorBoard. Raises `TweetgenError`."""
    from engine.export.tensorboard import export_to_tensorboard

    if output is None:
        raise ConfigError("--format tensorboard writes to a folder, and none is given.", "Add --output DIR.")
    try:
        file = export_to_tensorboard(run, Path(output).expanduser(), thinned, skipped, may_replace=may_replace)
    except FileExistsError as error:
        raise StorageError(
            f"{error} has event files already.", "--force replaces those that this program has written."
        ) from error
    report(f"wrote {file}, {format_size(file.stat().st_size)}")
