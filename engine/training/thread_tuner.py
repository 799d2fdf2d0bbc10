"""`ThreadTuner`: measures threads and precision between the steps of a run, and when that is due.

The first measurement follows the first step, unless the sizes of the model were chosen by one
(`engine.training.tuning`). Later, threads alone are measured again when the steps have become slow, and from time to
time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.compute.device import Runtime
from engine.compute.memory import is_out_of_memory
from engine.config.run import Computation, RunConfig
from engine.corpus.arrays import Batch
from engine.text import counted
from engine.training.trainer import AbandonedError, Trainer
from engine.training.tuning import LATER_SECONDS, START_SECONDS, Choices, Fastest, choices_for, fastest, median

RETRY_SECONDS = 1.0
"""Seconds of steps before an abandoned measurement is repeated."""


class ThreadTuner:
    """Adapts the threads of a run while it trains, and at first its precision. Used by the session's thread."""

    def __init__(self, choices: Choices, batches: Callable[[], Sequence[Batch]], *, is_due: bool) -> None:
        """`batches` returns some for trials; `is_due` if nothing is measured yet."""
        self._choices = choices
        self._batches = batches
        self._is_due = is_due
        self._seconds = self._retry_at = 0.0
        """Seconds of steps so far, and those from which on an abandoned measurement is repeated."""
        self._has_stepped = False
        self._slowdown_detector = SlowdownDetector()

    @classmethod
    def for_run(
        cls, config: RunConfig, before: Computation | None, runtime: Runtime, batches: Callable[[], Sequence[Batch]]
    ) -> ThreadTuner | None:
        """Return the tuner of a run that starts as `runtime`; None where nothing is to be measured."""
        if runtime.tuning == "fixed":
            return None
        return cls(choices_for(config, runtime, before), batches, is_due=runtime.tuning == "due")

    def record_step(self, seconds: float, num_chars: int, *, is_small: bool) -> None:
        """Record the time of a step; steps of small batches are slower than those of the trials."""
        self._has_stepped = True
        self._seconds += seconds
        if not is_small:
            self._slowdown_detector.add_step(seconds, num_chars)

    def reset(self) -> None:
        """Discard all measurements: the model has another shape."""
        self._is_due = True

    def use_batches(self, batches: Callable[[], Sequence[Batch]]) -> None:
        """Run trials on other batches from now on, and discard all measurements."""
        self._batches = batches
        self._is_due = True

    @property
    def should_measure(self) -> bool:
        """Whether a measurement is due; never before the first step."""
        is_slow = len(self._choices.counts) > 1 and self._slowdown_detector.should_measure
        return self._has_stepped and self._seconds >= self._retry_at and (self._is_due or is_slow)

    def retune(self, trainer: Trainer, runtime: Runtime, should_stop: Callable[[], bool]) -> tuple[Runtime, float]:
        """Measure; return the best runtime and its speedup over the one in use, `runtime`. The trainer uses it.

        Once `should_stop` returns true the measurement is abandoned: the runtime stays, and a new one is due soon. If
        memory runs out, the runtime stays.
        """

        def check() -> None:
            if should_stop():
                raise AbandonedError

        found = Fastest(runtime=replace(runtime, tuning="measured"), ratio=1.0, chars_per_second=0.0)
        choices = self._choices if self._is_due else replace(self._choices, precisions=(runtime.precision,))
        limit_seconds = START_SECONDS if self._is_due else LATER_SECONDS
        try:
            found = fastest(trainer, median(self._batches()), runtime, choices, limit_seconds, check)
        except AbandonedError:
            self._retry_at = self._seconds + RETRY_SECONDS
            return runtime, 1.0
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        finally:
            trainer.use_precision(found.runtime.precision)
            found.runtime.apply()
        self._is_due = False
        has_changed = found.runtime != replace(runtime, tuning="measured")
        self._slowdown_detector.restart(found.chars_per_second, has_changed=has_changed)
        return found.runtime, found.ratio


WINDOW_SECONDS = 1.5
LOW_SHARE = 0.7
"""A window is low if its speed is below this share of the expected one."""
MAX_LOW_WINDOWS = 3
STEP_SHARE = 0.7
"""Minimum speed of a whole step, as a share of the measured speed of the forward and backward pass alone."""
MIN_DROP_SECONDS = 30.0
MIN_CHECK_SECONDS, MAX_CHECK_SECONDS = 20.0, 480.0


class SlowdownDetector:
    """Speed of one run's steps since the last measurement, and whether it is time to measure again.

    Only time spent in steps counts, so pauses, evaluations and sampling never look like a slowdown. There are two
    reasons to measure again: the steps are much slower than expected (another process started), or a long time has
    passed (it may have ended). Each measurement that changed nothing doubles the wait before the next one.
    """

    def __init__(self) -> None:
        """Start without a measurement: the expected speed is that of the steps so far."""
        self._expected = 0.0
        self._seconds, self._num_chars = 0.0, 0
        self._low_windows = 0
        self._since_measured = 0.0
        self._since_drop = math.inf
        self._drop_seconds = MIN_DROP_SECONDS / 2  # doubled after the first drop that changed nothing
        self._check_seconds = MIN_CHECK_SECONDS

    @property
    def has_dropped(self) -> bool:
        """Whether the steps have been much slower than expected for several seconds."""
        return self._low_windows >= MAX_LOW_WINDOWS and self._since_drop >= self._drop_seconds

    @property
    def should_measure(self) -> bool:
        """Whether it is time to measure again."""
        return self.has_dropped or self._since_measured >= self._check_seconds

    def add_step(self, seconds: float, num_chars: int) -> None:
        """Record the duration and the number of characters of a step."""
        self._seconds += seconds
        self._num_chars += num_chars
        if self._seconds < WINDOW_SECONDS:
            return
        rate = self._num_chars / self._seconds
        self._low_windows = self._low_windows + 1 if rate < LOW_SHARE * self._expected else 0
        self._expected = max(self._expected, rate)
        self._since_measured += self._seconds
        self._since_drop += self._seconds
        self._seconds, self._num_chars = 0.0, 0

    def restart(self, measured: float, *, has_changed: bool) -> None:
        """Start over after a measurement of `measured` characters per second; threads or precision may have changed."""
        longer_check = min(MAX_CHECK_SECONDS, 2 * self._check_seconds)
        if self.has_dropped:
            longer = min(MAX_CHECK_SECONDS, 2 * self._drop_seconds)
            self._drop_seconds = MIN_DROP_SECONDS if has_changed else longer
            self._since_drop = 0.0
            has_lasted = self._since_measured >= MIN_CHECK_SECONDS
            self._check_seconds = MIN_CHECK_SECONDS if has_changed and has_lasted else longer_check
        elif not has_changed:
            self._check_seconds = longer_check
        self._expected = STEP_SHARE * measured
        self._seconds, self._num_chars = 0.0, 0
        self._low_windows = 0
        self._since_measured = 0.0


def runtime_change(before: Runtime, after: Runtime, ratio: float) -> str:
    """Return in words how precision or threads changed, which makes steps `ratio` times as fast; "" if not."""
    if (before.precision, before.num_threads) == (after.precision, after.num_threads):
        return ""
    return (
        f"{after.precision} on {counted(after.num_threads, 'thread')} in place of {before.precision} on "
        f"{before.num_threads}, {ratio:.1f} times as fast"
    )
