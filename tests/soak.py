"""`python -m tests.soak --minutes 60`: a long run with clients that attach and detach, checked for leaks.

The screen runs in one terminal, with the default model and a checkpoint every ten seconds; two more terminals attach,
steer and detach repeatedly. Prints memory, descriptors, length of the journal, and how long the saves stop the steps.
Exit code 1 if the training process's memory grew by more than 5 % after the first fifth of the time, or a descriptor, a
thread, a file or a process leaked.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from engine.protocol.events import CheckpointSaved, StepTimes
from engine.storage.journal_reader import read_journal
from tests.cli.program import kill_processes_in, processes_in
from tests.e2e.journals import journal_of
from tests.e2e.terminal import Terminal

RUN = "soak"
MAX_GROWTH, WARM_UP_SHARE = 1.05, 0.2
SAMPLE_SECONDS, VISIT_SECONDS, SETTLING_SECONDS = 2.0, 4.0, 30.0
_OPTIONS = ("--run-name", RUN, "--autosave-seconds", "10", "--threads", "1")
_STEERING = (("+", "-"), ("b", "b"), ("g",), ("space", "space"), ("t", "escape"))


@dataclass(frozen=True)
class Sample:
    """A measurement of the training process."""

    minutes: float
    mebibytes: float
    """Anonymous memory: that of shared libraries depends on other processes."""
    descriptors: int
    threads: int
    journal_megabytes: float
    files: frozenset[str]
    """Names of the files in the data folder (but for its cache), the runtime folder and the temporary folder."""

    def leaks_after(self, before: Sample) -> list[str]:
        """Return what there is more of than before."""
        leaks = [f"new file: {name}" for name in sorted(self.files - before.files)]
        for name in ("descriptors", "threads"):
            first, last = getattr(before, name), getattr(self, name)
            if last > first:
                leaks.append(f"{name}: {first} before the clients attached, {last} after they detached")
        return leaks


@dataclass
class Soak:
    """One run, its clients, the measurements and the problems."""

    base: Path
    minutes: float
    num_clients: int
    samples: list[Sample] = field(default_factory=list)
    num_visits: int = 0
    problems: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    has_ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def home(self) -> Path:
        return self.base / "home"

    def open(self, *arguments: str) -> Terminal:
        runtime, temporary = str(self.base / "run"), str(self.base / "tmp")
        return Terminal(self.home, *arguments, XDG_RUNTIME_DIR=runtime, TMPDIR=temporary)

    def sample(self, trainer: psutil.Process) -> Sample:
        status = Path(f"/proc/{trainer.pid}/status").read_text(encoding="ascii")
        return Sample(
            (time.monotonic() - self.began) / 60,
            int(status.partition("RssAnon:")[2].split()[0]) / 1024,
            trainer.num_fds(),
            trainer.num_threads(),
            journal_of(self.home, RUN).stat().st_size / 1e6,
            frozenset(path.name for path in self.base.rglob("*") if not path.is_dir() and "cache" not in path.parts),
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

    def watch(self, screen: Terminal) -> None:
        """Read and discard the screen's output until the end."""
        while not self.has_ended.is_set():
            read_for(screen, 0.5)

    def measure(self, trainer: psutil.Process) -> None:
        """Measure for the given time; find leaks after the clients have detached, and after the run has ended."""
        end = self.began + 60 * self.minutes
        before = self.sample(trainer)
        while "best.safetensors" not in before.files and time.monotonic() < end:
            time.sleep(0.2)
            before = self.sample(trainer)
        clients = [self.start_thread(partial(self.visit, number)) for number in range(self.num_clients)]
        while time.monotonic() < end and not self.has_ended.wait(SAMPLE_SECONDS):
            self.samples.append(self.sample(trainer))
        self.has_ended.set()
        for client in clients:
            client.join(SETTLING_SECONDS)
        settled(lambda: not self.sample(trainer).leaks_after(before))
        self.samples.append(self.sample(trainer))
        self.problems += self.samples[-1].leaks_after(before)
        trainer.terminate()
        if not settled(lambda: not processes_in(self.home)):
            self.problems.append("a process is still running")
        left = [path for folder in ("run", "tmp") for path in (self.base / folder).rglob("*") if not path.is_dir()]
        self.problems += [f"file left: {path}" for path in left]


def read_for(terminal: Terminal, seconds: float) -> None:
    """Read and discard a terminal's output for some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        terminal.pump()
        terminal.raw.clear()


def settled(condition: Callable[[], bool]) -> bool:
    """Wait for a condition; return whether it was met by the deadline."""
    end = time.monotonic() + SETTLING_SECONDS
    while not condition() and time.monotonic() < end:
        time.sleep(0.2)
    return condition()


def growth(samples: Sequence[Sample], minutes: float) -> float:
    """Return the ratio of the memory in the last and the first quarter of the time after the warm-up."""
    warm = [sample.mebibytes for sample in samples if sample.minutes >= WARM_UP_SHARE * minutes]
    quarter = max(len(warm) // 4, 1)
    return statistics.median(warm[-quarter:]) / statistics.median(warm[:quarter]) if warm else float("inf")


def saving_milliseconds(journal: Path) -> list[float]:
    """Return how long the steps stood still for each checkpoint: the mean between two `StepTimes`."""
    found, count = [], 0
    for event in read_journal(journal):
        if isinstance(event, CheckpointSaved):
            count += 1
        elif isinstance(event, StepTimes) and count:
            found.append(1000 * event.saving_seconds / count)
            count = 0
    return found


def soak(minutes: float, num_clients: int, base: Path) -> Soak:
    """Run the program for that long; return the measurements and problems."""
    for name in ("run", "tmp"):
        (base / name).mkdir(mode=0o700)
    made = Soak(base, minutes, num_clients)
    screen = made.open(*_OPTIONS)
    try:
        screen.wait_for("▶ training")
        [trainer] = psutil.Process(screen._child.pid).children()
        made.start_thread(partial(made.watch, screen))
        made.measure(trainer)
    finally:
        made.has_ended.set()
        screen.close()
        kill_processes_in(made.home)
    return made


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Run for long, and check for leaks.")
    parser.add_argument("--minutes", type=float, default=20, help="duration (20)")
    parser.add_argument("--clients", type=int, default=2, help="number of clients that attach and detach (2)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as base:
        made = soak(arguments.minutes, arguments.clients, Path(base))
        saving = saving_milliseconds(journal_of(made.home, RUN))
    print(" minute     MiB  descriptors  threads  files  journal MB")
    for each in made.samples[:: max(len(made.samples) // 20, 1)]:
        counts = f"{each.descriptors:>12} {each.threads:>8} {len(each.files):>6} {each.journal_megabytes:>11.2f}"
        print(f"{each.minutes:>7.1f} {each.mebibytes:>7.1f} {counts}")
    if saving:
        print(f"a save stops the steps for {statistics.mean(saving):.1f} ms on average, at most {max(saving):.1f}")
    ratio = growth(made.samples, arguments.minutes)
    if ratio > MAX_GROWTH:
        made.problems.append("memory grew")
    print(f"{made.num_visits} visits; memory at the end {ratio:.3f} times that after the warm-up")
    for problem in made.problems:
        print(f"PROBLEM: {problem}")
    print("no leaks" if not made.problems else f"{len(made.problems)} problems")
    return 1 if made.problems else 0


if __name__ == "__main__":
    sys.exit(main())
