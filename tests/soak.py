"""`python -m tests.soak --minutes 60`: a long run with clients that attach and detach, checked for leaks.

The screen runs in one terminal, with the default model and a checkpoint every ten seconds; two more terminals attach,
steer and detach repeatedly. Prints memory, descriptors, length of the journal, and how long the saves stop the steps.
Exit code 1 if the training process's memory grew by more than 5 % after the first fifth of the time, or a descriptor, a
thread, a file or a process leaked.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from engine.storage.journal_reader import last_event
from tests.cli.program import kill_processes_in, processes_in
from tests.e2e.terminal import Terminal
from tests.soak_samples import Sample, Save, anonymous_mebibytes, growth, print_table, saves_in

RUN = "soak"
MAX_GROWTH = 1.05
SAMPLE_SECONDS = 2.0
VISIT_SECONDS = 4.0
SETTLING_SECONDS = 30.0
_OPTIONS = ("--run-name", RUN, "--autosave-seconds", "10", "--threads", "1")
_STEERING = (("+", "-"), ("b", "b"), ("g",), ("space", "space"), ("t", "escape"))


@dataclass
class Soak:
    """One run, its clients, the measurements and the problems."""

    base: Path
    minutes: float
    num_clients: int
    samples: list[Sample] = field(default_factory=list)
    saves: list[Save] = field(default_factory=list)
    num_visits: int = 0
    problems: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    has_ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def journal(self) -> Path:
        return self.home / "runs" / RUN / "events.jsonl"

    def open(self, *arguments: str) -> Terminal:
        runtime, temporary = str(self.base / "run"), str(self.base / "tmp")
        return Terminal(self.home, *arguments, XDG_RUNTIME_DIR=runtime, TMPDIR=temporary)

    def sample(self, trainer: psutil.Process) -> Sample:
        folders = (self.home, self.base / "run", self.base / "tmp")
        return Sample(
            (time.monotonic() - self.began) / 60,
            anonymous_mebibytes(trainer.pid),
            trainer.num_fds(),
            trainer.num_threads(),
            self.journal.stat().st_size / 1e6,
            last.elapsed_seconds if (last := last_event(self.journal)) is not None else 0.0,
            frozenset(path.name for folder in folders for path in folder.rglob("*") if not path.is_dir()),
        )

    def start_thread(self, work: Callable[[], None]) -> threading.Thread:
        """Start a thread; an exception in it is a problem and ends the soak."""

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - pytest.fail raises no Exception
                self.problems.append(str(error))
                self.has_ended.set()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def visit(self, number: int) -> None:
        """Attach, watch, steer and detach, repeatedly until the end."""
        while not self.has_ended.is_set():
            terminal = self.open("attach", RUN)
            terminal.wait_for("▶ training|‖ paused")
            read_for(terminal, VISIT_SECONDS * (1 + number / 2))
            with self.lock:  # otherwise one might pause while another resumes
                for key in _STEERING[self.num_visits % len(_STEERING)]:
                    terminal.press(key)
                    read_for(terminal, 0.5)
                self.num_visits += 1
                terminal.wait_for("▶ training")
            terminal.press("d")
            status, _ = terminal.wait_for_exit()
            terminal.close()
            if status:
                raise AssertionError(f"a client ended with {status}:\n{terminal.text}")


def read_for(terminal: Terminal, seconds: float) -> None:
    """Read and discard a terminal's output for some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        terminal.pump()
        terminal.raw.clear()


def soak(minutes: float, num_clients: int, base: Path) -> Soak:
    """Run the program for that long; return the measurements and problems."""
    for name in ("run", "tmp"):
        (base / name).mkdir(mode=0o700)
    made = Soak(base, minutes, num_clients)
    screen = made.open(*_OPTIONS)
    try:
        screen.wait_for("▶ training")
        [trainer] = psutil.Process(screen._child.pid).children()
        made.start_thread(lambda: read_until_end(screen, made.has_ended))
        _measure(made, trainer)
    finally:
        made.has_ended.set()
        screen.close()
        kill_processes_in(made.home)
    return made


def read_until_end(screen: Terminal, has_ended: threading.Event) -> None:
    """Read and discard the screen's output until the end."""
    while not has_ended.is_set():
        read_for(screen, 0.5)


def _measure(made: Soak, trainer: psutil.Process) -> None:
    """Measure for the given time, then check for leaks after the clients have detached and after the run has ended."""
    end = made.began + 60 * made.minutes
    while "best.safetensors" not in made.sample(trainer).files and time.monotonic() < end:
        time.sleep(0.2)
    before = made.sample(trainer)
    clients = [made.start_thread(lambda number=number: made.visit(number)) for number in range(made.num_clients)]  # type: ignore[misc] # mypy knows no default here
    while time.monotonic() < end and not made.has_ended.wait(SAMPLE_SECONDS):
        made.samples.append(made.sample(trainer))
    made.has_ended.set()
    for client in clients:
        client.join(SETTLING_SECONDS)
    if not made.problems:
        _check_leaks(made, trainer, before)


def _check_leaks(made: Soak, trainer: psutil.Process, before: Sample) -> None:
    """Record what the clients have leaked, then end the run and record what that has leaked."""
    left = _settled(made, trainer, before)
    made.samples.append(left)
    for name in ("num_descriptors", "num_threads"):
        first, last = getattr(before, name), getattr(left, name)
        if last > first:
            made.problems.append(
                f"{name.removeprefix('num_')}: {first} before the clients attached, {last} after they detached"
            )
    if left.files > before.files:
        made.problems.append(f"new files: {sorted(left.files - before.files)}")
    trainer.terminate()
    end = time.monotonic() + SETTLING_SECONDS
    while processes_in(made.home) and time.monotonic() < end:
        time.sleep(0.2)
    if processes_in(made.home):
        made.problems.append("a process is still running")
    made.saves = list(saves_in(made.journal))
    files = [path.name for folder in ("run", "tmp") for path in (made.base / folder).rglob("*") if not path.is_dir()]
    if files:
        made.problems.append(f"files left: {files}")


def _settled(made: Soak, trainer: psutil.Process, before: Sample) -> Sample:
    """Return a measurement once nothing exceeds the one before, or at the deadline."""
    end = time.monotonic() + SETTLING_SECONDS
    left = made.sample(trainer)
    while time.monotonic() < end and (
        left.num_descriptors > before.num_descriptors
        or left.num_threads > before.num_threads
        or left.num_files > before.num_files
    ):
        time.sleep(0.2)
        left = made.sample(trainer)
    return left


def main(given: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Run for long, and check for leaks.")
    parser.add_argument("--minutes", type=float, default=20, help="duration (20)")
    parser.add_argument("--clients", type=int, default=2, help="number of clients that attach and detach (2)")
    arguments = parser.parse_args(given)
    minutes = arguments.minutes
    with tempfile.TemporaryDirectory(prefix="soak-") as base:
        made = soak(minutes, arguments.clients, Path(base))
    print_table(made.samples, made.saves)
    ratio = growth(made.samples, minutes)
    if ratio > MAX_GROWTH:
        made.problems.append("memory grew")
    print(f"{made.num_visits} visits; memory at the end {ratio:.3f} times that after the warm-up")
    for problem in made.problems:
        print(f"PROBLEM: {problem}")
    print("no leaks" if not made.problems else f"{len(made.problems)} problems")
    return 1 if made.problems else 0


if __name__ == "__main__":
    sys.exit(main())
