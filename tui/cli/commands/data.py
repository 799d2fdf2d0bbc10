"""`tweetgen-tui data`: inspect, fetch."""

from __future__ import annotations

from tui.cli.commands import data_fetch, data_inspect
from tui.cli.help_page import CommandGroup

app = CommandGroup("Inspect files of tweets, or download a known data set.")
app.command("inspect")(data_inspect.inspect)
app.command("fetch")(data_fetch.fetch)
