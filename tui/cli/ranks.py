"""This process as one of several that train a run, under the launcher or under torchrun: it leads, or it follows.

The launcher's part of it (`tui.process.launch.rank`) is None under torchrun, whose store then remembers the run's name.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

from engine.config.run import RunConfig, RuntimeConfig
from engine.errors import DeviceError, TweetgenError
from engine.parallel.place import Place
from engine.protocol import events
from engine.protocol.events import Event
from engine.protocol.stage import Stage
from engine.session.startup import preflight
from engine.storage.folders import RunFolder, folder_of_run
from engine.storage.journal_reader import last_event
from engine.storage.versions import versions_of
from tui.process.launch.folder import ENDED_WITH_OTHERS
from tui.process.launch.notes import LaunchNotes
from tui.process.launch.rank import Rank, this_rank
from tui.run.journal import read_history

if TYPE_CHECKING:
    import torch

    from engine.parallel.ranks import Ranks

_PACKAGES = ("tweetgen-tui", "torch", "numpy")
"""What computes: all ranks need the same versions."""
_RUN = "run"
"""The note in torchrun's store."""


class RunLeader:
    """What rank 0 does besides training: it joins the others, and continues its run after a restart."""

    def __init__(self, place: Place, rank: Rank | None = None) -> None:
        """Lead at `place`; `rank` is the launcher's part of it."""
        self._place = place
        self._rank = rank
        self._ranks: Ranks | None = None
        self._run = ""
        self._notes = None if rank is None else LaunchNotes(rank.folder)
        self.was_paused = False
        """Whether the run was paused when a rank was lost: the user paused it, so it stays so."""
        self.notice = ""
        """Why the ranks were started again, where the launcher knows it."""

    def prepare(self, config: RunConfig, on_launcher_ended: Callable[[], None]) -> tuple[RunConfig, Ranks]:
        """Join the other ranks; return the config of this attempt with them. Raises `TweetgenError`."""
        if self._rank is not None:
            self._rank.lifeline.on_launcher_ended = on_launcher_ended
        self._ranks = self._join(config.runtime)
        try:
            config = self._config_of_attempt(config, self._ranks)
            preflight.check(config)
        except TweetgenError as error:
            self._ranks.fail(error)
            raise
        return config, self._ranks

    def _join(self, runtime: RuntimeConfig) -> Ranks:
        """Join the other ranks. Raises `TweetgenError`.

        The launcher's agent chooses a free port, which another program may take before this one: then again.
        """
        from engine.parallel.handshake import PortInUseError

        try:
            return join(self._place, runtime)
        except PortInUseError as error:
            if self._rank is not None:
                self._rank.leave_lost(error.message)
            raise

    def _config_of_attempt(self, config: RunConfig, ranks: Ranks) -> RunConfig:
        """Return the config of this attempt: after a restart, the run continues from its latest checkpoint.

        With its settings as they were then: the user may have changed those of the command line.
        """
        number = self._place.restart_count
        if number == 0:
            return config
        why = "A process was lost."
        if self._rank is None:
            saved_run = ranks.recall(_RUN)
        else:
            saved_run = (
                (config.resume or config.run_name) if self._notes is not None and self._notes.has_saved else None
            )
            why = self._rank.folder.why_lost(number - 1, self._place.world_size)
        restart = f"restart {number} of at most {self._place.max_restarts}"
        self.notice = f"{why} All processes started again from the latest checkpoint ({restart})."
        if saved_run is not None:
            self.was_paused = _is_paused(folder_of_run(saved_run))
            return RunConfig(resume=saved_run, runtime=config.runtime)
        if config.run_name is not None:
            _remove_untrained(folder_of_run(config.run_name))
        return config

    def note(self, progress: Event | Stage) -> None:
        """Note how far the run has come: for the launcher and its screen, and for a later attempt."""
        if self._notes is not None:
            self._notes.note(progress)
        elif isinstance(progress, events.RunStarted):
            self._run = progress.run
        elif isinstance(progress, events.CheckpointSaved) and progress.name == "latest" and self._ranks is not None:
            self._ranks.remember(_RUN, self._run)

    def receive_signals(self) -> None:
        """Receive the launcher's signals from here on, also those sent before. Once they are handled."""
        if self._rank is not None:
            self._rank.lifeline.forward_signals()

    def leave_if_alone(self) -> None:
        """Exit for a restart if another rank was lost: the signal that ends this one is torch's agent's."""
        if self._rank is not None and self._rank.is_alone():
            self._rank.leave_lost(ENDED_WITH_OTHERS)


def follow(place: Place, runtime: RuntimeConfig) -> None:
    """Train as the leader orders. Raises `TweetgenError`.

    Signals are the leader's: this process ends with it, so that the leader can save.
    """
    rank = this_rank()

    def end_if_alone(_number: int, _frame: FrameType | None) -> None:
        if rank is not None and rank.is_alone():
            rank.leave_lost(ENDED_WITH_OTHERS)

    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end_if_alone)
    ranks = join(place, runtime)
    if rank is not None:
        rank.lifeline.on_launcher_ended = lambda: None  # the leader saves first

    from engine.session.ranks.follower import Follower

    device = device_of(place, runtime)
    Follower(ranks, device, runtime.threads, is_deterministic=runtime.deterministic).run()
    ranks.close()


def join(place: Place, runtime: RuntimeConfig) -> Ranks:
    """Join the other ranks. Imports torch. Raises `DistributedError`, and `DeviceError` without a device."""
    from engine.parallel.ranks import Ranks

    return Ranks.join(place, device_of(place, runtime), versions_of(*_PACKAGES))


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


def _is_paused(run: RunFolder) -> bool:
    """Return whether a run was paused when its journal ended."""
    with contextlib.suppress(OSError):
        view, _ = read_history(run.journal_path)
        return view.phase == "paused"
    return False


def _remove_untrained(run: RunFolder) -> None:
    """Remove the folder of a run that was lost before it had trained: its name is that of the next attempt."""
    event = last_event(run.journal_path)
    has_checkpoint = any(run.checkpoint_path("latest").parent.glob("*"))
    if not has_checkpoint and (event is None or event.step == 0):
        shutil.rmtree(run.path, ignore_errors=True)
