"""`tweetgen-tui data`: inspect, fetch."""

from __future__ import annotations

import typer

from tui.cli.commands import data_fetch, data_inspect

app = typer.Typer(no_args_is_help=True, help="Look at tweets, and fetch some.", rich_markup_mode="rich")
app.command("inspect")(data_inspect.inspect)
app.command("fetch")(data_fetch.fetch)
