"""The command line: its commands, what the program does without one, and what typer (0.29) lacks."""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import signal
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from engine.errors import TweetgenError
from engine.storage.log import installed_version
from engine.text import sanitize_lines
from tui.cli.commands import checkpoints, data, export, runs, screen
from tui.cli.commands.attach import attach, serve
from tui.cli.commands.doctor import bench, doctor, installed_versions, system
from tui.cli.commands.evaluate import evaluate
from tui.cli.commands.generate import generate
from tui.cli.commands.screen import lesson
from tui.cli.commands.train import train
from tui.cli.commands.xray import xray
from tui.cli.options import RUN, GivenOptions, NprocPerNode, OnHangup, config_to_train, with_options
from tui.cli.output import output_errors, print_json
from tui.terminal.capabilities import GlyphSet

EXAMPLES = "Examples:\n"
"""Begins the examples, the last paragraph of the docstring of a command."""
_PLAIN_WORDS = (
    (r"Input should be a valid (\w+), unable to parse string.*", r"Not a valid \1."),
    (r"Input should be (.*\w)$", r"It should be \1."),
    ("Value error, ", ""),
    (r"No such command '(.+\.\w+)'\.", r"No such command '\1'. Tweets in a file: --data '\1'."),
)
"""Patterns in messages of typer, and what replaces them."""
_ZSH_SCRIPT = """
#compdef %(prog_name)s

_%(prog_name)s() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" %(autocomplete_var)s=complete_zsh %(prog_name)s)
}

if [[ $funcstack[1] == _%(prog_name)s ]]; then
  _%(prog_name)s "$@"
else
  compdef _%(prog_name)s %(prog_name)s
fi
"""
"""Works where zsh finds it in a file called like its function, and where it is sourced.

Typer's own completes nothing at the first TAB of a shell that loads it from a file: zsh runs the file as the function
that completes, and that file only defines another one.
"""

with contextlib.suppress(ImportError, AttributeError):  # a later typer keeps its own: there is no public way
    from typer import _completion_shared

    _completion_shared._completion_scripts["zsh"] = _ZSH_SCRIPT  # noqa: SLF001


class Program(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - typer's arguments
        """Remove the line breaks in the paragraphs of docstrings, which typer keeps; examples stay lines."""
        super().__init__(**attributes)
        for command in _all_of(self):
            paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
            flowing = [each if each.startswith(EXAMPLES) else " ".join(each.split()) for each in paragraphs]
            command.help = "\n\n".join(flowing)

    def make_context(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as above
        """Parse the arguments."""
        with _plain_endings():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as above
        """Run the command that they name."""
        with _plain_endings():
            return super().invoke(ctx)


def _all_of(command: Any) -> Iterator[Any]:  # noqa: ANN401 - typer's class of commands has no public name
    """Yield a command, and those below it if it is a group."""
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from _all_of(below)


@contextlib.contextmanager
def _plain_endings() -> Iterator[None]:
    """Exit quietly with the code of SIGPIPE once the reader of stdout has closed it (`... | head -1`).

    Reword messages of typer, and escape control characters, since some quote the argument as it was typed.
    """
    try:
        try:
            yield
        finally:
            with output_errors():
                sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as error:
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise  # else rich (15) has exited with 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # discards what is still buffered
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:  # re-raised, reworded
        message = getattr(error, "message", None)  # the class of typer's errors has no public name
        if isinstance(message, str) and not isinstance(error, TweetgenError):
            for pattern, plain in _PLAIN_WORDS:
                message = re.sub(pattern, plain, message)
            error.message = sanitize_lines(message)  # type: ignore[attr-defined] # it has one
        raise


app = typer.Typer(
    name="tweetgen-tui",
    cls=Program,
    subcommand_metavar="[COMMAND]",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (lesson, train, attach, serve, generate, evaluate, xray, bench):
    app.command()(command)
for group in (checkpoints, export, runs, data):
    app.add_typer(group.app, name=group.__name__.rpartition(".")[2])
last = typer.Typer()  # without a name: typer puts commands before groups
last.command()(doctor)
app.add_typer(last)

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
        number = installed_version("tweetgen-tui")
        if as_json:
            print_json({"version": number, "versions": installed_versions(), "system": system()})
        else:
            typer.echo(f"tweetgen-tui {number}")
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
