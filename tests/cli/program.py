"""Run the command line: in this process, or in a child process for signals, pipes and exit codes."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import psutil
import pytest

from tests.waiting import wait_until
from tui.__main__ import main

T = TypeVar("T")
PROGRAM = (sys.executable, "-m", "tui")
SMALL_MODEL = ("--hidden-size", "8", "--embedding-size", "6", "--threads", "1", "--precision", "float32")
DEADLINE_SECONDS = 60.0
ENDLESS_STEPS = 1_000_000
"""More steps than any test waits for."""


VARYING = {
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?": "DATE",
    r"\b[0-9a-f]{64}\b": "SHA256",
    r"\d+(\.\d+)? ?(B|kB|MB|GB)\b": "SIZE",
    r"\b\d+:\d\d\b": "TIME",
    r"\b\d+\.\d+(\.\d+)*(\+\w+)?( s\b)?": "N",
    r" {2,}": "  ",  # columns are as wide as their figures
}
"""Patterns of what differs from run to run and between machines, and what transcripts show in their place."""


@dataclass(frozen=True)
class Finished:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def error_lines(self) -> list[str]:
        return self.err.splitlines()

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The objects that `--json` printed."""
        return [json.loads(line) for line in self.lines]

    @property
    def object(self) -> dict[str, Any]:
        [only] = self.objects
        return only


def run_program(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """Run a command in this process; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["tweetgen-tui", *map(str, arguments)])
    try:
        main()
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 0
    return 0


class Terminal(io.TextIOWrapper):
    """Standard input or output that is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Cli:
    """Runs commands inside this process, through the same `main` that the console script calls."""

    monkeypatch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def reads(self, content: bytes, *, is_terminal: bool = False) -> None:
        """Give the next commands this standard input."""
        kind = Terminal if is_terminal else io.TextIOWrapper
        self.monkeypatch.setattr("sys.stdin", kind(io.BytesIO(content), "utf-8"))

    def __call__(self, *arguments: str | Path) -> Finished:
        self.capture.readouterr()
        code = run_program(self.monkeypatch, *arguments)
        captured = self.capture.readouterr()
        return Finished(code, captured.out, captured.err)

    def transcript(self, *lines: str, **paths: Path) -> str:
        """Run commands; return each with its output and exit code, and with names in place of paths and figures."""
        shown = []
        for line in lines:
            ended = self.named(line, **paths)
            code = f"exit code {ended.code}\n" if ended.code else ""
            shown.append(f"$ tweetgen-tui {line}\n{ended.out}{ended.err}{code}")
        return without_figures("\n".join(shown))

    def named(self, line: str, **paths: Path) -> Finished:
        """Run a command, which names a path by its key in `paths`, as in "import OUT/x"; its output does so, too."""
        words = [word.replace("NEWLINE", "\n") for word in shlex.split(line)]
        for name, path in paths.items():
            words = [word.replace(name, str(path)) for word in words]
        ended = self(*words)
        for name, path in paths.items():
            ended = Finished(ended.code, ended.out.replace(str(path), name), ended.err.replace(str(path), name))
        return ended


def without_figures(text: str) -> str:
    """Return text with names in place of times, sizes and figures."""
    for pattern, name in VARYING.items():
        text = re.sub(pattern, name, text)
    return text


def sections_of(path: Path) -> dict[str, list[str]]:
    """Return the lines of a file of cases below each heading in brackets."""
    _, *sections = path.read_text(encoding="utf-8").split("\n\n[")
    found = {name: lines.splitlines() for name, lines in (section.split("]\n") for section in sections)}
    assert len(found) == len(sections), path
    return found


class Process:
    """The program in a child process, which `close` kills."""

    def __init__(self, home: Path, *arguments: str | Path, **environment: str) -> None:
        self._errors = tempfile.TemporaryFile("a+", encoding="utf-8")  # noqa: SIM115 - `close` closes it
        self._process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "TWEETGEN_HOME": str(home), **environment},
            encoding="utf-8",
        )
        assert self._process.stdout is not None
        self._out: IO[str] = self._process.stdout
        self._killer = threading.Timer(DEADLINE_SECONDS, self._process.kill)
        self._killer.start()

    def _error_text(self) -> str:
        self._errors.seek(0)
        return self._errors.read()

    def lines(self) -> Iterator[str]:
        """Yield lines of stdout as they come."""
        return iter(self._out)

    def read_events(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Return the next `count` events of a kind, waiting for them."""
        found = (event for line in self.lines() if (event := json.loads(line))["event"] == kind)
        return list(itertools.islice(found, count))

    def read_error_until(self, text: str) -> None:
        """Wait until stderr holds `text`."""
        wait_until(lambda: text in self._error_text(), text)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def send_until_it_ends(self, number: signal.Signals) -> None:
        """Send a signal repeatedly until the process has ended."""
        while self._process.poll() is None:
            self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)

    def stop_reading(self) -> None:
        """Close the reading end of stdout, as `head` does."""
        self._out.close()

    def wait(self) -> Finished:
        """Return exit code and output; the code is -9 if the process was killed at the deadline."""
        rest = "" if self._out.closed else self._out.read()
        return Finished(self._process.wait(), rest, self._error_text())

    def close(self) -> None:
        self._killer.cancel()
        self._process.kill()
        self._process.wait()
        self._out.close()
        self._errors.close()


def read_processes(home: Path, read: Callable[[psutil.Process], T]) -> list[tuple[psutil.Process, T]]:
    """Return the processes whose data folder this is, all but this one, each with what `read` returns of it.

    One that ends meanwhile is left out: psutil raises an error when it is read.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get("TWEETGEN_HOME") == str(home):
                found.append((process, read(process)))
    return found


def processes_in(home: Path) -> list[psutil.Process]:
    """Return the processes whose data folder this is, all but this one."""
    return [process for process, _ in read_processes(home, lambda _: None)]


def kill_processes_in(home: Path) -> None:
    """Kill the processes whose data folder this is, all but this one: a run goes on without its terminal."""
    for process in processes_in(home):
        with contextlib.suppress(psutil.Error):
            process.kill()


def write_tweets(path: Path) -> Path:
    """Write 60 short tweets, one a line."""
    who, when = ("I", "we", "you", "they", "mum"), ("today", "again :)")
    what = ("love the rain", "made a cake", "saw my dog", "got the bus", "slept so late", "won a prize")
    tweets = [" ".join(words) for words in itertools.product(who, what, when)]
    path.write_text("\n".join(tweets) + "\n", encoding="utf-8")
    return path


def assert_two_line_error(finished: Finished, *words: str) -> None:
    """Assert an error with exit code 1: two lines on stderr, nothing on stdout."""
    assert_error_at_the_end(finished, *words)
    assert len(finished.error_lines) == 2, finished.err


def assert_error_at_the_end(finished: Finished, *words: str) -> None:
    """Assert the same of an error during setup, whose two lines follow the progress on stderr."""
    assert finished.code == 1, finished.err
    assert finished.out == ""
    assert "Traceback" not in finished.err
    what, hint = finished.error_lines[-2:]
    assert what.startswith("tweetgen-tui: ")
    assert hint
    for word in words:
        assert word in f"{what}\n{hint}"


def ending_signals() -> Sequence[signal.Signals]:
    return (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
