"""The command line: parses the options and calls what `tui.cli.commands` has for them."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.storage.log import installed_version
from tui.cli.commands import screen
from tui.cli.completion import use_own_zsh_script
from tui.cli.lazy_group import LazyGroup
from tui.cli.options import RUN, GivenOptions, NprocPerNode, OnHangup, config_to_train, with_options
from tui.cli.output.tables import print_json
from tui.cli.output.versions import installed_versions, system
from tui.terminal.capabilities import GlyphSet

app = typer.Typer(
    name="tweetgen-tui",
    cls=LazyGroup,
    subcommand_metavar="[COMMAND]",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

use_own_zsh_script()

_SCREEN = {"rich_help_panel": "Screen"}
_SCRIPTS = {"rich_help_panel": "Scripts"}


@app.callback(invoke_without_command=True)
@with_options(*RUN)
def open_screen(
    given: GivenOptions,
    *,
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit; --json adds those of the libraries.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="With --version: print all versions and the system as one JSON object.", **_SCRIPTS
        ),
    ] = False,
    glyphs: Annotated[
        GlyphSet | None,
        typer.Option(
            metavar="braille|block|ascii",
            help="Characters for plots and frames; by default those that the terminal supports.",
            **_SCREEN,
        ),
    ] = None,
    nproc_per_node: NprocPerNode = 1,
    on_hangup: OnHangup = "go-on",
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Same as --glyphs ascii.", **_SCREEN)] = False,
) -> None:
    """Watch and steer a character-level GRU while it learns to write tweets.

    Examples:
    tweetgen-tui                         open the screen on the embedded corpus
    tweetgen-tui --data my.csv           train on yours
    tweetgen-tui --resume last           continue the latest run
    tweetgen-tui attach                  show a run that trains in the background
    tweetgen-tui train --max-seconds 60  train without a screen
    tweetgen-tui generate -n 5           print five tweets
    """
    if version:
        _print_version(as_json=as_json)
        raise typer.Exit
    if as_json:
        context.fail("--json goes with --version, or behind a command: tweetgen-tui generate --json")
    if context.invoked_subcommand is None:
        screen.open_screen(
            config_to_train(given),
            "ascii" if ascii_only else glyphs,
            stops_on_hangup=on_hangup == "stop",
            num_processes=nproc_per_node,
        )
    elif given or glyphs or ascii_only or on_hangup != "go-on" or nproc_per_node != 1:
        context.fail(f"Put the options behind the command: tweetgen-tui {context.invoked_subcommand} ...")


def _print_version(*, as_json: bool) -> None:
    """Print the version of the program, as JSON with those of Python and the libraries."""
    version = installed_version("tweetgen-tui")
    if as_json:
        print_json({"version": version, "versions": installed_versions(), "system": system()})
    else:
        typer.echo(f"tweetgen-tui {version}")
