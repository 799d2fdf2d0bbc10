"""What the shell shows when a run has ended, from the screen and from the headless command alike."""

from __future__ import annotations

from collections.abc import Iterable

from engine.errors import TweetgenError, exit_code_for
from engine.protocol.events import RunFailed, RunFinished
from engine.text import ELLIPSIS, harmless
from tui.formatting.numbers import format_bits, format_count, format_duration
from tui.formatting.shell import quoted
from tui.run.exit_codes import EXIT_CODES
from tui.run.view import RunView

_MAX_NOTICE_CHARS = 120

NUM_TWEETS = 3
UNSAVED_CODE = TweetgenError.exit_code
"""Of a run that ended without its last steps being saved."""


def exit_code_of(view: RunView) -> int:
    """Return what the program ends with after this run."""
    match view.ended:
        case RunFailed(title=title):
            return exit_code_for(title)
        case RunFinished(reason=reason):
            return EXIT_CODES.get(reason, UNSAVED_CODE if view.num_unsaved_steps else 0)
        case None:
            return 0


def summary_lines(view: RunView) -> list[str]:
    """Return a run in a few lines: how far, how good, three tweets, how to go on. Empty if none was trained."""
    if view.started is None or view.is_replay:
        return []
    best = view.best
    lines = [
        f"{view.started.run}: {format_count(view.step)} steps in {format_duration(view.elapsed_seconds)}"
        + (
            f", best {format_bits(best.bits_per_char)} bits per character at step {format_count(best.step)}"
            if best
            else ""
        )
    ]
    lines += [f"  {tweet.text}{'' if tweet.reached_eos else ELLIPSIS}" for tweet in view.tweets[-NUM_TWEETS:]]
    if view.num_unsaved_steps:
        lines.append(_unsaved(view))
    if view.saved_step is None and view.loaded_step is None and view.num_unsaved_steps:
        return lines
    lines.append(f"Go on with it:  tweetgen-tui --resume {quoted(view.started.run)}{_further(view)}")
    return lines


def _unsaved(view: RunView) -> str:
    """Return the line about steps that are not in the run's `latest`."""
    if view.saved_step is None and view.loaded_step is not None:
        return f"The {view.num_unsaved_steps:,} steps since step {view.loaded_step:,} was loaded are not saved."
    if view.saved_step is None:
        return "Nothing of it is saved: the disk took nothing."
    return f"Saved up to step {view.saved_step:,}: the {view.num_unsaved_steps:,} steps after it will be learned again."


def _further(view: RunView) -> str:
    """Return the option that gives a run whose budget is used up as much again; empty for any other."""
    if view.started is None:
        return ""
    used = {"max_steps": view.step, "epochs": view.epoch, "max_seconds": view.elapsed_seconds}
    for budget, amount in used.items():
        limit = getattr(view.started.training, budget)
        if limit is not None and amount >= limit:
            twice = int(2 * limit) if 2 * limit == int(2 * limit) else 2 * limit
            return f" --{budget.replace('_', '-')} {twice}"
    return ""


def error_lines(view: RunView) -> list[str]:
    """Return the two lines of a run that failed; empty for one that did not."""
    if not isinstance(view.ended, RunFailed):
        return []
    return [f"tweetgen-tui: {view.ended.detail}", *([view.ended.hint] if view.ended.hint else [])]


def earlier_lines(views: Iterable[RunView]) -> list[str]:
    """Return how to go on with the runs before the one that the summary tells of."""
    started = [view.started for view in views if view.started is not None and not view.is_replay]
    return [f"Run before it:  tweetgen-tui --resume {quoted(each.run)}  ({each.corpus})" for each in started]


def ending_lines(view: RunView) -> list[str]:
    """Return how a run ended that somebody asks for later, and the lines that were its summary."""
    match view.ended:
        case RunFinished(reason=reason):
            how = f"The run has ended: {reason.replace('_', ' ')}."
        case RunFailed(title=title, detail=detail):
            how = f"The run has failed. {title}: {detail}"
        case _:
            how = "The run was cut off: it was killed, or the machine went down."
    return [how, *summary_lines(view)]


def end_lines(view: RunView, earlier: Iterable[RunView] = ()) -> list[str]:
    """Return summary, earlier runs, and error, if any."""
    return [*summary_lines(view), *earlier_lines(earlier), *error_lines(view)]


def ending_of(view: RunView) -> str:
    """Return what there is to say of a run that has come to its end or failed."""
    run = "" if view.started is None else f" {view.started.run}"
    if isinstance(view.ended, RunFailed):
        return harmless(f"tweetgen-tui: run{run} failed. {view.ended.title}.", _MAX_NOTICE_CHARS)
    bits = "" if view.best is None else f", best {format_bits(view.best.bits_per_char)} bits"
    return harmless(f"tweetgen-tui: run{run} is over at {format_count(view.step)} steps{bits}.", _MAX_NOTICE_CHARS)
