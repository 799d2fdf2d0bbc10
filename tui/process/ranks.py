"""The part of one process in a run that torchrun trains with several: rank 0 leads, the others follow.

To torchrun, an exit code other than 0 means that all processes are to start again. So one that ends in order exits with
0, even where the run has failed; one that has lost another exits with 75. The journal has how the run has ended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.checkpoints.catalog import latest_of
from engine.config.run import RunConfig, RuntimeConfig
from engine.errors import CheckpointError, DeviceError, RankLostError, TweetgenError
from engine.protocol.events import Event, RunFailed, RunFinished, RunStarted
from engine.session.ranks.place import Place
from engine.session.startup import preflight
from engine.storage.folders import RunFolder, folder_of_run
from engine.storage.log import versions_of
from tui.process.signals import ENDING_SIGNALS
from tui.process.torchrun import Agent, run_started_by
from tui.run.journal import read_history

if TYPE_CHECKING:
    import torch

    from engine.session.ranks.connection import Ranks


class RunLeader:
    """What rank 0 does besides training: joins the others, and continues its run after a restart."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._ranks: Ranks | None = None
        self._is_terminated = False
        self._run: RunFolder | None = None
        self.agent = Agent.of_process(os.getppid(), place.job) if place.job else None
        """The torchrun that has started this process; None where something else has."""
        self._found = None if self.agent is None else run_started_by(self.agent)
        self.is_restarted = place.restart_count > 0 or self._found is not None  # torchrun does not count all restarts
        """Whether a process was lost before."""
        self.was_paused = False
        """Whether the run was paused then: the user paused it, so it stays so."""
        self.notice = ""
        """The warning at the start of a run that is continued."""

    @property
    def has_ended(self) -> bool:
        """Whether the run has ended in order before, and another process was lost after that."""
        return self._found is not None and self._found[1].has_ended

    def prepare(self, config: RunConfig) -> tuple[RunConfig, Ranks]:
        """Join the other ranks; return the config of this attempt with them. Raises `TweetgenError`."""
        ranks = self.join(config.runtime)
        try:
            config = self._config_of_attempt(config)
            preflight.check(config)
        except TweetgenError as error:
            with contextlib.suppress(RankLostError):
                ranks.end(error)
            raise
        return config, ranks

    def join(self, runtime: RuntimeConfig) -> Ranks:
        """Join the other ranks. Raises `TweetgenError`."""
        self._ranks = join(self._place, runtime)
        self._ranks.is_terminated = self._is_terminated
        return self._ranks

    def _config_of_attempt(self, config: RunConfig) -> RunConfig:
        """Return the config of this attempt: after a restart, the run continues from its latest checkpoint.

        With its settings as they were then: the user may have changed those of the command line. Before the first
        checkpoint, its folder is removed, and the run starts anew under the same name.
        """
        if not self.is_restarted:
            return config
        self.notice = "A process was lost. All processes started again"
        if self._found is not None:
            run, _ = self._found
            try:
                latest_of(run)
            except CheckpointError:
                shutil.rmtree(run.path, ignore_errors=True)
            else:
                config = RunConfig(resume=run.name, runtime=config.runtime)
                self.notice += " from the latest checkpoint"
                with contextlib.suppress(OSError):  # without a journal, it trains on
                    self.was_paused = read_history(run.journal_path)[0].phase == "paused"
        number = self._place.restart_count
        self.notice += f" (restart {number} of at most {self._place.max_restarts})." if number else "."
        return config

    def note(self, event: Event) -> None:
        """Store in the run's folder that it has begun, and that it has ended."""
        has_begun = isinstance(event, RunStarted)
        if isinstance(event, RunStarted):
            self._run = folder_of_run(event.run)
        has_ended = isinstance(event, RunFailed) or (
            isinstance(event, RunFinished)
            and event.reason != ENDING_SIGNALS[signal.SIGTERM]  # torchrun starts it again if another machine has come
        )
        if self.agent is not None and self._run is not None and (has_begun or has_ended):
            replace(self.agent, has_ended=has_ended).write(self._run)

    def terminate(self) -> None:
        """Record a SIGTERM, which torchrun also sends where another rank was lost. For a signal's handler."""
        self._is_terminated = True
        if self._ranks is not None:
            self._ranks.is_terminated = True


def follow(place: Place, runtime: RuntimeConfig) -> None:
    """Train as the leader orders. Raises `TweetgenError`.

    Signals are the leader's once all have joined: this process ends with it, so that the leader can save.
    """
    ranks = join(place, runtime)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

    from engine.session.ranks.worker import Worker

    Worker(ranks, runtime.threads, is_deterministic=runtime.deterministic).run()


def join(place: Place, runtime: RuntimeConfig) -> Ranks:
    """Join the other ranks. Imports torch. Raises `DistributedError`, also where a rank has no device."""
    from engine.session.ranks.connection import Ranks

    versions = versions_of("tweetgen-tui", "torch", "numpy")  # the packages that compute
    return Ranks.join(place, lambda: device_of(place, runtime), versions)


def device_of(place: Place, runtime: RuntimeConfig) -> torch.device:
    """Return the device of a rank: of several GPUs, the one with its number. Raises `DeviceError`."""
    import torch

    from engine.compute.device import Runtime

    device = Runtime.resolve(replace(runtime, precision="auto")).device
    if device.type == "mps":
        raise DeviceError("One process at a time can train on mps.", "Set --device cpu.")
    if device.type != "cuda":
        return device
    num_gpus = torch.cuda.device_count()
    if place.local_rank >= num_gpus:
        raise DeviceError(
            f"This machine has {num_gpus} GPUs; process {place.local_rank + 1} on it has none.",
            "Set --nproc-per-node to the number of GPUs, or --device cpu.",
        )
    return torch.device("cuda", place.local_rank)
