"""The command line: parse, check, hand over. What a command does lives in `tui.cli.commands`."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.storage.versions import installed_version
from tui.cli.commands import screen
from tui.cli.lazy_group import LazyGroup
from tui.cli.options import RUN, Given, OnHangup, takes, to_run_config
from tui.terminal.capabilities import GlyphSet

app = typer.Typer(
    name="tweetgen-tui",
    cls=LazyGroup,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

_SCREEN = {"rich_help_panel": "Screen"}


def _show_version(is_asked: bool) -> None:  # noqa: FBT001 - the form of typer's callbacks
    """Print the version and leave."""
    if is_asked:
        typer.echo(f"tweetgen-tui {installed_version('tweetgen-tui')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
@takes(*RUN)
def open_screen(
    given: Given,
    *,
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
    glyphs: Annotated[
        GlyphSet | None,
        typer.Option(help="What plots and frames are drawn with; not given, what suits the terminal.", **_SCREEN),
    ] = None,
    on_hangup: OnHangup = "go-on",
    ascii_only: Annotated[bool, typer.Option("--ascii", help="The same as --glyphs ascii.", **_SCREEN)] = False,
) -> None:
    """Watch and steer a character-level GRU while it learns to write tweets.

    Without a command, the screen opens and training starts: on the embedded happy tweets, or on your own (--data).
    """
    if context.invoked_subcommand is None:
        screen.open_screen(to_run_config(given), "ascii" if ascii_only else glyphs, stops_on_hangup=on_hangup == "stop")
    elif given or glyphs or ascii_only or on_hangup != "go-on":
        context.fail(f"Put the options behind the command: tweetgen-tui {context.invoked_subcommand} ...")
