"""Values of a `RunView` as short texts, for the status and machine panels. Pure; never lays out a line."""

from __future__ import annotations

from collections.abc import Iterator

from engine.corpus.report import counted
from tui.formatting.numbers import (
    format_count,
    format_duration,
    format_eta,
    format_learning_rate,
    format_temperature,
)
from tui.formatting.sampling import FILTER_SEPARATOR, SETTING_LABELS, filter_parts, format_setting, truncation_settings
from tui.run.eta import eta_of
from tui.run.setting_commands import format_speed_limit
from tui.run.view import SPENT, RunPhase, RunView
from tui.widgets.status.lines import UNKNOWN

_PHASE_GLYPHS: dict[RunPhase, str] = {"starting": "○", "training": "▶", "paused": "‖", "finished": "■", "failed": "✗"}


def phase_text(view: RunView) -> str:
    """Return the phase with its glyph: "▶ training", "‖ paused, finishing", "▶ replay".

    A run whose budget is used up is "▶ finishing" until its last evaluation and save are done.
    """
    is_spent = view.progress is not None and view.progress >= SPENT
    if view.is_replay:
        word = "replay" if view.phase == "training" else f"replay, {view.shown_phase}"
    elif view.is_finishing or (view.phase == "training" and is_spent):
        word = "finishing" if view.phase == "training" else f"{view.phase}, finishing"
    else:
        word = view.shown_phase
    return f"{_PHASE_GLYPHS[view.shown_phase]} {word}"


def step_text(view: RunView) -> str:
    """Return the step, and the one at which the run stops: "600 of 1,200"."""
    limits = view.limits_in_steps
    return format_count(view.step) + (f" of {min(limits):,.0f}" if limits else "")


def remaining_text(view: RunView) -> Iterator[tuple[str, str]]:
    """Yield label and value of `stop_text`, unless the run has ended or the step already shows a used-up budget."""
    label, value = stop_text(view)
    if view.ended is None and value != f"{step_text(view)} steps":
        yield label, value


def stop_text(view: RunView) -> tuple[str, str]:
    """Return when the run stops, as label and value, or the budget that is used up."""
    if not view.has_budget:
        return "stops", "when you quit"
    if view.progress is not None and view.progress >= 1:
        return "done", _spent_budget(view)
    eta = eta_of(view)
    return "stops", f"in {UNKNOWN}" if eta is None else f"in {format_eta(eta.seconds, eta.spread_seconds)}"


def _spent_budget(view: RunView) -> str:
    """Return the budget that is used up: "1,000 of 1,000 steps", "5:00": the last evaluation may have exceeded it."""
    if any(view.step >= limit for limit in view.limits_in_steps):
        return f"{format_count(view.step)} of {min(view.limits_in_steps):,.0f} steps"
    return format_duration(min(view.limits_in_seconds))


def sampling_settings(view: RunView) -> Iterator[tuple[str, str]]:
    """Yield the temperature, and what is not at its default: the filter, the prime, and how each character is drawn."""
    sampling = view.sampling
    yield "temperature", format_temperature(sampling.temperature)
    if sampling.has_filter:
        yield "filter", FILTER_SEPARATOR.join(filter_parts(sampling))
    if sampling.prime:
        yield "prime", sampling.prime
    yield from truncation_settings(sampling)
    if sampling.temperature_last:
        yield SETTING_LABELS["temperature_last"], format_setting("temperature_last", sampling.temperature_last)
    if view.started is not None and sampling.max_length != view.started.sampling.max_length:
        yield "max length", format_count(sampling.max_length)


def device_text(view: RunView) -> str:
    """Return device, precision and threads: "cpu float32, 2 threads"."""
    if view.started is None:
        return UNKNOWN
    return f"{view.started.device} {view.precision}, {counted(view.num_threads, 'thread')}"


def num_ranks(view: RunView) -> int:
    """Return the number of processes that train together."""
    return 1 if view.started is None else view.started.world_size


def ranks_text(view: RunView, noun: str = "") -> Iterator[str]:
    """Yield number, machines and backend of the ranks: "16 on 2 machines, nccl"; nothing with one process."""
    if view.started is not None and view.started.world_size > 1:
        num_machines = len(set(view.ranks.hosts)) if view.ranks is not None else 1
        machines = f" on {num_machines} machines" if num_machines > 1 else ""
        yield f"{num_ranks(view)}{noun}{machines}, {view.started.backend}"


def slowest_rank_text(view: RunView) -> Iterator[str]:
    """Yield the rank that waits least for the others, and its share of waiting, once measured: "3, waits 12 %"."""
    if view.ranks is not None and view.ranks.waiting_shares:
        share, rank = min((share, rank) for rank, share in enumerate(view.ranks.waiting_shares))
        yield f"{rank}, waits {100 * share:.0f} %"


def learning_rate_text(view: RunView, separator: str) -> str:
    """Return the current learning rate, and the peak one if warm-up, schedule or finish have reduced it."""
    now = format_learning_rate(view.learning_rate)
    peak = format_learning_rate(view.training.learning_rate) if view.training is not None else now
    return now if now == peak else f"{now}{separator}{peak}"


def changed_batch_size(view: RunView) -> Iterator[str]:
    """Yield the batch size if it was changed during the session."""
    now, before = view.training, view.started.training if view.started is not None else None
    if now is not None and before is not None and now.batch_size != before.batch_size:
        yield f"{format_count(now.batch_size)}, was {format_count(before.batch_size)}"


def speed_limits(view: RunView) -> Iterator[str]:
    """Yield the speed limit, if there is one."""
    if view.training is not None and view.training.steps_per_second:
        yield format_speed_limit(view.training.steps_per_second)
