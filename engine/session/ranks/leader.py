"""`Leader`: rank 0's side of a run that several processes train. Used by the session's thread only.

A lease of steps is a promise: the leader takes exactly these steps before it looks at commands, clock or anything else,
since a follower that waits for a sum can do nothing else either. So it is short, `LEASE_SECONDS`, and ends where
something is due.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping

from engine.compute.clocks import Phase
from engine.errors import DistributedError, WeightsDifferError
from engine.parallel.leases import Report, Reported, Steps, Sync
from engine.parallel.ranks import Ranks
from engine.protocol import events
from engine.session.ranks.generators import from_hex, to_hex
from engine.session.reporter import Reporter
from engine.session.state import RunState

LOG = logging.getLogger(__name__)
LEASE_SECONDS = 0.05
MAX_STEPS = 200
_LAST_REPORT_SECONDS = 5.0
"""How long the last save of a run waits for the other ranks, which may be ending already."""
_PHASES_OF_A_STEP: tuple[Phase, ...] = ("data", "forward", "backward", "optimizer", "waiting")
UpcomingRates = Callable[[int], list[float]]
"""Returns the learning rates of the next steps, at least one, up to a number, and none beyond what is due."""


class Leader:
    """Gives the leases of one run."""

    def __init__(self, ranks: Ranks, state: RunState, reporter: Reporter) -> None:
        self._ranks = ranks
        self._state = state
        self._reporter = reporter
        self._rates: deque[float] = deque()
        self._began = time.perf_counter()
        self._num_steps = 1
        self._is_sent: tuple[object, object] = (None, None)
        """The trainer and the batches that the followers have."""
        self._checked_at: tuple[object, int] = (None, -1)

    @property
    def has_lease(self) -> bool:
        """Whether the followers wait for another step."""
        return bool(self._rates)

    def next_rate(self, upcoming: UpcomingRates) -> float:
        """Return the learning rate of the next step, which the followers take as well."""
        if not self._rates:
            self._sync()
            self._rates.extend(upcoming(self._length()))
            self._num_steps = len(self._rates)
            self._began = time.perf_counter()
            self._ranks.send(Steps(learning_rates=tuple(self._rates)))
        return self._rates.popleft()

    def _length(self) -> int:
        """Return for how many steps the next lease is, by the time that those of the last one took."""
        seconds = (time.perf_counter() - self._began) / self._num_steps
        return max(1, min(MAX_STEPS, round(LEASE_SECONDS / max(seconds, 1e-6)), 2 * self._num_steps))

    def report_times(self, times: Mapping[str, float]) -> None:
        """Emit how the ranks shared the time since the last report, and their warnings.

        `times` are the fields of the leader's own `StepTimes`.
        """
        reports = self._reports(Report())
        own = Reported(
            seconds=sum(times[f"{phase}_seconds"] for phase in _PHASES_OF_A_STEP),
            waiting_seconds=times["waiting_seconds"],
            device=str(self._state.runtime.device),
            host=self._ranks.place.host,
        )
        every = [own, *reports]
        self._reporter.emit(
            events.RanksMeasured,
            waiting_shares=tuple(round(min(each.waiting_seconds / max(each.seconds, 1e-9), 1.0), 4) for each in every),
            devices=tuple(each.device for each in every),
            hosts=tuple(each.host for each in every),
        )

    def check_weights(self, *, is_last: bool = False) -> None:
        """Compare the weights of all ranks before they are saved, and collect the states of their generators.

        Raises `WeightsDifferError`. Before the last save of a run, a rank that failed or does not answer is no error,
        unless that end was asked for by SIGTERM: then it is the reason of the signal, and all are to start again.
        """
        here, is_terminated = (self._state.trainer, self._state.step), self._ranks.is_terminated
        if self._checked_at == here and not (is_last and is_terminated):
            return
        draws = self._state.model_config.dropout > 0
        try:
            seconds = _LAST_REPORT_SECONDS if is_last else None
            reports = self._reports(Report(has_checksum=True, has_generator=draws), seconds)
        except DistributedError:
            if is_last and not is_terminated:
                LOG.warning("a rank did not report before the last save", exc_info=True)
                self._state.rank_generators = {}  # a resume seeds them by step: those of an earlier save are no better
                return
            raise
        own = self._state.trainer.checksum()
        for rank, report in enumerate(reports, start=1):
            if report.checksum != own:
                raise WeightsDifferError(
                    f"The weights of rank {rank} on {report.host} differ from those of rank 0 at step "
                    f"{self._state.step:,}; its device may be faulty, or of another type, which rounds differently.",
                    "The run goes back to its latest checkpoint.",
                )
        self._checked_at = here
        if draws:
            self._state.rank_generators = {
                rank: from_hex(report.generator) for rank, report in enumerate(reports, start=1)
            }

    def _reports(self, lease: Report, seconds: float | None = None) -> list[Reported]:
        """Return the followers' reports, after emitting their warnings."""
        self._sync()
        self._ranks.send(lease)
        reports = self._ranks.replies(Reported, seconds=seconds)
        for rank, report in enumerate(reports, start=1):
            for message in report.warnings:
                self._reporter.emit(events.Warned, message=f"Rank {rank} on {report.host}: {message}")
        return reports

    def _sync(self) -> None:
        """Send the followers the settings, the position and, with a new trainer, its weights, if any has changed."""
        state = self._state
        trainer, batches = self._is_sent
        if trainer is state.trainer and batches is state.batches:
            return
        has_weights = trainer is not state.trainer
        generators = tuple(
            to_hex(state.rank_generators[rank]) if rank in state.rank_generators else ""
            for rank in range(self._ranks.place.world_size)
        )
        self._ranks.send(
            Sync(
                model=state.model_config,
                training=state.training,
                position=state.batches.position,
                step=state.step,
                precision=state.runtime.precision,
                has_weights=has_weights,
                generators=generators,
            )
        )
        self._is_sent = state.trainer, state.batches
        if has_weights:
            state.trainer.broadcast_state(self._ranks.broadcast_)
