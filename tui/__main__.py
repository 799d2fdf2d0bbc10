"""Entry point: runs the command line and turns whatever goes wrong into two lines and an exit code."""

from __future__ import annotations

import sys

if sys.platform == "win32":  # before the imports that need a module or signal that Windows lacks
    sys.exit("tweetgen-tui: The program runs on Linux and macOS; on Windows, install it in WSL2: docs/install.md.")

import gc
import io
import os
import re
import signal
import traceback

from engine.errors import ConfigError, InternalError, TweetgenError
from tui.process.signals import leave_at_once


def main() -> None:
    """Run `tweetgen-tui` with the arguments of the process; exits with the codes of `engine.errors`, 2 for usage."""
    _reopen_closed_standard_streams()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have it ignored
        signal.signal(signal.SIGINT, leave_at_once)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a tweet may contain what a terminal's encoding lacks
    if "RANK" in os.environ:  # or torch (2.13) warns, over the progress, of each moment in which a rank waits
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")
    try:
        _require_working_directory()
        _run()
    except TweetgenError as error:
        _print_error(error)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the end of the line: two lines and exit code 3 instead of a traceback
        path = _write_traceback()
        _print_error(
            InternalError(f"{type(error).__name__}: {error}", f"The traceback is in {path}; please report it.")
        )
        sys.exit(InternalError.exit_code)


def _reopen_closed_standard_streams() -> None:
    """Open the null device where standard input, output or error is closed: a file or socket would take its number."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
            setattr(sys, name, open(descriptor, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False))  # noqa: SIM115 - it stays open


def _require_working_directory() -> None:
    """Raise `ConfigError` where the working directory is gone: a library that torch loads would end the process."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise ConfigError("The working directory has been deleted.", "Change to another one, as in: cd") from error


def _run() -> None:
    """Do what the arguments ask for, or a shell that completes them (it calls the program without arguments).

    Without any there is nothing to parse, and the screen opens 0.1 s sooner.
    """
    if sys.argv[1:] or "_TWEETGEN_TUI_COMPLETE" in os.environ:
        from tui.cli.app import app

        app(prog_name="tweetgen-tui")
    else:
        gc.disable()  # what is imported stays: looking through it again and again takes 30 ms

        from engine.config.run import RunConfig
        from tui.cli.commands.screen import open_screen

        open_screen(RunConfig())


def _print_error(error: TweetgenError) -> None:
    """Print an error's two lines on stderr."""
    # configs name their fields
    message = re.sub(r"^[a-z_]+(?= must be )", lambda field: "--" + field[0].replace("_", "-"), error.message)
    print(f"tweetgen-tui: {message}", *([error.hint] if error.hint else []), sep="\n", file=sys.stderr)  # noqa: T201


def _write_traceback() -> str:
    """Append the current exception to the log of the data folder; returns where that is."""
    from engine.storage.folders import home
    from engine.text import sanitize_lines

    path = home() / "tweetgen.log"
    lines = sanitize_lines(traceback.format_exc())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(lines)
    except OSError:
        sys.stderr.write(lines)
        return "the lines above"
    return str(path)


if __name__ == "__main__":
    main()
