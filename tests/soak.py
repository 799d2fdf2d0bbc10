"""`python -m tests.soak --minutes 20`: the real program for long, watchers coming and going, and what is left.

The screen in a terminal of its own, a checkpoint every ten seconds, two more terminals that attach, look, steer a
little and detach, by turns. Exit code 1 where the training process's memory grew by more than 5 % after the first
fifth of the time, or a descriptor, a thread, a file or a process was left over.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.cli.program import kill_processes_in, processes_in
from tests.e2e.terminal import Terminal

RUN = "soak"
WARM_UP_SHARE = 0.2
MAX_GROWTH = 1.05
SAMPLE_SECONDS = 2.0
VISIT_SECONDS = 4.0
SETTLING_SECONDS = 30.0
_OPTIONS = ("--run-name", RUN, "--autosave-seconds", "10", "--threads", "1", "--hidden-size", "64")
_STEERING = (("+", "-"), ("b", "b"), ("g",), ("space", "space"), ("t", "escape"))


@dataclass(frozen=True)
class Sample:
    """The training process at one moment."""

    minutes: float
    mebibytes: float
    """Memory that is from no file."""
    num_descriptors: int
    num_threads: int
    files: frozenset[str]
    """In the data folder, the runtime folder and the one for temporary files."""

    @property
    def num_files(self) -> int:
        return len(self.files)


@dataclass
class Soak:
    """One run, its terminals, and what was seen of it."""

    base: Path
    minutes: float
    num_watchers: int
    samples: list[Sample] = field(default_factory=list)
    num_visits: int = 0
    problems: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    is_over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def home(self) -> Path:
        return self.base / "home"

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
            frozenset(path.name for folder in folders for path in folder.rglob("*") if not path.is_dir()),
        )

    def guarded(self, work: Callable[[], None]) -> threading.Thread:
        """Start a thread whose failure ends the soak."""

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - a failed wait is no Exception
                self.problems.append(str(error))
                self.is_over.set()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def visit(self, number: int) -> None:
        """Attach, look, steer a little and detach, again and again."""
        while not self.is_over.is_set():
            terminal = self.open("attach", RUN)
            terminal.wait_for("▶ training|‖ paused")
            look(terminal, VISIT_SECONDS * (1 + number / 2))
            with self.lock:  # or one would pause while the other resumes
                for key in _STEERING[self.num_visits % len(_STEERING)]:
                    terminal.press(key)
                    look(terminal, 0.5)
                self.num_visits += 1
                terminal.wait_for("▶ training")
            terminal.press("d")
            status, _ = terminal.wait_for_exit()
            terminal.close()
            if status:
                raise AssertionError(f"a watcher ended with {status}:\n{terminal.text}")


def anonymous_mebibytes(pid: int) -> float:
    """Return the memory of a process that comes from no file. That of libraries depends on who else has them loaded."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(line.split()[1]) / 1024


def look(terminal: Terminal, seconds: float) -> None:
    """Take in what a screen shows for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        terminal.pump()
        terminal.raw.clear()


def soak(minutes: float, num_watchers: int, base: Path) -> Soak:
    """Let the program run for so long; return what was seen."""
    for name in ("run", "tmp"):
        (base / name).mkdir(mode=0o700)
    made = Soak(base, minutes, num_watchers)
    screen = made.open(*_OPTIONS)
    try:
        screen.wait_for("▶ training")
        [trainer] = psutil.Process(screen._child.pid).children()
        made.guarded(lambda: keep_reading(screen, made.is_over))
        _watch(made, trainer)
    finally:
        made.is_over.set()
        screen.close()
        kill_processes_in(made.home)
    return made


def keep_reading(screen: Terminal, is_over: threading.Event) -> None:
    """Take in what the screen shows until the end."""
    while not is_over.is_set():
        look(screen, 0.5)


def _watch(made: Soak, trainer: psutil.Process) -> None:
    """Sample for the time given, then see what is left once the watchers have gone, and once the run has."""
    end = made.began + 60 * made.minutes
    while "best.safetensors" not in made.sample(trainer).files and time.monotonic() < end:
        time.sleep(0.2)
    before = made.sample(trainer)
    visitors = [made.guarded(lambda number=number: made.visit(number)) for number in range(made.num_watchers)]  # type: ignore[misc] # mypy knows no default here
    while time.monotonic() < end and not made.is_over.wait(SAMPLE_SECONDS):
        made.samples.append(made.sample(trainer))
    made.is_over.set()
    for visitor in visitors:
        visitor.join(SETTLING_SECONDS)
    if not made.problems:
        _look_for_what_is_left(made, trainer, before)


def _look_for_what_is_left(made: Soak, trainer: psutil.Process, before: Sample) -> None:
    """Note what the watchers have left behind, then end the run and note what that has."""
    left = _settled(made, trainer, before)
    made.samples.append(left)
    for name in ("num_descriptors", "num_threads"):
        first, last = getattr(before, name), getattr(left, name)
        if last > first:
            made.problems.append(f"{name.removeprefix('num_')}: {first} before the watchers came, {last} after them")
    if left.files > before.files:
        made.problems.append(f"files that were not there before: {sorted(left.files - before.files)}")
    trainer.terminate()
    end = time.monotonic() + SETTLING_SECONDS
    while processes_in(made.home) and time.monotonic() < end:
        time.sleep(0.2)
    if processes_in(made.home):
        made.problems.append("a process was left over")
    files = [path.name for folder in ("run", "tmp") for path in (made.base / folder).rglob("*") if not path.is_dir()]
    if files:
        made.problems.append(f"files left over: {files}")


def _settled(made: Soak, trainer: psutil.Process, before: Sample) -> Sample:
    """Return the process as it is once no more is open than before, or after a while."""
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


def growth(samples: list[Sample], minutes: float) -> float:
    """Return the memory of the last quarter of the time after the warm-up, as a multiple of the first quarter's."""
    warm = [sample.mebibytes for sample in samples if sample.minutes >= WARM_UP_SHARE * minutes]
    quarter = max(len(warm) // 4, 1)
    return statistics.median(warm[-quarter:]) / statistics.median(warm[:quarter]) if warm else float("inf")


def print_table(made: Soak) -> None:
    """Print a line for each twentieth of the time."""
    print(f"{'minute':>7} {'MiB':>7} {'descriptors':>12} {'threads':>8} {'files':>6}")
    for each in made.samples[:: max(len(made.samples) // 20, 1)]:
        counts = f"{each.num_descriptors:>12} {each.num_threads:>8} {each.num_files:>6}"
        print(f"{each.minutes:>7.1f} {each.mebibytes:>7.1f} {counts}")


def main(given: list[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Run for long, and see what is left.")
    parser.add_argument("--minutes", type=float, default=20, help="how long (20)")
    parser.add_argument("--watchers", type=int, default=2, help="how many attach and leave by turns (2)")
    arguments = parser.parse_args(given)
    minutes = arguments.minutes
    with tempfile.TemporaryDirectory(prefix="soak-") as base:
        made = soak(minutes, arguments.watchers, Path(base))
    print_table(made)
    ratio = growth(made.samples, minutes)
    if ratio > MAX_GROWTH:
        made.problems.append("memory is not flat")
    print(f"{made.num_visits} visits; memory at the end {ratio:.3f} times that after the warm-up")
    for problem in made.problems:
        print(f"PROBLEM: {problem}")
    print("all as it should be" if not made.problems else "not as it should be")
    return 1 if made.problems else 0


if __name__ == "__main__":
    sys.exit(main())
