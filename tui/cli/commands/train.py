"""`tweetgen-tui train`: a run without a screen, in one process or several."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.run import RunConfig, RuntimeConfig
from engine.errors import ConfigError, RankLostError
from tui.cli.options import RUN, GivenOptions, NprocPerNode, OnHangup, fields_of, to_run_config, with_options
from tui.process.launch.folder import LaunchFolder
from tui.process.launch.order import LaunchOrder, named
from tui.process.launch.rank import Rank, this_rank

if TYPE_CHECKING:
    from engine.parallel.place import Place
    from tui.run.view import RunView


@with_options(*RUN)
def train(
    given: GivenOptions,
    *,
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as a line of JSON on stdout.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Train in the background; tweetgen-tui attach opens the screen.")
    ] = False,
    nproc_per_node: NprocPerNode = 1,
    on_hangup: OnHangup = "go-on",
) -> None:
    """Train without a screen.

    Shows a progress bar on a terminal, plain lines elsewhere. The run stops after --max-steps, --epochs or
    --max-seconds, whichever comes first; without one of them, Ctrl-C saves and stops it.

    Examples:
    tweetgen-tui train --max-seconds 120
    tweetgen-tui train --data my.csv --max-steps 1000 --json
    tweetgen-tui train --detach
    tweetgen-tui train --nproc-per-node 2 --device cpu
    """
    if detach and as_json:
        context.fail("--detach and --json exclude each other: a run in the background has no output.")
    launch = LaunchFolder.from_environment()
    if launch is not None:
        sys.exit(_run_for_launch(launch))

    from engine.parallel.place import place_from_environment

    order = partial(LaunchOrder, as_json=as_json, stops_on_hangup=on_hangup == "stop", detaches=detach)
    place = place_from_environment()
    if place is not None:
        if detach or nproc_per_node != 1:
            raise ConfigError(
                "RANK is set in the environment, as torchrun does; --nproc-per-node and --detach don't fit that.",
                "Omit them, or start the program without torchrun.",
            )
        # the followers get all else from the leader
        runtime = RuntimeConfig(**fields_of(RuntimeConfig, given))
        config = to_run_config(given) if place.is_leader else RunConfig(runtime=runtime)
        sys.exit(_train_at(place, order(config=config, wanted=1)))
    config = to_run_config(given)
    sys.exit(
        _train(order(config=config, wanted=1))
        if nproc_per_node == 1
        else _launch(order(config=config, wanted=nproc_per_node))
    )


def _train(order: LaunchOrder) -> int:
    """Train in this process; a run that detaches in a child process, whose progress is shown until it has started."""
    release = _release_when_started() if order.detaches else None

    from tui.cli.headless import let_go, run_headless

    def on_start(view: RunView) -> None:
        let_go(view)
        if release is not None:
            release()

    return run_headless(
        order.config,
        as_json=order.as_json,
        stops_on_hangup=order.stops_on_hangup,
        on_start=None if release is None else on_start,
    )


def _release_when_started() -> Callable[[], None]:
    """Continue in a child process; return what lets the shell continue while that one runs on."""
    from tui.process.job_control import start_job_control

    return partial(start_job_control().release, 0)


def _launch(order: LaunchOrder) -> int:
    """Train in several processes, which this one launches."""
    release = _release_when_started() if order.detaches else lambda: None

    from engine.session.startup import preflight
    from tui.cli.run_launcher import launch_run

    preflight.require_text(preflight.check(order.config))
    return launch_run(replace(order, config=named(order.config)), LaunchFolder.create(), release)


def _run_for_launch(folder: LaunchFolder) -> int:
    """Be the launcher of a screen, or one of the processes of a launch."""
    from engine.parallel.place import place_from_environment
    from tui.cli.run_launcher import launch_run

    order, place = LaunchOrder.read(folder), place_from_environment()
    return launch_run(order, folder) if place is None else _train_at(place, order, this_rank())


def _train_at(place: Place, order: LaunchOrder, rank: Rank | None = None) -> int:
    """Train as one of several processes; `rank` is the launcher's part of it. Raises `TweetgenError`."""
    from tui.cli.headless import let_go, run_headless, stop_writing
    from tui.cli.ranks import RunLeader, follow

    try:
        if not place.is_leader:
            follow(place, order.config.runtime)
            return 0
        leader = RunLeader(place, rank)
        return run_headless(
            order.config,
            as_json=order.as_json,
            stops_on_hangup=order.stops_on_hangup,
            on_start=let_go if order.detaches else stop_writing if order.is_for_screen else None,
            on_progress=leader.note,
            is_for_screen=order.is_for_screen,
            notice=order.notice,
            leader=leader,
        )
    except RankLostError as error:
        if rank is not None:
            rank.leave_lost(error.message)
        raise
