"""`python -m tests.saving_speed`: how long a save stops the steps of a run, and what it costs until it is on the disk.

A run of the embedded corpus per model, without samples and evaluations, is saved every few seconds. **Stop**: the time
between two steps with a save, beyond that without. **Cost**: the time by which the steps of the seconds after a save
are late: the stop, and what hashing and writing take of the cores meanwhile.
"""

from __future__ import annotations

import argparse
import os
import queue
import statistics
import tempfile
import time
from unittest import mock

from engine.config.run import RunConfig, RuntimeConfig, Setting
from engine.protocol.commands import Command, SaveLatest, Stop
from engine.protocol.events import Event, StepsFinished
from engine.session.checkpoints.run_checkpoints import RunCheckpoints
from engine.session.run import Run
from engine.session.session import TrainingSession

MODELS: dict[str, dict[str, Setting]] = {
    "default": {},
    "E = H = 1024, tied": {"embedding_size": 1024, "hidden_size": 1024, "num_layers": 1, "tied_embeddings": True},
    "2 layers of 512": {"embedding_size": 512, "hidden_size": 512, "num_layers": 2},
}
WARM_UP_SECONDS = 5.0


class Measurement:
    """One run, saved `num_saves` times, every `period_seconds`."""

    def __init__(self, num_saves: int, period_seconds: float) -> None:
        self._num_saves = num_saves
        self._period_seconds = period_seconds
        self._inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._next_at = time.perf_counter() + WARM_UP_SECONDS
        self._steps: list[tuple[float, float]] = []
        """Begin and end of each step."""
        self._saves: list[int] = []
        """The number of the first step after each save."""

    def run(self, config: RunConfig) -> None:
        """Train and save."""
        take_step, save = Run.take_step, RunCheckpoints.save

        def timed_step(run: Run) -> None:
            began = time.perf_counter()
            take_step(run)
            self._steps.append((began, time.perf_counter()))

        def noted_save(*args: object, **options: object) -> object:
            self._saves.append(len(self._steps))
            return save(*args, **options)  # type: ignore[arg-type] # passed on

        with mock.patch.object(Run, "take_step", timed_step), mock.patch.object(RunCheckpoints, "save", noted_save):
            TrainingSession(config).run(self._emit, self._inbox)

    def _emit(self, event: Event) -> None:
        """Ask for the next save, or for the end."""
        if isinstance(event, StepsFinished) and time.perf_counter() >= self._next_at:
            self._next_at = time.perf_counter() + self._period_seconds
            is_over = len(self._saves) > self._num_saves
            self._inbox.put(Stop() if is_over else SaveLatest())

    def report(self) -> str:
        """Return the figures of all saves but those at the start and the end."""
        gaps = [after - before for (_, before), (after, _) in zip(self._steps, self._steps[1:], strict=False)]
        cycle = statistics.median(after - before for (before, _), (after, _) in zip(self._steps, self._steps[1:]))  # noqa: B905
        usual = statistics.median(gap for number, gap in enumerate(gaps, start=1) if number not in self._saves)
        stops, costs = [], []
        for first in self._saves[1:-1]:
            stops.append(gaps[first - 1] - usual)
            began = self._steps[first - 1][1]
            ends = [end - began for _, end in self._steps[first:]]
            late = [seconds for seconds in ends if seconds < self._period_seconds / 2] or ends[:1]
            costs.append(late[-1] - len(late) * cycle)
        return (
            f"step {cycle * 1e3:.1f} ms; stop {statistics.median(stops) * 1e3:.1f} ms (to {max(stops) * 1e3:.1f}); "
            f"cost {statistics.median(costs) * 1e3:.0f} ms; {len(stops)} saves"
        )


def main() -> None:
    """Measure the models that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--model", choices=MODELS, help="default: all, one after the other")
    parser.add_argument("--saves", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=4.0, help="from one save to the next")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=32, help="small: short steps, beside which a stop is seen")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    for name in [options.model] if options.model else MODELS:
        settings: dict[str, Setting] = {**MODELS[name], "batch_size": options.batch_size, "autosave_seconds": 1e6}
        settings |= {"eval_every": 0, "sample_every": 0}
        runtime = RuntimeConfig(device=options.device, precision="float32", threads=options.threads)
        measurement = Measurement(options.saves, options.seconds)
        with tempfile.TemporaryDirectory() as home, mock.patch.dict(os.environ, TWEETGEN_HOME=home):
            measurement.run(RunConfig(settings=settings, runtime=runtime))
        print(f"{name}: {measurement.report()}", flush=True)  # noqa: T201 - the command's output


if __name__ == "__main__":
    main()
