"""Measurements on several processes: launches them, or takes part in a launch as one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from engine.config.run import Device, RunConfig, RuntimeConfig
from engine.errors import DeviceError, RankLostError, TweetgenError
from engine.storage.versions import versions_of

if TYPE_CHECKING:  # they import torch
    import torch

    from engine.parallel.place import Place
    from engine.parallel.ranks import Ranks

Report = TypeVar("Report")
_AUTO, _MIN_COUNT = 0, 2


def _to_count(text: str) -> int:
    """Return the number of processes of an option, 0 for auto; raises typer's error."""
    if text == "auto":
        return _AUTO
    if not text.isdecimal() or int(text) < _MIN_COUNT:
        raise typer.BadParameter(f"{text!r} is neither a number of at least {_MIN_COUNT} nor auto.")
    return int(text)


NumProcesses = Annotated[
    int | None,
    typer.Option(
        "--nproc-per-node",
        metavar="auto|N",
        parser=_to_count,
        help="Processes on this machine; auto: one per GPU, or two on the CPU.",
        rich_help_panel="Machine",
    ),
]
"""An option of the commands that measure several processes; None where it is not given."""


def measure_on_ranks(count: int, device: Device, measure: Callable[[Ranks, torch.device], Report | None]) -> Report:
    """Return what `measure` returns on the leader; the launcher and the other ranks exit instead.

    A `count` of 0 is a process for each GPU, or two on the CPU if there are fewer than two. Raises `TweetgenError`.
    """
    from engine.parallel.place import place_from_environment

    place = place_from_environment()
    if place is None:
        _launch(count, device)
    report = _measure_on_rank(place, _rank_device(place, device), measure)
    if report is None:
        sys.exit(0)
    return report


def _launch(count: int, device: Device) -> NoReturn:
    """Run the same command on several processes, and exit with the leader's code."""
    import torch

    from tui.process.launch.count import Processes
    from tui.process.launch.launcher import launch_processes

    num_gpus = 0 if device in {"cpu", "mps"} else torch.cuda.device_count()
    if count == _AUTO:
        count = max(num_gpus, _MIN_COUNT)
        device = "cpu" if device == "auto" and num_gpus < _MIN_COUNT else device
    processes = Processes.choose(count, RunConfig(runtime=RuntimeConfig(device=device)))
    sys.stderr.write(f"starting {processes.count} processes on {processes.runtime.device}\n")
    sys.stderr.flush()
    sys.exit(launch_processes(sys.argv[1:], processes.count, threads=processes.threads))


def _rank_device(place: Place, wanted: Device) -> torch.device:
    """Return the device of this rank: the GPU of its local number, or the CPU where there are fewer than ranks."""
    import torch

    num_gpus = 0 if wanted == "cpu" else torch.cuda.device_count()
    if num_gpus >= place.local_world_size:
        return torch.device("cuda", place.local_rank)
    if wanted in {"cuda", "mps"}:
        raise DeviceError(
            f"{place.local_world_size} processes were started on {place.host}, which has {num_gpus} GPUs.",
            "Start one per GPU, or with --device cpu.",
        )
    return torch.device("cpu")


def _measure_on_rank(
    place: Place, device: torch.device, measure: Callable[[Ranks, torch.device], Report | None]
) -> Report | None:
    """Join the other ranks and measure; an error of this rank ends the others, too."""
    from engine.parallel.ranks import Ranks

    ranks = Ranks.join(place, device, versions_of("tweetgen-tui", "torch"))
    try:
        return measure(ranks, device)
    except RankLostError:
        raise
    except TweetgenError as error:
        ranks.fail(error)
        raise
    finally:
        ranks.close()
