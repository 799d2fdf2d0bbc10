"""The list of runs: the facts of each as `runs list --json` has them, and as the row of a table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.checkpoints.format import read_info
from engine.config.run import BUDGETS
from engine.errors import CheckpointError
from engine.protocol.codec import DecodeError, decode
from engine.protocol.events import RunFailed, RunFinished
from engine.storage.files import is_locked
from engine.storage.folders import RunFolder
from engine.storage.journal import last_event
from tui.process.attached import read_greeting
from tui.process.protocol import Greeting
from tui.process.torchrun import restarting_agent
from tui.text.numbers import format_bits, format_duration

_ENDED = {"finished", "failed", "cut off"}


def facts_of(run: RunFolder) -> dict[str, Any]:
    """Return the row of a run: from its process while it is active, else from checkpoint and journal.

    The problem is why a run that has ended can't be resumed. One that is active will save a `latest`: the first comes
    some time after the run's folder and socket.
    """
    facts: dict[str, Any] = {"run": run.name, "path": str(run.path), "last_changed": run.last_changed}
    figures: dict[str, float | None] = {"step": None, "elapsed_seconds": None, "best_bits_per_char": None}
    corpus, problem = None, ""
    greeting = read_greeting(run)
    state = _state(run, greeting)
    try:
        info, _ = read_info(run.checkpoint_path("latest"))
    except CheckpointError as error:
        problem = error.message if state["state"] in _ENDED else ""
    else:
        figures = {
            "step": info.step,
            "elapsed_seconds": info.elapsed_seconds,
            "best_bits_per_char": info.progress.best_bits_per_char,
        }
        corpus = info.corpus_name
    if greeting is not None:
        figures = {name: getattr(greeting, name) for name in figures}
        corpus = greeting.corpus or corpus
    pid = None if greeting is None else greeting.pid
    ranks = _ranks_of(run)
    return {
        **facts,
        **state,
        "pid": pid,
        **figures,
        "corpus": corpus,
        "world_size": ranks.world_size,
        "backend": ranks.backend,
        "problem": problem,
    }


@dataclass(frozen=True, kw_only=True)
class _Ranks:
    """The processes of a run's last session; the defaults are for a `config.json` that can't be read."""

    world_size: int = 1
    backend: str = ""


def _ranks_of(run: RunFolder) -> _Ranks:
    """Return how many processes trained in the last session, as its `config.json` records it."""
    try:
        return decode(run.config_path.read_bytes(), _Ranks)
    except (OSError, DecodeError):
        return _Ranks()


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
    ranks = f"{facts['world_size']} {facts['backend']}"
    return (
        facts["run"],
        "-" if facts["step"] is None else f"{facts['step']:,}",
        "-" if facts["elapsed_seconds"] is None else format_duration(facts["elapsed_seconds"]),
        "-" if facts["best_bits_per_char"] is None else format_bits(facts["best_bits_per_char"]),
        facts["corpus"] or "-",
        *((ranks,) if has_ranks else ()),
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
