"""Runs `tweetgen-tui train` in a process of its own, and has it save its weights at fixed moments after the command."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from engine.errors import RemoteError, TweetgenError
from engine.protocol import events
from engine.protocol.commands import SaveCheckpoint
from engine.storage.folders import SUFFIX, RunFolder, cache_folder
from tui.process.own_program import own_module
from tui.remote.client import RemoteBridge

if TYPE_CHECKING:  # they import torch
    from engine.bench.first_words import WatchedRun
    from engine.protocol.stage import OnProgress

_RUN_NAME = "watched"
_ERRORS = "errors"
"""The file for what the process prints to stderr."""
_STOP_SECONDS = 30.0
"""After which a process that does not end is killed."""


@dataclass(kw_only=True)
class _Output:
    """What the process has printed so far; set by the thread that reads it."""

    last_name: str
    """The name of the last checkpoint asked for."""
    first_step_at: float | None = None
    """As `time.monotonic()`."""
    failure: events.RunFailed | None = None
    has_started: threading.Event = field(default_factory=threading.Event)
    """Also set at the end."""
    has_saved_last: threading.Event = field(default_factory=threading.Event)
    """Also set at the end."""
    is_over: threading.Event = field(default_factory=threading.Event)

    def read(self, lines: IO[str]) -> None:
        """Read the events to the end. The thread's body."""
        for line in lines:
            match events.from_json(line.encode()):
                case events.RunStarted():
                    self.has_started.set()
                case events.StepsFinished() if self.first_step_at is None:
                    self.first_step_at = time.monotonic()
                case events.CheckpointSaved(name=self.last_name):
                    self.has_saved_last.set()
                case events.RunFailed() as failure:
                    self.failure = failure
                    break
        for event in (self.is_over, self.has_started, self.has_saved_last):
            event.set()


def watch_run(
    options: Sequence[str], seconds: float, home: Path, on_progress: OnProgress, python: str = sys.executable
) -> WatchedRun:
    """Train with these options of `train` until `seconds` after the command; `home` is an empty data folder.

    The corpus cache is the user's. `python` is the interpreter of the version to be measured. Raises `TweetgenError`
    where the run fails.
    """
    from engine.bench.first_words import MOMENTS, WatchedRun

    _share_cache(home)
    moments = [moment for moment in MOMENTS if moment < seconds] + [seconds]
    output, began = _Output(last_name=_name(seconds)), time.monotonic()
    with _process(options, home, python) as process:
        reader = threading.Thread(target=output.read, args=(process.stdout,), daemon=True)
        reader.start()
        output.has_started.wait(seconds)
        bridge = RemoteBridge(RunFolder(home / "runs" / _RUN_NAME))
        if output.has_started.is_set() and not output.is_over.is_set():
            bridge.connect()
        for moment in moments:
            on_progress(moment / seconds, "training")
            _wait(output, began + moment)
            if output.first_step_at is not None:
                bridge.send(SaveCheckpoint(name=_name(moment)))
        if output.first_step_at is not None:
            output.has_saved_last.wait(_STOP_SECONDS)  # a signal overtakes a command
        has_ended_early = output.is_over.is_set()
        process.terminate()  # it ends once all is saved; a background job of a script ignores interrupts
        _wait_for_end(process)
        bridge.leave()
        reader.join()
    if output.failure is not None:
        raise TweetgenError(output.failure.detail, output.failure.hint)
    if has_ended_early:
        raise _printed_error(home)
    checkpoints = {moment: home / "checkpoints" / (_name(moment) + SUFFIX) for moment in moments}
    if output.first_step_at is None or not checkpoints[seconds].exists():
        raise RemoteError(f"The run took no step in {seconds:g} s.", "Set a larger --seconds.")
    return WatchedRun(
        first_step_seconds=output.first_step_at - began,
        checkpoints={moment: path if path.exists() else None for moment, path in checkpoints.items()},
    )


def _wait(output: _Output, until: float) -> None:
    """Wait until this time of `time.monotonic()`, or the end of the run."""
    output.is_over.wait(max(0.0, until - time.monotonic()))


def _printed_error(home: Path) -> TweetgenError:
    """Return the error that the process has printed at its end: "tweetgen-tui: MESSAGE", and a line with the hint."""
    _, _, text = (home / _ERRORS).read_text(encoding="utf-8", errors="replace").rpartition("tweetgen-tui: ")
    message, _, hint = text.strip().partition("\n")
    return TweetgenError(message or "The run ended too early.", hint)


def _wait_for_end(process: subprocess.Popen[str]) -> None:
    """Wait until the process has saved and ended. Raises `RemoteError`."""
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise RemoteError(f"The run did not end within {_STOP_SECONDS:g} s of the request to.") from error


def _name(seconds: float) -> str:
    return f"after-{seconds:g}"


def _share_cache(home: Path) -> None:
    """Let the data folder `home` use this user's cache: reading the corpus for the first time is not measured."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    (home / "cache").symlink_to(cache_folder().resolve(), target_is_directory=True)


@contextlib.contextmanager
def _process(options: Sequence[str], home: Path, python: str) -> Iterator[subprocess.Popen[str]]:
    """Start the run, and kill what is left of it at the end."""
    with (home / _ERRORS).open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - no shell: the program itself, with options checked by `bench`
            [*own_module("tui", python), "train", "--json", "--run-name", _RUN_NAME, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "TWEETGEN_HOME": str(home)},
            text=True,
        )
    with process:  # which waits for its end
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
