"""`tweetgen-tui train`: a run without a screen, in one process or several."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from engine.config.run import RunConfig, RuntimeConfig
from engine.errors import ConfigError, DistributedError, RankLostError, TweetgenError
from engine.session.startup import preflight
from tui.cli.commands.screen import leave_process
from tui.cli.options import RUN, GivenOptions, NprocPerNode, OnHangup, config_to_train, fields_of, with_options
from tui.cli.output import write_line
from tui.process.signals import close_terminal
from tui.process.torchrun import Order, Processes, Torchrun

if TYPE_CHECKING:
    from engine.session.ranks.place import Place
    from tui.process.ranks import RunLeader
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
    order: Annotated[list[str] | None, typer.Option(hidden=True)] = None,
) -> None:
    """Train without a screen.

    Shows a progress bar on a terminal, plain lines elsewhere and with TERM=dumb, as for a screen reader. The run stops
    after --max-steps, --epochs or --max-seconds, whichever comes first; without one of them, Ctrl-C saves and stops it.

    Examples:
    tweetgen-tui train --max-seconds 120
    tweetgen-tui train --data my.csv --max-steps 1000 --json
    tweetgen-tui train --detach
    tweetgen-tui train --nproc-per-node 2 --device cpu
    """
    from engine.session.ranks.place import place_from_environment

    ordered, place = Order.from_arguments(order) if order else None, place_from_environment()
    if place is not None:
        _train_at(place, given, ordered, as_json=as_json, starts_others=detach or nproc_per_node != 1)
    if detach and as_json:
        context.fail("--detach and --json exclude each other: a run in the background has no output.")
    if ordered is not None:
        sys.exit(_train_ordered(ordered))
    # before anything is read from standard input, and before torch counts the GPUs
    on_start = _release_when_started() if detach else None
    config, stops_on_hangup, notice = config_to_train(given), on_hangup == "stop", ""
    if nproc_per_node != 1:
        processes = Processes.choose(nproc_per_node, config)
        if processes.count > 1:
            from tui.cli.headless import run_attached

            preflight.require_text(preflight.check(config))
            torchrun = Torchrun(config, nproc_per_node)
            sys.exit(run_attached(torchrun, as_json=as_json, stops_on_hangup=stops_on_hangup, detaches=detach))
        notice = processes.note

    from tui.cli.headless import run_headless

    sys.exit(run_headless(config, as_json=as_json, stops_on_hangup=stops_on_hangup, on_start=on_start, notice=notice))


def _release_when_started() -> Callable[[RunView], None]:
    """Continue in a child process; return what lets the shell continue while the run, once started, trains on there."""
    from tui.process.job_control import start_job_control

    job_control = start_job_control()

    def release(view: RunView) -> None:
        from tui.run.summary import how_to_attach

        write_line(how_to_attach(view))
        close_terminal(and_pipes=True)
        job_control.release(0)

    return release


def _train_ordered(order: Order, leader: RunLeader | None = None) -> int:
    """Train what another process of this program has ordered, which attaches to the run: then nothing is written."""
    from tui.cli.headless import run_headless

    return run_headless(
        order.config,
        as_json=True,
        on_start=lambda _: close_terminal(and_pipes=True),
        is_for_screen=order.is_for_screen,
        notice=order.notice,
        leader=leader,
    )


def _train_at(
    place: Place, given: GivenOptions, order: Order | None, *, as_json: bool, starts_others: bool
) -> NoReturn:
    """Train as one of several processes: an order, or what is given. Exits with 0 unless another process was lost.

    Without an orderly shutdown: torch might wait for a process that is gone.
    """
    from tui.cli.headless import run_headless
    from tui.process.ranks import RunLeader, follow
    from tui.run.connection import to_tweetgen_error

    code = 0
    try:
        if starts_others:
            raise ConfigError(
                "RANK is set in the environment, as torchrun does; --nproc-per-node and --detach don't fit that.",
                "Omit them, or start the program without torchrun.",
            )
        runtime = RuntimeConfig(**fields_of(RuntimeConfig, given)) if order is None else order.config.runtime
        leader = RunLeader(place) if place.is_leader else None
        if leader is None:
            follow(place, runtime)
        elif leader.has_ended:
            leader.join(runtime).end()
        elif order is not None:
            _train_ordered(order, leader)
        else:
            run_headless(_config_of(given, runtime, leader), as_json=as_json, leader=leader)
    except Exception as error:  # noqa: BLE001 - torchrun would start again after any other end than this one
        problem = to_tweetgen_error(error, "A process of the run")
        code = RankLostError.exit_code if isinstance(error, RankLostError) else 0
        for line in filter(None, (f"tweetgen-tui: {problem.message}", problem.hint)):
            sys.stderr.write(line + "\n")
    leave_process(code)


def _config_of(given: GivenOptions, runtime: RuntimeConfig, leader: RunLeader) -> RunConfig:
    """Return the run that the options ask for. Raises `TweetgenError`, on the other ranks too."""
    try:
        return config_to_train(given)
    except TweetgenError as error:
        with contextlib.suppress(DistributedError):  # the other ranks have not joined
            leader.join(runtime).end(error)
        raise
