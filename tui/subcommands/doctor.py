"""`tweetgen-tui doctor`: what the program found on this machine, for a person with a problem and for a bug report."""

from __future__ import annotations

import contextlib
import locale
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from engine import folders, preflight
from engine.errors import StorageError
from engine.versions import versions_of
from tui.tables import print_facts, print_json

_PACKAGES = (
    *("tweetgen-tui", "torch", "textual", "textual-plot", "rich", "typer", "numpy", "safetensors", "msgspec", "httpx"),
    *("numba", "pyarrow", "libipld"),
)


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Show versions, devices, threads, folders and what the terminal can do."""
    report = {
        "versions": versions_of(*_PACKAGES),
        "machine": _machine(),
        "folders": _folders(),
        "terminal": _terminal(),
    }
    if as_json:
        print_json(report)
        return
    for number, (heading, facts) in enumerate(report.items()):
        sys.stdout.write(("\n" if number else "") + heading + "\n")
        print_facts((f"  {name.replace('_', ' ')}", _shown(value)) for name, value in facts.items())


def _machine() -> dict[str, Any]:
    """Return what a run would be computed on."""
    import torch

    from engine.calibration import thread_counts
    from engine.config import RuntimeConfig
    from engine.runtime import Runtime, available_cores, has_fast_bfloat16

    chosen = Runtime.resolve(RuntimeConfig())
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return {
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "cores": available_cores(),
        "device": str(chosen.device),
        "threads_to_try": ", ".join(str(count) for count in thread_counts(available_cores())),
        "bfloat16": has_fast_bfloat16(),
        "cuda": ", ".join(gpus) or "no",
        "mps": torch.backends.mps.is_available(),
    }


def _folders() -> dict[str, Any]:
    """Return where things are kept, and whether they can be."""
    try:
        preflight.check_storage()
        problem = ""
    except StorageError as error:
        problem = error.message
    free = shutil.disk_usage(folders.home()).free if folders.home().exists() else 0
    return {
        "data": str(folders.home()),
        "writable": problem or True,
        "free_gigabytes": round(free / 1e9, 1),
        "runs": len(folders.list_runs()),
        "cache": str(folders.cache_folder()),
        "cache_megabytes": round(_bytes_below(folders.cache_folder()) / 1e6, 1),
    }


def _bytes_below(folder: Path) -> int:
    """Return the size of all files in a folder; one that vanishes meanwhile counts for nothing."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def _terminal() -> dict[str, Any]:
    """Return what is known of the terminal."""
    size = shutil.get_terminal_size()
    return {
        "term": os.environ.get("TERM", ""),
        "size": f"{size.columns}x{size.lines}",
        "is_terminal": sys.stderr.isatty(),
        "colours": "none (NO_COLOR)" if os.environ.get("NO_COLOR") else os.environ.get("COLORTERM") or "as TERM says",
        "encoding": locale.getpreferredencoding(do_setlocale=False),
        "inside_tmux": "TMUX" in os.environ,
    }


def _shown(value: Any) -> str:  # noqa: ANN401 - a JSON value
    """Return a value as a person reads it."""
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
