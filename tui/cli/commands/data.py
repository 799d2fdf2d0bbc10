"""`tweetgen-tui data`: inspect, fetch."""

from __future__ import annotations

import typer

from tui.cli.commands import data_fetch, data_inspect

app = typer.Typer(no_args_is_help=True, help="Inspect files of tweets, or download a known data set.")
app.command("inspect")(data_inspect.inspect)
app.command("fetch")(data_fetch.fetch)
