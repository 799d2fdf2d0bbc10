"""`tweetgen-tui runs`: the runs in the data folder, listed, or played again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from engine.checkpoint_info import read_info
from engine.errors import CheckpointError
from engine.events import RunFailed, RunFinished
from engine.folders import RunFolder, list_runs
from engine.journal import is_in_use, last_event
from tui.formatting import format_bits, format_duration
from tui.remote.live_runs import ask
from tui.subcommands.runs_replay import replay
from tui.tables import print_json, print_table

app = typer.Typer(no_args_is_help=True, help="List the runs, or play one again.", rich_markup_mode="rich")
app.command("replay")(replay)


@app.command("list")
def list_all(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False
) -> None:
    """List all runs, the latest first; `tweetgen-tui --resume NAME` goes on with one."""
    facts = [_facts(run) for run in list_runs()]
    if as_json:
        for fact in facts:
            print_json(fact)
    elif not facts:
        typer.echo("There is no run yet. Start one with tweetgen-tui, or tweetgen-tui train.", err=True)
    else:
        print_table(("RUN", "STEP", "TRAINED", "BEST BITS/CHAR", "CORPUS", "LAST SAVED", "STATE", ""), map(_row, facts))


def _facts(run: RunFolder) -> dict[str, Any]:
    """Return what a run's latest checkpoint says; only name and time where it has none that can be read."""
    facts: dict[str, Any] = {"run": run.name, "path": str(run.path), "last_changed": run.last_changed, **_state(run)}
    try:
        info, _ = read_info(run.checkpoint_path("latest"))
    except CheckpointError as error:
        return {
            **facts,
            "elapsed_seconds": None,
            "best_bits_per_char": None,
            "corpus": None,
            "problem": error.message,
        }
    return {
        **facts,
        "step": facts["step"] or info.step,
        "elapsed_seconds": info.elapsed_seconds,
        "best_bits_per_char": info.best_bits_per_char,
        "corpus": info.corpus_name,
        "problem": "",
    }


def _state(run: RunFolder) -> dict[str, Any]:
    """Return what a run is doing: as it says itself while it is on, or else how it ended.

    The step is that of a run that is on; None for another.
    """
    if is_in_use(run.journal_path):
        greeting = ask(run)
        if greeting is None:
            return {"state": "on", "reason": "", "step": None, "pid": None}
        return {"state": greeting.phase, "reason": "", "step": greeting.step, "pid": greeting.pid}
    match last_event(run.journal_path):
        case RunFinished(reason=reason):
            return {"state": "finished", "reason": reason, "step": None, "pid": None}
        case RunFailed(title=title):
            return {"state": "failed", "reason": title, "step": None, "pid": None}
        case _:
            return {"state": "cut off", "reason": "", "step": None, "pid": None}


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    """Return a run as cells of the table."""
    return (
        facts["run"],
        "-" if facts["step"] is None else f"{facts['step']:,}",
        "-" if facts["elapsed_seconds"] is None else format_duration(facts["elapsed_seconds"]),
        "-" if facts["best_bits_per_char"] is None else format_bits(facts["best_bits_per_char"]),
        facts["corpus"] or "-",
        datetime.fromtimestamp(facts["last_changed"]).strftime("%Y-%m-%d %H:%M"),
        "can't be resumed" if facts["problem"] else facts["state"],
        facts["reason"].replace("_", " "),
    )
