"""Measurements on several processes: launches them, or takes part in a launch as one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from engine.config.run import Device, RunConfig, RuntimeConfig
from engine.errors import ConfigError, DistributedError, RankLostError, TweetgenError
from engine.storage.folders import home
from tui.cli.options import num_processes
from tui.process.launch.count import AUTO, Processes
from tui.process.launch.folder import LaunchFolder
from tui.process.launch.rank import this_rank

if TYPE_CHECKING:  # they import torch
    import torch

    from engine.parallel.place import Place
    from engine.parallel.ranks import Ranks

Report = TypeVar("Report")
Measure = Callable[["Ranks", "torch.device"], Report | None]
_MIN_COUNT = 2

MeasuredProcesses = Annotated[
    int,
    typer.Option(
        "--nproc-per-node",
        parser=num_processes,
        metavar="auto|N",
        help="Measure N processes on this machine. auto: one for each GPU, or two on the CPU.",
        rich_help_panel="Several processes",
        show_default=False,
    ),
]
"""An option of the commands that measure several processes; `AUTO` is 0."""


def measure_on_ranks(count: int, device: Device, measure: Measure[Report]) -> Report:
    """Return what `measure` returns on the leader; the launcher and the other ranks exit instead.

    A `count` of `AUTO` is a process for each GPU, or two on the CPU if there are fewer. Raises `TweetgenError`.
    """
    from engine.parallel.place import place_from_environment

    place = place_from_environment()
    if place is None:
        _launch(count, device)
    report = _measure_at(place, RuntimeConfig(device=device), measure)
    if report is None:
        sys.exit(0)
    return report


def _launch(count: int, device: Device) -> NoReturn:
    """Run the same command in several processes, and exit with the leader's code. Raises `TweetgenError`."""
    import torch

    from tui.cli.run_launcher import log_output
    from tui.process.launch.launcher import launch_processes

    if count == 1:
        raise ConfigError("One process has no others to wait for.", f"Set --nproc-per-node to {_MIN_COUNT} or more.")
    if count == AUTO:
        num_gpus = 0 if device in {"cpu", "mps"} else torch.cuda.device_count()
        count = max(num_gpus, _MIN_COUNT)
        device = "cpu" if device == "auto" and num_gpus < _MIN_COUNT else device
    processes = Processes.choose(count, RunConfig(runtime=RuntimeConfig(device=device)))
    sys.stderr.write(f"starting {processes.count} processes on {processes.runtime.device}\n")
    sys.stderr.flush()
    folder = LaunchFolder.create()
    arguments = [*sys.argv[1:], "--device", processes.runtime.device]
    try:
        sys.exit(launch_processes(arguments, processes.count, threads=processes.threads, folder=folder))
    except DistributedError as error:
        path = home() / "tweetgen.log"
        log_output(folder, path)
        raise DistributedError(error.message, error.hint or f"What the processes have written is in {path}.") from None
    finally:
        folder.remove()


def _measure_at(place: Place, runtime: RuntimeConfig, measure: Measure[Report]) -> Report | None:
    """Join the other ranks and measure; an error of this rank ends the others, too."""
    from tui.cli.ranks import device_of, join

    rank = this_rank()
    try:
        ranks = join(place, runtime)
        try:
            return measure(ranks, device_of(place, runtime))
        except TweetgenError as error:
            if not isinstance(error, RankLostError):
                ranks.fail(error)
            raise
        finally:
            ranks.close()
    except RankLostError as error:
        if rank is not None:
            rank.leave_lost(error.message)  # the launcher reports it
        raise
