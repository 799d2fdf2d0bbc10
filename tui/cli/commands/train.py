"""`tweetgen-tui train`: a run without a screen."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.run import RunConfig
from tui.cli.options import RUN, GivenOptions, OnHangup, to_run_config, with_options

if TYPE_CHECKING:
    from tui.run.view import RunView


@with_options(*RUN, folds=True)
def train(
    given: GivenOptions,
    *,
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as a line of JSON on stdout.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Train in the background; tweetgen-tui attach opens the screen.")
    ] = False,
    on_hangup: OnHangup = "go-on",
) -> None:
    """Train without a screen.

    Shows a progress bar on a terminal, plain lines elsewhere. The run stops after --max-steps, --epochs or
    --max-seconds, whichever comes first; without one of them, Ctrl-C saves and stops it.

    Examples:
    tweetgen-tui train --max-seconds 120
    tweetgen-tui train --data my.csv --max-steps 1000 --json
    tweetgen-tui train --detach
    """
    if detach and as_json:
        context.fail("--detach and --json exclude each other: a run in the background has no output.")
    config = to_run_config(given)
    if detach:
        sys.exit(_train_detached(config))
    from tui.cli.headless import run_headless

    sys.exit(run_headless(config, as_json=as_json, stops_on_hangup=on_hangup == "stop"))


def _train_detached(config: RunConfig) -> int:
    """Train in a child process; this one shows its progress until it has started, then exits."""
    from tui.process.job_control import start_job_control

    job_control = start_job_control()

    from tui.cli.headless import run_headless
    from tui.process.signals import close_terminal
    from tui.run.summary import how_to_attach

    def let_go(view: RunView) -> None:
        sys.stderr.write(how_to_attach(view) + "\n")
        sys.stderr.flush()
        close_terminal(and_pipes=True)
        job_control.release(0)

    return run_headless(config, as_json=False, on_start=let_go)
