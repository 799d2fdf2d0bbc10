"""Sentences on a run: printed at its end or when it continues without a screen, its notification, title and toasts."""

from __future__ import annotations

import os
from collections.abc import Iterable

from engine.config.run import BUDGETS
from engine.protocol.events import RunFailed, RunFinished
from engine.text import quoted, sanitize_line
from tui.run.ending import doubled
from tui.run.view import RunView, is_over
from tui.text.numbers import LossUnit, format_bits, format_duration
from tui.text.tweets import shown_text

NUM_TWEETS = 3
_MAX_NOTICE_CHARS = 120


def summary_lines(view: RunView) -> list[str]:
    """Return the summary of a run: steps, best evaluation, three tweets, how to continue. Empty before its start."""
    if view.started is None or view.is_replay:
        return []
    best = view.best
    length = f"{view.name}: {view.step:,} steps in {format_duration(view.elapsed_seconds)}"
    at_best = f", best {format_bits(best.bits_per_char)} bits per character at step {best.step:,}" if best else ""
    lines = [f"{length}{at_best}", *(f"  {shown_text(tweet)}" for tweet in view.tweets[-NUM_TWEETS:])]
    num_unsaved, saved, loaded = view.num_unsaved_steps, view.saved_step, view.loaded_step
    if num_unsaved and saved is not None:
        lines.append(f"Saved up to step {saved:,}: a resume repeats the {num_unsaved:,} steps after it.")
    elif num_unsaved and loaded is not None:
        lines.append(f"The {num_unsaved:,} steps since step {loaded:,} was loaded are not saved.")
    elif num_unsaved:
        return [*lines, "Nothing is saved: the disk could not be written."]
    return [*lines, f"Continue it:  tweetgen-tui --resume {quoted(view.name)}{_larger_budget(view)}"]


def _larger_budget(view: RunView) -> str:
    """Return the options that double each budget that is used up, or what was used if more; empty without one."""
    limits = {name: limit for name in view.used if (limit := view.settings[name]) is not None}
    spent = {name: doubled(limit, view.used[name]) for name, limit in limits.items() if view.used[name] >= limit}
    return "".join(f" --{name.replace('_', '-')} {limit:.12g}" for name, limit in spent.items())


def earlier_lines(views: Iterable[RunView]) -> list[str]:
    """Return how to resume each of the earlier runs."""
    started = [view.started for view in views if view.started is not None and not view.is_replay]
    return [f"Earlier run:  tweetgen-tui --resume {quoted(each.run)}  ({each.corpus})" for each in started]


def end_lines(view: RunView, earlier: Iterable[RunView] = ()) -> list[str]:
    """Return summary, earlier runs, and error, if any."""
    lines = [*summary_lines(view), *earlier_lines(earlier)]
    if isinstance(view.ended, RunFailed):
        lines += [f"tweetgen-tui: {view.ended.detail}", *([view.ended.hint] if view.ended.hint else [])]
    return lines


def end_reason(reason: str) -> str:
    """Return the reason of an end in words."""
    words = reason.replace("_", " ")
    return f"{words} reached" if reason in BUDGETS else words


def how_it_ended(view: RunView) -> list[str]:
    """Return how a run ended, and its summary."""
    match view.ended:
        case RunFinished(reason=reason):
            how = f"The run has ended: {end_reason(reason)}."
        case RunFailed(title=title, detail=detail):
            how = f"The run has failed. {title}: {detail}"
        case _:
            how = "The run was cut off: its process was killed, or the machine stopped."
    return [how, *summary_lines(view)]


def end_notification(view: RunView, unit: LossUnit = "bits") -> str:
    """Return the desktop notification of a run that has ended, with its best loss in `unit`."""
    run = f" {view.name}" if view.name else ""
    if isinstance(view.ended, RunFailed):
        return sanitize_line(f"tweetgen-tui: run{run} failed. {view.ended.title}.", _MAX_NOTICE_CHARS)
    best = "" if view.best is None else f", best {format_bits(view.best.bits_per_char, unit)} {unit}"
    text = f"tweetgen-tui: run{run} finished after {view.step:,} steps{best}."
    return sanitize_line(text, _MAX_NOTICE_CHARS)


def title_of(view: RunView, unit: LossUnit = "bits") -> str:
    """Return the terminal's title: run, loss in `unit`, step, and the phase unless it is training."""
    bits = view.last_val.bits_per_char if view.last_val is not None else view.smoothed_bits
    parts = [
        "tweetgen-tui",
        view.name,
        "replay" if view.is_replay else "",
        f"{format_bits(bits, unit)} {unit}" if bits is not None else "",
        f"{view.step:,} steps" if view.step else "",
        view.shown_phase if view.shown_phase not in {"training", "starting"} else "",
    ]
    return sanitize_line(" · ".join(filter(None, parts)), _MAX_NOTICE_CHARS)


def how_to_attach(view: RunView, problem: str = "") -> str:
    """Return the line printed when the screen closes and the run continues; `problem` is why none can attach."""
    if view.started is None:
        return "The run continues in the background; once it has started:  tweetgen-tui attach"
    name = view.started.run
    if is_over(view):
        return f"The run {sanitize_line(name)} is finished; its process ends once no screen is attached."
    continues = f"The run {sanitize_line(name)} continues in the background"
    if problem:
        why = sanitize_line(problem).rstrip(".")
        return f"{continues}. No terminal can attach to it: {why}. To save and end it:  kill {os.getpid()}"
    return f"{continues}:  tweetgen-tui attach {quoted(name)}"


def busy_line(view: RunView) -> str:
    """Return the line printed when the screen closes while the run still saves, as requested."""
    return f"The run {sanitize_line(view.name)} is still busy; it saves and ends in the background."


def why_no_levels(view: RunView, refusal: str) -> str:
    """Return why the plot has no reference levels; `refusal` is why the session has not measured them."""
    if view.is_replay:
        return "A replay has no reference levels: the journal of a run does not contain them."
    if view.is_overfit:
        return "A run on one tweet has no reference levels: there are no other tweets to count."
    if refusal:
        return f"The reference levels were not measured: {refusal} They are tried again."
    if view.ended is not None:
        return "The run ended before its reference levels were measured."
    return "The reference levels are shown once they are measured."
