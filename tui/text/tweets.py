"""The text of a tweet as feed and summary show it.

Settings of sampled tweets, and the drafts that the filter refused, as short texts.

The filter is what `SamplingConfig.has_filter` covers: what a whole tweet has to be.

A corpus preview in up to three lines: a doubt; format and share of usable rows; the first tweet. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from engine.config.sampling import DRAW_FIELDS, SamplingConfig
from engine.corpus.report import CorpusPreview, SourceReport, counted
from engine.protocol.events import Novelty, RefusalReason, TweetSampled
from engine.text import ELLIPSIS, sanitize_line
from tui.text.cells import shortened
from tui.text.numbers import format_count

EMPTY_TWEET = "(empty: <EOS> at once)"
"""Shown in place of an empty text."""
_MAX_CHARS = 2000
NOVELTY_GLYPHS: dict[Novelty, str] = {"new": "●", "near-copy": "◐", "copy": "○"}
"""The fuller, the newer; one cell wide each."""
NOVELTY_SENTENCES: dict[Novelty, str] = {
    "new": "no training tweet is similar",
    "near-copy": "similar to a training tweet",
    "copy": "equal to a training tweet but for names, links, case and punctuation",
}


def shown_text(tweet: TweetSampled) -> str:
    """Return the text as shown, with an ellipsis if it was cut at its maximum length."""
    if not tweet.text:
        return EMPTY_TWEET
    text = sanitize_line(tweet.text, _MAX_CHARS)
    return text if tweet.reached_eos else text + ELLIPSIS


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
_DEFAULTS = SamplingConfig()
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
    if name in DRAW_FIELDS and value == getattr(_DEFAULTS, name):
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


def draw_settings(sampling: SamplingConfig) -> Iterator[tuple[str, str]]:
    """Yield label and value of each setting of how characters are drawn that is not at its default."""
    for name in DRAW_FIELDS:
        value = getattr(sampling, name)
        if value != getattr(_DEFAULTS, name):
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


_USUAL_NOTES = frozenset({"header row found", "no header row"})
_LABELS = re.compile(r"labels in .*: (kept [^;]*)(?:;.*)?")
_ALL_KEPT = "kept all"
_CHOSEN_COLUMN = re.compile(r"text in .*: (?:by its name|the longest)")


def fact_line(preview: CorpusPreview, name: str) -> str:
    """Return format, columns and the share of rows that are tweets; empty without sources.

    `name` is the requested file or folder: a source of the same name is not repeated.
    """
    if not preview.sources:
        return ""
    first = preview.sources[0]
    read_as = ", ".join([" and ".join(dict.fromkeys(source.format for source in preview.sources)), *_notes(first)])
    facts = [f"{_sources_prefix(preview.sources, name)}{read_as}", _counts(preview)]
    return " · ".join([*facts, *_labels(first), *_choices(preview.sources)])


def doubt_in(preview: CorpusPreview) -> str:
    """Return the first source that does not look like text, and why; empty if all do."""
    doubted = (f"{each.name} does not look like text: {each.doubt}" for each in preview.sources if each.doubt)
    return next(doubted, "")


def sample_line(preview: CorpusPreview) -> str:
    """Return the first tweet; empty if none was seen."""
    return f"first tweet: {preview.first_tweet}" if preview.first_tweet else ""


def _sources_prefix(sources: tuple[SourceReport, ...], name: str) -> str:
    """Return a prefix that names the sources, unless the only one is `name`."""
    if len(sources) > 1:
        return f"checked {counted(len(sources), 'file')}: "
    source_name = sources[0].name.removeprefix(f"{name}: ")
    return f"{source_name}: " if source_name != name else ""


def _notes(source: SourceReport) -> list[str]:
    return [note for note in source.notes if note not in _USUAL_NOTES and not _LABELS.fullmatch(note)]


def _labels(source: SourceReport) -> list[str]:
    """Return which labels are kept, and the option that keeps all."""
    found = [match.group(1) for note in source.notes if (match := _LABELS.fullmatch(note))]
    return [f"{kept}; --label all keeps all" for kept in found if kept != _ALL_KEPT]


def _choices(sources: tuple[SourceReport, ...]) -> Iterator[str]:
    """Yield the options that choose other texts, where the file has some."""
    if any(map(_CHOSEN_COLUMN.match, sources[0].notes)):
        yield "--column chooses another"
    if len(sources) > 1:
        yield "--member reads only some"


def _counts(preview: CorpusPreview) -> str:
    """Return how many rows are tweets."""
    num_rows = sum(source.num_rows for source in preview.sources)
    num_kept = sum(source.num_kept for source in preview.sources)
    rows = counted(num_rows, "row")
    if num_kept == num_rows:
        return f"all {rows} are tweets" if preview.is_whole else f"all of the first {rows} are tweets"
    return f"{num_kept:,} of {'' if preview.is_whole else 'the first '}{rows} are tweets"
