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
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.protocol.events import CheckpointSaved, StepTimes
from engine.storage.journal import read_journal
from tests.cli.program import kill_processes_in, processes_in
from tests.e2e.terminal import Terminal, journal_of
from tests.waiting import becomes_true

RUN = "soak"
MAX_GROWTH, WARM_UP_SHARE = 1.05, 0.2
VISIT_SECONDS, SETTLING_SECONDS = 4.0, 30.0
_OPTIONS = ("--run-name", RUN, "--autosave-seconds", "10", "--threads", "1", "--patience", "0")
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
    files: frozenset[Path]
    """Files in the data folder (but for its cache), the runtime folder and the temporary folder."""

    def leaks_after(self, before: Sample) -> list[str]:
        """Return what there is more of than before."""
        leaks = [f"new file: {path}" for path in sorted(self.files - before.files)]
        for name in ("descriptors", "threads"):
            first, last = getattr(before, name), getattr(self, name)
            if last > first:
                leaks.append(f"{name}: {first} before the clients attached, {last} after they detached")
        return leaks


class Soak:
    """A run with its screen, and the clients that visit it."""

    def __init__(self, base: Path, num_clients: int) -> None:
        for name in ("run", "tmp"):
            (base / name).mkdir(mode=0o700)
        self.base, self.home = base, base / "home"
        self.began = time.monotonic()
        self.num_clients, self.num_visits = num_clients, 0
        self.screen = self.open(*_OPTIONS)
        self.screen.wait_for("▶ training")
        [self.trainer] = psutil.Process(self.screen._child.pid).children()

    def open(self, *arguments: str) -> Terminal:
        runtime, temporary = str(self.base / "run"), str(self.base / "tmp")
        return Terminal(self.home, *arguments, XDG_RUNTIME_DIR=runtime, TMPDIR=temporary)

    def files(self) -> frozenset[Path]:
        return frozenset(path for path in self.base.rglob("*") if not path.is_dir() and "cache" not in path.parts)

    def sample(self) -> Sample:
        status = Path(f"/proc/{self.trainer.pid}/status").read_text(encoding="ascii")
        return Sample(
            (time.monotonic() - self.began) / 60,
            int(status.partition("RssAnon:")[2].split()[0]) / 1024,
            self.trainer.num_fds(),
            self.trainer.num_threads(),
            journal_of(self.home, RUN).stat().st_size / 1e6,
            self.files(),
        )

    def read_for(self, seconds: float, *clients: Terminal) -> None:
        """Read and discard the output of all terminals for some seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for terminal in (self.screen, *clients):
                terminal.pump()
                terminal.raw.clear()

    def visit(self) -> None:
        """Attach with all clients, watch, steer with one of them, and detach."""
        clients = [self.open("attach", RUN) for _ in range(self.num_clients)]
        for client in clients:
            client.wait_for("▶ training")
        self.read_for(VISIT_SECONDS, *clients)
        for key in _STEERING[self.num_visits % len(_STEERING)] if clients else ():
            clients[0].press(key)
            self.read_for(0.5, *clients)
        for client in clients:
            client.wait_for("▶ training")
            client.press("d")
            client.assert_ends(0)
            client.close()
            self.num_visits += 1

    def measure(self, minutes: float) -> tuple[list[Sample], list[str]]:
        """Visit and measure for the given time; return the samples and what leaked, also after the end of the run."""
        while not any(path.name == "best.safetensors" for path in self.files()):  # all kinds of files are there then
            self.read_for(0.2)
        self.began = time.monotonic()
        end = self.began + 60 * minutes
        before = self.sample()
        samples = []
        while time.monotonic() < end:
            self.visit()
            samples.append(self.sample())
        becomes_true(lambda: not self.sample().leaks_after(before), SETTLING_SECONDS)
        samples.append(self.sample())
        problems = samples[-1].leaks_after(before)
        self.trainer.terminate()
        if not becomes_true(lambda: not processes_in(self.home), SETTLING_SECONDS):
            problems.append("a process is still running")
        return samples, problems + [f"file left: {path}" for path in self.files() if self.home not in path.parents]


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


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Run for long, and check for leaks.")
    parser.add_argument("--minutes", type=float, default=20, help="duration after the first evaluation (20)")
    parser.add_argument("--clients", type=int, default=2, help="number of clients that attach and detach (2)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as base:
        soak = Soak(Path(base), arguments.clients)
        try:
            samples, problems = soak.measure(arguments.minutes)
        finally:
            soak.screen.close()
            kill_processes_in(soak.home)
        saving = saving_milliseconds(journal_of(soak.home, RUN))
    for each in samples[:: max(len(samples) // 20, 1)]:
        counts = f"{each.descriptors} descriptors, {each.threads} threads, {len(each.files)} files"
        memory = f"{each.mebibytes:.1f} MiB, {each.journal_megabytes:.2f} MB of journal"
        print(f"after {each.minutes:.1f} min: {memory}, {counts}")
    if saving:
        print(f"a save stops the steps for {statistics.mean(saving):.1f} ms on average, at most {max(saving):.1f}")
    ratio = growth(samples, arguments.minutes)
    if ratio > MAX_GROWTH:
        problems.append("memory grew")
    print(f"{soak.num_visits} visits; memory at the end {ratio:.3f} times that after the warm-up")
    for problem in problems:
        print(f"PROBLEM: {problem}")
    print("no leaks" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
