"""Compares two checkouts run by run: losses, tweets, evaluations and checkpoints, bit for bit, on this machine.

    python -m tools.golden OLD [NEW] [--only NAME ...] [--store FOLDER]

For changes that must not change behaviour. Each run is made by the program of each checkout, with its own Python
(`.venv/bin/python`) and its own data folder. Both run on the same machine, as rounding differs between machines. Where
a run needs commands at exact steps or a fault, `golden_driver.py` runs the program. With `--store`, the runs of OLD are
kept there and used again, as long as its commit, its packages, this tool and the machine are the same.

Compared are the events of `EVENTS`, what `generate` and `evaluate` print, and the tensors of all checkpoints; not
compared are times, messages, the moments of saves, metadata of checkpoints and journals. What changes its name on
purpose is a row of `RENAMED_FIELDS` or `RENAMED_TENSORS`. Exits with 1 on any difference or failure.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import platform
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.golden_runs import RUNS, TWEETS, Run

DRIVER = Path(__file__).with_name("golden_driver.py")
TIMEOUT_SECONDS = 300.0
"""Of one process: compiling for new sizes on a busy machine takes up to a minute."""
NUM_JOBS = 2
"""Runs at a time."""
ALL = ("*",)
EVENTS: dict[str, tuple[str, ...]] = {
    "RunStarted": (
        *("num_train_tweets", "num_val_tweets", "vocab_size", "num_parameters", "is_warm_start", "epochs"),
        *("num_rows", "dropped", "model", "training", "sampling"),
    ),
    "EvalFinished": ("val_loss", "bits_per_char", "is_best", "is_early"),
    "TweetSampled": (
        *("text", "temperature", "reached_eos", "bits_per_char", "novelty", "copied_share", "char_bits", "prime"),
        *("num_drafts", "refused", "unmet"),
    ),
    "LadderSampled": ALL,
    "TextCompleted": ALL,
    "TweetRead": ALL,
    "StepTaken": ALL,
    "BatchShown": ALL,
    "TextTraced": ALL,
    "ReachMeasured": ALL,
    "UnitsScored": ALL,
    "UnitHeld": ALL,
    "EmbeddingsMapped": ALL,
    "BaselinesMeasured": ALL,
    "CheckpointLoaded": ("name", "bits_per_char", "epochs"),
    "ModelChanged": ("model", "num_parameters"),
    "SettingsChanged": ALL,
    "FinishPlanned": ("last_step",),
    "Paused": (),
    "Resumed": (),
    "Warned": ("kind",),
    "CommandRefused": ("title",),
    "RunFinished": ("reason", "total_chars"),
    "RunFailed": ("title", "detail"),
}
"""The compared fields of each event, besides its step; those that are not listed depend on the clock. `StepsFinished`
are compared step by step, however many of them an event has."""
RENAMED_FIELDS: dict[str, str] = {}
"""Names of fields on the old side, and those on the new side."""
RENAMED_TENSORS: dict[str, str] = {}
"""Names of tensors in the checkpoints of the old side, and those of the new side."""
STEP_FIELDS = {"train_loss": "train_losses", "grad_norm": "grad_norms", "learning_rate": "learning_rates"}
MISSING = object()


class FailedRunError(Exception):
    """A run ended otherwise than it should; the message says how."""


# Running --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Checkout:
    """One side: a checkout and its Python."""

    path: Path

    @property
    def python(self) -> Path:
        """The Python in its `.venv`."""
        return self.path / ".venv/bin/python"

    @property
    def fingerprint(self) -> str:
        """What the results of this side depend on, or "" where changed files make that unknown."""
        git = ("git", "-C", self.path, "rev-parse", "HEAD"), ("git", "-C", self.path, "status", "--porcelain")
        head, changed = (subprocess.run(each, capture_output=True, text=True, check=False).stdout for each in git)  # noqa: S603 - git
        if not head or changed:
            return ""
        program = "from importlib.metadata import distributions as d; print(sorted((e.name, e.version) for e in d()))"
        packages = subprocess.run((self.python, "-c", program), capture_output=True, check=True).stdout  # noqa: S603 - the user's Python
        cpu = Path("/proc/cpuinfo")
        models = {line for line in cpu.read_text().splitlines() if line.startswith(("model name", "flags"))}
        machine = repr((platform.uname(), sorted(models))) if cpu.exists() else repr(platform.uname())
        tool = b"".join(path.read_bytes() for path in sorted(DRIVER.parent.glob("golden*.py")))
        parts = (head.encode(), packages, machine.encode(), tool)
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

    def run(self, run: Run, home: Path) -> dict[str, Any]:
        """Make a run in a new data folder; return what it reported. Raises `FailedRunError`."""
        home.mkdir(parents=True)
        for name, tweets in TWEETS.items():
            (home / name).write_text("\n".join(tweets) + "\n", encoding="utf-8")
        events: list[dict[str, Any]] = []
        outputs: list[Any] = []
        for call in run.calls:
            program = ("-m", "tui") if call.script is None else (DRIVER, json.dumps(call.script))
            found = self._call((self.python, *program, *call.arguments), home, call.exit_code)
            for line in map(json.loads, found.splitlines()):
                (events if "event" in line else outputs).append(line)
        return {"steps": [*steps_of(events)], "events": [*compared(events)], "outputs": outputs}

    def _call(self, command: tuple[str | Path, ...], home: Path, exit_code: int) -> str:
        """Run a program of this checkout; return its output. Raises `FailedRunError`."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("TWEETGEN_", "OMP_"))}
        env = {**own, "TWEETGEN_HOME": str(home), "PYTHONPATH": str(self.path), "CUDA_VISIBLE_DEVICES": ""}
        with subprocess.Popen(  # noqa: S603 - the program of the checkout
            command,
            cwd=home,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                output, errors = process.communicate(timeout=TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                raise FailedRunError(f"not finished after {TIMEOUT_SECONDS:.0f} seconds") from None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode != exit_code:
            raise FailedRunError(f"exit code {process.returncode}: {' / '.join(errors.splitlines()[-3:])}")
        return output


def steps_of(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield each step with its loss, gradient norm and learning rate."""
    for event in events:
        if event["event"] == "StepsFinished":
            for place, step in enumerate(range(event["first_step"], event["step"] + 1)):
                yield {"event": "step", "step": step} | {name: event[of][place] for name, of in STEP_FIELDS.items()}


def compared(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what is compared of each event."""
    for event in events:
        name = event["event"]
        is_timed = str(event.get("kind")).startswith("disk") or event.get("is_complete") is False  # by a busy machine
        if name in EVENTS and not is_timed:
            names = event.keys() - {"event", "step", "elapsed_seconds"} if EVENTS[name] == ALL else EVENTS[name]
            yield {"event": name, "step": event["step"]} | {each: event.get(each) for each in sorted(names)}


def made(side: Checkout, run: Run, folder: Path, fingerprint: str) -> dict[str, Any] | str:
    """Return the result of a run, stored in this folder or made now; or how it failed."""
    file, home = folder / "result.json", folder / "home"
    if file.exists() and fingerprint:
        stored = json.loads(file.read_text(encoding="utf-8"))
        if stored.pop("fingerprint") == fingerprint:
            return dict(stored)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        result = side.run(run, home)
    except FailedRunError as error:
        return str(error)
    file.write_text(json.dumps({**result, "fingerprint": fingerprint}), encoding="utf-8")
    return result


# Comparing ------------------------------------------------------------------------------------------------------------


def first_difference(old: Any, new: Any, place: str = "") -> str:  # noqa: ANN401 - JSON values
    """Return the first place where two JSON values differ, with both values; "" if there is none."""
    if isinstance(old, dict) and isinstance(new, dict):
        old = {RENAMED_FIELDS.get(name, name): value for name, value in old.items()}
        pairs = ((f"{place}.{name}", old.get(name, MISSING), new.get(name, MISSING)) for name in {**old, **new})
    elif isinstance(old, list) and isinstance(new, list):
        both = itertools.zip_longest(old, new, fillvalue=MISSING)
        pairs = ((_place_of(each, place, number), *each) for number, each in enumerate(both))
    else:
        return "" if repr(old) == repr(new) else f"{place}: {_shown(old)} | {_shown(new)}"
    return next(filter(None, (first_difference(a, b, where) for where, a, b in pairs)), "")


def _place_of(items: tuple[Any, Any], place: str, number: int) -> str:
    """Return the name of an item of a list: an event by its name and step, else by its number."""
    item = items[1] if items[0] is MISSING else items[0]
    return f"{item['event']} {item['step']}" if isinstance(item, dict) and "event" in item else f"{place}[{number}]"


def _shown(value: Any) -> str:  # noqa: ANN401 - a JSON value
    text = "missing" if value is MISSING else repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."


Tensor = tuple[str, list[int], bytes]
"""Its type, shape and bytes."""


def tensors_in(home: Path, renamed: Mapping[str, str]) -> dict[str, Tensor]:
    """Return the tensors of all checkpoints in a data folder, by the place of the checkpoint and their new names."""
    found = {}
    for path in sorted(path for path in home.rglob("*.safetensors") if "cache" not in path.parts):
        content = path.read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:start])
        header.pop("__metadata__", None)
        for name, spec in sorted(header.items()):
            first, last = (start + offset for offset in spec["data_offsets"])
            found[f"{path.relative_to(home)}: {renamed.get(name, name)}"] = (
                spec["dtype"],
                spec["shape"],
                content[first:last],
            )
    return found


def tensor_difference(old: Tensor | None, new: Tensor | None) -> str:
    """Return the first difference between two tensors, or ""; None is one that a side lacks."""
    if old is None or new is None:
        return f"only in {'NEW' if old is None else 'OLD'}"
    (dtype, shape, content), (new_dtype, new_shape, new_content) = old, new
    if (dtype, shape) != (new_dtype, new_shape):
        return f"{dtype}{shape} | {new_dtype}{new_shape}"
    if content == new_content:
        return ""
    values, new_values = _values(dtype, content), _values(dtype, new_content)
    size = len(content) // len(values)
    parts = (slice(at, at + size) for at in range(0, len(content), size))
    places = [place for place, part in enumerate(parts) if content[part] != new_content[part]]
    shown = f"{values[places[0]]!r} | {new_values[places[0]]!r}"
    return f"[{places[0]} of {len(values)}]: {shown} ({len(places)} values differ)"


def _values(dtype: str, content: bytes) -> tuple[Any, ...]:
    """Return the values of a tensor; those of types without a form in Python as integers."""
    letter = {"F64": "d", "F32": "f", "F16": "e", "BF16": "H", "I64": "q", "I32": "i"}.get(dtype, "B")
    return struct.unpack(f"<{len(content) // struct.calcsize(letter)}{letter}", content)


def difference(old: dict[str, Any] | str, new: dict[str, Any] | str, folders: tuple[Path, Path]) -> str:
    """Return the first difference between two results and the checkpoints in their folders, or ""."""
    failed = [f"{side} failed: {each}" for side, each in (("OLD", old), ("NEW", new)) if isinstance(each, str)]
    if isinstance(old, str) or isinstance(new, str):
        return "; ".join(failed)
    for part in ("steps", "events", "outputs"):
        if found := first_difference(old[part], new[part], part):
            return found
    before, after = tensors_in(folders[0] / "home", RENAMED_TENSORS), tensors_in(folders[1] / "home", {})
    for name in sorted({**before, **after}):
        if found := tensor_difference(before.get(name), after.get(name)):
            return f"{name}: {found}"
    return ""


# The command ----------------------------------------------------------------------------------------------------------


def main() -> int:
    """Compare two checkouts, print a line for each run, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", type=Path, metavar="OLD", help="a checkout that behaves as it should")
    parser.add_argument("new", type=Path, metavar="NEW", nargs="?", default=Path(), help="the changed one; default: .")
    parser.add_argument("--only", nargs="+", choices=[run.name for run in RUNS], metavar="NAME", help="these runs only")
    parser.add_argument("--store", type=Path, metavar="FOLDER", help="keep the runs of OLD there, and use them again")
    given = parser.parse_args()
    sides = Checkout(given.old.resolve()), Checkout(given.new.resolve())
    runs = [run for run in RUNS if not given.only or run.name in given.only]
    num_differences = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="golden-") as temporary, ThreadPoolExecutor(NUM_JOBS) as pool:
        roots = (given.store or Path(temporary, "old")).absolute(), Path(temporary, "new")
        fingerprint = sides[0].fingerprint if given.store else ""
        jobs: list[list[Future[dict[str, Any] | str]]] = [
            [
                pool.submit(made, sides[0], run, roots[0] / run.name, fingerprint),
                pool.submit(made, sides[1], run, roots[1] / run.name, ""),
            ]
            for run in runs
        ]
        try:
            for run, (old, new) in zip(runs, jobs, strict=True):
                folders = roots[0] / run.name, roots[1] / run.name
                found = difference(old.result(), new.result(), folders)
                num_differences += bool(found)
                print(f"{run.name:<10} {found or 'equal'}", flush=True)
                shutil.rmtree(folders[1], ignore_errors=True)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    summary = f"{num_differences} of {len(runs)} runs differ" if num_differences else f"all {len(runs)} runs are equal"
    print(f"{summary}, {time.monotonic() - began:.0f} s")
    return 1 if num_differences else 0


if __name__ == "__main__":
    sys.exit(main())
