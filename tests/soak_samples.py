"""The measurements of `tests.soak`, and the table of them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.protocol.events import CheckpointSaved, StepTimes
from engine.storage.journal_reader import read_journal

WARM_UP_SHARE = 0.2


@dataclass(frozen=True)
class Sample:
    """A measurement of the training process."""

    minutes: float
    mebibytes: float
    """Anonymous memory."""
    num_descriptors: int
    num_threads: int
    journal_megabytes: float
    trained_seconds: float
    """Of the last event in the journal."""
    files: frozenset[str]
    """Names of the files in the data folder, the runtime folder and the temporary folder."""

    @property
    def num_files(self) -> int:
        return len(self.files)


@dataclass(frozen=True)
class Save:
    """The checkpoints saved between two `StepTimes` of the journal."""

    trained_seconds: float
    count: int
    seconds_each: float
    """How long the steps stood still for each."""


def anonymous_mebibytes(pid: int) -> float:
    """Return the anonymous memory of a process; that of shared libraries depends on other processes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(line.split()[1]) / 1024


def growth(samples: Sequence[Sample], minutes: float) -> float:
    """Return the ratio of the memory in the last and the first quarter of the time after the warm-up."""
    warm = [sample.mebibytes for sample in samples if sample.minutes >= WARM_UP_SHARE * minutes]
    quarter = max(len(warm) // 4, 1)
    return statistics.median(warm[-quarter:]) / statistics.median(warm[:quarter]) if warm else float("inf")


def saves_in(journal: Path) -> Iterator[Save]:
    """Yield the saves of a journal."""
    count = 0
    for event in read_journal(journal):
        if isinstance(event, CheckpointSaved):
            count += 1
        elif isinstance(event, StepTimes) and count:
            yield Save(event.elapsed_seconds, count, event.saving_seconds / count)
            count = 0


def print_table(samples: Sequence[Sample], saves: Sequence[Save]) -> None:
    """Print about 20 measurements, each with the saves since the one before."""
    columns = f"{'minute':>7} {'MiB':>7} {'descriptors':>12} {'threads':>8} {'files':>6} {'journal MB':>11}"
    print(f"{columns} {'saves':>6} {'ms each':>8} {'worst':>6}")
    before = 0.0
    for each in samples[:: max(len(samples) // 20, 1)]:
        counts = f"{each.num_descriptors:>12} {each.num_threads:>8} {each.num_files:>6} {each.journal_megabytes:>11.2f}"
        since = [save for save in saves if before < save.trained_seconds <= each.trained_seconds]
        count = sum(save.count for save in since)
        mean = 1000 * sum(save.count * save.seconds_each for save in since) / count if count else 0.0
        worst = 1000 * max((save.seconds_each for save in since), default=0.0)
        print(f"{each.minutes:>7.1f} {each.mebibytes:>7.1f} {counts} {count:>6} {mean:>8.1f} {worst:>6.1f}")
        before = each.trained_seconds
