"""Settings of sampled tweets, and the drafts that the filter refused, as short texts.

The filter is what `SamplingConfig.has_filter` covers: what a whole tweet has to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.config.sampling import SamplingConfig
from engine.protocol.events import RefusalReason
from tui.formatting.numbers import format_count, shortened

SETTING_LABELS = {
    "only_new": "only new",
    "avoid": "avoid",
    "must_contain": "must contain",
    "min_length": "min length",
    "max_length": "max length",
    "best_of": "best of",
    "top_k": "top-k",
    "top_p": "top-p",
    "min_p": "min-p",
    "temperature_last": "temp order",
}
"""By the name of the field; temperature and prime, which have keys of their own, are elsewhere."""
_OFF = {"top_k": 0, "top_p": 1.0, "min_p": 0.0}
"""The values that disable a setting."""
_REASONS: dict[RefusalReason, tuple[str, str]] = {
    "copy": ("copy", "copies"),
    "near-copy": ("near-copy", "near-copies"),
    "avoided word": ("with an avoided word", "with avoided words"),
    "required text missing": ("without the text", "without the text"),
    "too short": ("too short", "too short"),
    "unfinished": ("unfinished", "unfinished"),
}
"""After a count of 1, and after others."""
_MAX_TEXT_CELLS = 18
FILTER_SEPARATOR = " · "


def format_setting(name: str, value: object) -> str:
    """Return the value of a setting as `format_value` does, or "off", "after top-k/top-p/min-p", "“morning”"."""
    if name == "temperature_last":
        return f"{'after' if value else 'before'} top-k/top-p/min-p"
    if name in _OFF and value == _OFF[name]:
        return "off"
    return f"“{value}”" if value and isinstance(value, str) else format_value(value)


def format_value(value: object) -> str:
    """Return a value of a config: "on", "off", "0.1", "1,024", "2: love, hate", "auto", "none"."""
    match value:
        case bool():
            return "on" if value else "off"
        case None | "" | ():
            return "none"
        case tuple():
            return f"{format_count(len(value))}: {', '.join(map(str, value))}"
        case int():
            return format_count(value)
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def truncation_settings(sampling: SamplingConfig) -> Iterator[tuple[str, str]]:
    """Yield label and value of each setting that excludes unlikely characters."""
    for name, off in _OFF.items():
        value = getattr(sampling, name)
        if value != off:
            yield SETTING_LABELS[name], format_setting(name, value)


def filter_parts(sampling: SamplingConfig) -> Iterator[str]:
    """Yield each setting of the filter in a few cells: "new", "avoid 3", "“morning”", "20+ chars", "best of 4"."""
    if sampling.only_new:
        yield "new"
    if sampling.avoid:
        yield f"avoid {format_count(len(sampling.avoid))}"
    if sampling.must_contain:
        yield f"“{shortened(sampling.must_contain, _MAX_TEXT_CELLS)}”"
    if sampling.min_length:
        yield f"{format_count(sampling.min_length)}+ chars"
    if sampling.best_of > 1:
        yield f"best of {format_count(sampling.best_of)}"


def reason_text(reason: RefusalReason) -> str:
    """Return why one draft was refused: "copy", "with an avoided word"."""
    return _REASONS[reason][0]


def refused_text(refused: Iterable[tuple[RefusalReason, int]]) -> str:
    """Return how many drafts were refused and why: "20 copies, 13 with avoided words"; empty for none."""
    return ", ".join(f"{format_count(count)} {_REASONS[reason][count != 1]}" for reason, count in refused)
