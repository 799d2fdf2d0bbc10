"""`tweetgen-tui train`: the same run as on the screen, without one."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tui.headless import run_headless
from tui.options import RUN, Given, takes, to_run_config


@takes(*RUN)
def train(
    given: Given,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print every event as a line of JSON on stdout.")] = False,
) -> None:
    """Train without a screen: a progress bar on a terminal, plain lines elsewhere.

    Ends with the budget (--max-steps, --epochs, --max-seconds); without one, Ctrl-C saves and ends.
    """
    sys.exit(run_headless(to_run_config(given), as_json=as_json))
