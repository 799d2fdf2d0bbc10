"""Tweets as text: a tweet of the feed, the settings it is sampled with, refused drafts, a preview of a corpus. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from engine.config.sampling import DRAW_FIELDS, SamplingConfig
from engine.corpus.report import CorpusPreview
from engine.protocol.events import LadderTweet, Novelty, RefusalReason, TweetSampled
from engine.text import ELLIPSIS, counted, sanitize_line
from tui.text.cells import shortened

EMPTY_TWEET = "(empty: <EOS> at once)"
"""Shown in place of an empty text."""
NOVELTY_GLYPHS: dict[Novelty, str] = {"new": "●", "near-copy": "◐", "copy": "○"}
"""The fuller, the newer; one cell wide each."""
NOVELTY_SENTENCES: dict[Novelty, str] = {
    "new": "no training tweet is similar",
    "near-copy": "similar to a training tweet",
    "copy": "equal to a training tweet but for names, links, case and punctuation",
}
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
"""The labels of settings by the name of the field; temperature and prime have keys of their own."""
FILTER_SEPARATOR = " · "
_DEFAULTS = SamplingConfig()
_MAX_CHARS, _MAX_TEXT_CELLS = 2000, 18
_REASONS: dict[RefusalReason, tuple[str, str]] = {
    "copy": ("copy", "copies"),
    "near-copy": ("near-copy", "near-copies"),
    "avoided word": ("with an avoided word", "with avoided words"),
    "required text missing": ("without the text", "without the text"),
    "too short": ("too short", "too short"),
    "unfinished": ("unfinished", "unfinished"),
}
"""The words for a reason after a count of 1, and after others."""
_USUAL_NOTES = {"header row found", "no header row"}
_LABELS = re.compile(r"labels in .*: (kept [^;]*)(?:;.*)?")
_CHOSEN_COLUMN = re.compile(r"text in .*: (?:by its name|the longest)")


def shown_text(tweet: TweetSampled | LadderTweet) -> str:
    """Return the text as shown, with an ellipsis if it was cut at its maximum length."""
    if not tweet.text:
        return EMPTY_TWEET
    return sanitize_line(tweet.text, _MAX_CHARS) + ("" if tweet.reached_eos else ELLIPSIS)


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
            return f"{len(value):,}: {', '.join(map(str, value))}"
        case int():
            return f"{value:,}"
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
    """Yield each setting of what a whole tweet has to be, in a few cells: "new", "avoid 3", "20+ chars"."""
    if sampling.only_new:
        yield "new"
    if sampling.avoid:
        yield f"avoid {len(sampling.avoid):,}"
    if sampling.must_contain:
        yield f"“{shortened(sampling.must_contain, _MAX_TEXT_CELLS)}”"
    if sampling.min_length:
        yield f"{sampling.min_length:,}+ chars"
    if sampling.best_of > 1:
        yield f"best of {sampling.best_of:,}"


def reason_text(reason: RefusalReason) -> str:
    """Return why one draft was refused: "copy", "with an avoided word"."""
    return _REASONS[reason][0]


def refused_text(refused: Iterable[tuple[RefusalReason, int]]) -> str:
    """Return how many drafts were refused and why: "20 copies, 13 with avoided words"; empty for none."""
    return ", ".join(f"{count:,} {_REASONS[reason][count != 1]}" for reason, count in refused)


def fact_line(preview: CorpusPreview, name: str) -> str:
    """Return format, columns and the share of rows that are tweets; empty without sources.

    `name` is the requested file or folder: a source of the same name is not repeated. The options that would choose
    other texts are named where there are some.
    """
    if not (sources := preview.sources):
        return ""
    labels = [match[1] for note in sources[0].notes if (match := _LABELS.fullmatch(note))]
    notes = [note for note in sources[0].notes if note not in _USUAL_NOTES and not _LABELS.fullmatch(note)]
    read_as = ", ".join([" and ".join(dict.fromkeys(source.format for source in sources)), *notes])
    own_name = sources[0].name.removeprefix(f"{name}: ")
    prefix = f"{own_name}: " if own_name != name else ""
    if len(sources) > 1:
        prefix = f"checked {counted(len(sources), 'file')}: "
    num_kept = sum(source.num_kept for source in sources)
    num_rows = sum(source.num_rows for source in sources)
    which = "" if preview.is_whole else "the first "
    rows = f"{which}{counted(num_rows, 'row')} are tweets"
    return " · ".join(
        [
            f"{prefix}{read_as}",
            (f"all {'of ' if which else ''}{rows}" if num_kept == num_rows else f"{num_kept:,} of {rows}"),
            *(f"{kept}; --label all keeps all" for kept in labels if kept != "kept all"),
            *(["--column chooses another"] if any(map(_CHOSEN_COLUMN.match, sources[0].notes)) else []),
            *(["--member reads only some"] if len(sources) > 1 else []),
        ]
    )


def doubt_in(preview: CorpusPreview) -> str:
    """Return the first source that does not look like text, and why; empty if all do."""
    doubted = (f"{each.name} does not look like text: {each.doubt}" for each in preview.sources if each.doubt)
    return next(doubted, "")


def sample_line(preview: CorpusPreview) -> str:
    """Return the first tweet; empty if none was seen."""
    return f"first tweet: {preview.first_tweet}" if preview.first_tweet else ""
