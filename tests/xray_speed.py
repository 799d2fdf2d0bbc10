"""`python -m tests.xray_speed`: training speed while the X-ray is open and follows the training, against without.

A run of the embedded corpus per preset, without samples and evaluations; periods with and without questions alternate:
a trace and the reach at a cursor as soon as the last are answered, at most once a second, and the scores of all units
again and again. With `--levels`, the reference levels are measured again and again in their place, as a screen asks
for them at the start of a run. The ratio of a period is to the mean of those before and after it. Exit code 1 if the
median of the ratios is below `MIN_RATIO`, or `MIN_RATIO_OF_LEVELS`.
"""

from __future__ import annotations

import argparse
import os
import queue
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from unittest import mock

from engine.baselines import cache
from engine.config.run import PresetName, RunConfig, RuntimeConfig
from engine.protocol.commands import Command, Insight, MeasureBaselines, MeasureReach, ScoreUnits, Stop, TraceText
from engine.protocol.events import CommandRefused, Event, InsightEvent, RunFailed, StepsFinished, UnitsScored
from engine.session.run import Run
from engine.session.session import TrainingSession

MIN_RATIO, MIN_RATIO_OF_LEVELS = 0.9, 0.97
ASK_SECONDS = 1.0
WARM_UP_SECONDS = 5.0
PRESETS: tuple[PresetName, ...] = ("auto", "tutorial")
TEXT = (
    "@mia_k good morning! the sun is out, the kettle is on and the cat has been out twice already :) see you at the "
    "market? http://example.org"
)


class Measurement:
    """A session, and the client that asks and measures; all on the session's thread."""

    work = "the X-ray"

    def __init__(self, config: RunConfig, num_periods: int, period_seconds: float, clock: Callable[[], float]) -> None:
        """Measure `num_periods` periods with questions, and as many and one without."""
        self.rates: list[float] = []
        """Characters per second of each period; every other one is with questions."""
        self.waits: list[float] = []
        """Seconds from a trace and a reach to both answers."""
        self.num_scored = 0
        self.problem = ""
        self._session = TrainingSession(config)
        self._clock = clock
        self._inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._num_periods = 2 * num_periods + 1
        self._period_seconds = period_seconds
        self._began: float | None = None
        """The start of the current period; None between two."""
        self._chars_there = 0
        self._num_open = 0
        """Traces and reaches that are not answered yet."""
        self._is_scoring = False
        self._asked_at = 0.0

    def run(self) -> None:
        """Run the session until all is measured."""
        self._session.run(self._handle, self._inbox)

    def _handle(self, event: Event) -> None:
        match event:
            case StepsFinished(elapsed_seconds=seconds) if seconds > WARM_UP_SECONDS:
                self._continue(self._clock())
            case UnitsScored():
                self._is_scoring = False
                self.num_scored += 1
            case InsightEvent():
                self._num_open -= 1
                if not self._num_open:
                    self.waits.append(self._clock() - self._asked_at)
            case CommandRefused() | RunFailed():
                self.problem = self.problem or f"{event.title}: {event.detail}"
                self._inbox.put(Stop())

    def _continue(self, now: float) -> None:
        """End the period if it is over, ask the next questions, or start the next period once all are answered."""
        if self._began is not None and now - self._began >= self._period_seconds:
            self.rates.append((self._total_chars - self._chars_there) / (now - self._began))
            self._began = None
            self._end_period()
        if len(self.rates) == self._num_periods:
            self._inbox.put(Stop())
        elif self._began is None and not self._num_open and not self._is_scoring:
            self._began, self._chars_there = now, self._total_chars
        if self._began is not None and len(self.rates) % 2:
            self._ask(now)

    def _end_period(self) -> None:
        """Wait for the open answers before the next period."""

    def _ask(self, now: float) -> None:
        questions: list[Insight] = []
        if not self._num_open and now - self._asked_at >= ASK_SECONDS:
            questions += [TraceText(text=TEXT), MeasureReach(text=TEXT, position=len(TEXT) // 2)]
            self._num_open, self._asked_at = len(questions), now
        if not self._is_scoring:
            questions.append(ScoreUnits())
            self._is_scoring = True
        for question in questions:
            self._inbox.put(question)

    @property
    def _run(self) -> Run:
        loop = self._session._loop
        assert loop is not None
        return loop._run

    @property
    def _total_chars(self) -> int:
        return self._run.state.progress.total_chars

    def report(self) -> float:
        """Print the figures and return the median of the ratios."""
        without, asked = self.rates[::2], self.rates[1::2]
        ratios = [
            rate / statistics.mean(beside) for rate, *beside in zip(asked, without[:-1], without[1:], strict=True)
        ]
        ratio = statistics.median(ratios)
        print(
            f"{statistics.median(without):,.0f} characters/s without, "
            f"{statistics.median(asked):,.0f} with {self.work}; "
            f"median of {len(ratios)} ratios {ratio:.3f} ({min(ratios):.3f} to {max(ratios):.3f})\n"
            f"  {self._answers()}"
        )
        return ratio

    def _answers(self) -> str:
        return (
            f"trace and reach answered {len(self.waits)} times, median after {statistics.median(self.waits):.2f} s; "
            f"units scored {self.num_scored} times"
        )


class LevelsMeasurement(Measurement):
    """The same with levels that are measured again and again, without the cache."""

    work = "the levels"

    def _end_period(self) -> None:
        """Stop the measurement of the levels, and start the next without unused time."""
        service = self._run.insight_service
        service._jobs.clear()
        service._seconds.clear()
        service._credit = 0.0

    def _ask(self, now: float) -> None:
        service = self._run.insight_service
        if not service.num_pending:
            if service._baselines._has_all:
                self.waits.append(now - self._asked_at)
                service._baselines._bits = {}
            self._asked_at = now
            self._inbox.put(MeasureBaselines())

    def _answers(self) -> str:
        return f"levels measured {len(self.waits)} times"


def main() -> int:
    """Measure the presets that the command line names, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", choices=PRESETS, help="default: both, one after the other")
    parser.add_argument("--periods", type=int, default=10, help="with questions, and one more without")
    parser.add_argument("--seconds", type=float, default=15.0, help="of a period")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--levels", action="store_true", help="measure the levels in place of the X-ray")
    parser.add_argument("--cpu-time", action="store_true", help="seconds of CPU, where other programs use it, too")
    options = parser.parse_args()
    ratios = []
    for preset in [options.preset] if options.preset else PRESETS:
        with tempfile.TemporaryDirectory() as home, mock.patch.dict(os.environ, TWEETGEN_HOME=home):
            runtime = RuntimeConfig(device=options.device, threads=options.threads)
            config = RunConfig(preset=preset, settings={"eval_every": 0, "sample_every": 0}, runtime=runtime)
            clock = time.process_time if options.cpu_time else time.perf_counter
            kind = LevelsMeasurement if options.levels else Measurement
            measurement = kind(config, options.periods, options.seconds, clock)
            with mock.patch.object(cache, "load", return_value=None):
                measurement.run()
            if measurement.problem:
                sys.exit(measurement.problem)
            print(f"{preset}: ", end="")
            ratios.append(measurement.report())
    return 0 if min(ratios) >= (MIN_RATIO_OF_LEVELS if options.levels else MIN_RATIO) else 1


if __name__ == "__main__":
    sys.exit(main())
