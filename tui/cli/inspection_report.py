"""An `Inspection` as a report for a terminal, or without colour for a file or pipe.

Text from the data is always the last column: wide, combining and right-to-left characters can't shift another one.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from engine.corpus.inspection import Inspection, by_kind
from engine.corpus.report import DUPLICATE, NEAR_DUPLICATE, CorpusReport, SourceReport
from engine.text import counted, sanitize_line
from tui.text.cells import bar, cell_len, shortened
from tui.text.numbers import format_share, format_size

_MAX_BAR_CELLS = 40
_CELLS_BESIDE_BAR = 24
_MAX_REASON_CELLS = 40
_MAX_SOURCES = 24
_MAX_KINDS = 10
_MAX_CHARS_OF_A_KIND = 50
_TRACE = 0.001
"""Share of the letters and symbols below which a script is listed without its share."""
_MAX_TRACES = 4
_NO_BREAK = "\u00a0"
_KEY = "cyan"
_TITLE = "bold"
_GOOD = "bold green"
_DOUBT = "bold yellow"
_QUIET = "bright_black"


def print_inspection(console: Console, inspection: Inspection) -> None:
    """Print the whole report."""
    print_sources(console, inspection.corpus.report)
    _print(console, _section("tweets", _facts(inspection, console.width)))
    _print(console, _section("length in characters", _lengths(inspection, console.width)))
    _print(console, _section("characters", _alphabet(inspection)))
    samples = inspection.samples
    title = f"{counted(len(samples), 'tweet')} at random"
    _print(console, _section(title, _listed(samples)), is_last=True)


def print_sources(console: Console, report: CorpusReport) -> None:
    """Print each source with its kept and dropped rows, and an example of each reason."""
    num_sources = len(report.sources)
    for source in report.sources[:_MAX_SOURCES]:
        _print(console, _source(source, console.width))
    if num_sources > _MAX_SOURCES:
        _print(console, Text(f"and {num_sources - _MAX_SOURCES:,} more; --json shows each", style=_QUIET))
    if num_sources > 1:
        _print(console, _section(f"all {num_sources:,} together", *_row_counts(report)))


def _print(console: Console, part: RenderableType, *, is_last: bool = False) -> None:
    """Print a part and an empty line; not on a terminal, strip trailing spaces."""
    with console.capture() as capture:
        console.print(part)
    lines = capture.get().splitlines()
    if not console.is_terminal:
        lines = [line.rstrip(" ") for line in lines]
    console.file.write("\n".join([*lines, "" if is_last else "\n"]))


def _section(title: str | Text, *parts: RenderableType) -> RenderableType:
    """Return parts under a rule with a title."""
    heading = Text(title, _TITLE) if isinstance(title, str) else title
    rule = Rule(heading, align="left", style=_QUIET, characters="─")
    return Group(rule, *(Padding(part, (0, 0, 0, 2)) for part in parts))


# What was read --------------------------------------------------------------------------------------------------------


def _source(source: SourceReport, width: int) -> RenderableType:
    """Return the section of one source: name, format, notes, kept and dropped rows."""
    name = shortened(source.name, max(width - len(source.format) - 8, 8))
    title = Text.assemble((name, _TITLE), ("  ", _QUIET), (source.format, _KEY))
    parts: list[RenderableType] = [Text(note, style=_QUIET) for note in source.notes]
    if source.doubt:
        parts.append(Text(f"does not look like text: {source.doubt}", style=_DOUBT))
    return _section(title, *parts, *_row_counts(source))


def _row_counts(read: SourceReport | CorpusReport) -> Iterator[RenderableType]:
    """Yield the number of kept rows and a table of the dropped ones."""
    kept = f"{read.num_kept:,} of {counted(read.num_rows, 'row')} kept"
    yield Text.assemble((kept, _GOOD), f" ({format_share(read.num_kept, read.num_rows)})" if read.num_rows else "")
    if read.dropped:
        yield _dropped(read)


def _dropped(source: SourceReport | CorpusReport) -> Table:
    """Return the reasons with counts, each with the start of one row."""
    table = Table.grid(padding=(0, 2), expand=True)
    counts = [f"{count:,}" for count in source.dropped.values()]
    widest = min(max(map(cell_len, source.dropped)), _MAX_REASON_CELLS)
    table.add_column(justify="right", style="yellow", no_wrap=True, width=max(map(len, counts)))
    table.add_column(no_wrap=True, overflow="ellipsis", width=widest)
    table.add_column(style=_QUIET, no_wrap=True, overflow="ellipsis", ratio=1)
    for count, reason in zip(counts, source.dropped, strict=True):
        table.add_row(count, Text(sanitize_line(reason)), Text(sanitize_line(source.examples.get(reason, ""))))
    return table


# What is in it --------------------------------------------------------------------------------------------------------


def _facts(inspection: Inspection, width: int) -> Table:
    """Return a table of the facts; a number and its percent sign stay on one line, which rich (14) does not ensure."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style=_KEY, no_wrap=True)
    table.add_column()
    facts = list(_named_facts(inspection))
    max_cells = max(width - max(len(name) for name, _ in facts) - 4, 10)
    for name, value in facts:
        lines = textwrap.wrap(value.replace(" %", f"{_NO_BREAK}%"), max_cells)
        table.add_row(name, Text("\n".join(lines).replace(_NO_BREAK, " ")))
    return table


def _named_facts(inspection: Inspection) -> Iterator[tuple[str, str]]:
    num_tweets = inspection.corpus.report.num_kept
    marks = {"an @name": inspection.num_mentions, "a link": inspection.num_links, "a hashtag": inspection.num_hashtags}
    yield "training", counted(len(inspection.corpus.train), "tweet")
    yield "validation", _validation(inspection)
    yield "duplicates", _duplicates(inspection.corpus.report)
    yield "contain", "   ".join(f"{name} {format_share(count, num_tweets)}" for name, count in marks.items())
    yield "scripts", _scripts(inspection.scripts)
    verb = "opened from the cache" if inspection.corpus.was_cached else "read"
    yield "time", f"{verb} in {inspection.seconds:.2f} s, {format_size(inspection.peak_bytes)} of memory"


def _scripts(scripts: dict[str, int]) -> str:
    """Return the scripts with their shares; of those below `_TRACE`, the first few names."""
    total = sum(scripts.values())
    shares = [f"{name} {format_share(count, total)}" for name, count in scripts.items() if count >= _TRACE * total]
    traces = list(scripts)[len(shares) :]
    more = f" and {len(traces) - _MAX_TRACES:,} more" if len(traces) > _MAX_TRACES else ""
    if traces:
        shares.append(f"traces of {', '.join(traces[:_MAX_TRACES])}{more}")
    return ", ".join(shares) or "no letters"


def _validation(inspection: Inspection) -> str:
    """Return the number of validation tweets, and of those that share a long run of text with a training tweet."""
    num_tweets, share = len(inspection.corpus.validation), inspection.shared_run_share
    num_sharing = round(share * num_tweets)
    sharing = f"{num_sharing:,} of them ({100 * share:.2f} %)" if num_sharing else "none"
    verb = "share" if num_sharing > 1 else "shares"
    figure = f"{sharing} {verb} 30 or more characters with a training tweet, names and links aside"
    return f"{counted(num_tweets, 'tweet')}; {figure}"


def _duplicates(report: CorpusReport) -> str:
    """Return the number of duplicates and near-duplicates, and whether they are kept."""
    if not report.num_duplicates + report.num_near_duplicates:
        return "none"
    counts = ((report.num_duplicates, "duplicate"), (report.num_near_duplicates, "near-duplicate"))
    phrases = " and ".join(counted(count, thing) for count, thing in counts if count)
    is_dropped = DUPLICATE in report.dropped or NEAR_DUPLICATE in report.dropped
    outcome = "the first of each group is kept" if is_dropped else "all are kept, each group on one side of the split"
    meaning = " (they differ in a word or a name)" if report.num_near_duplicates else ""
    return f"{phrases}{meaning}; {outcome}"


def _lengths(inspection: Inspection, width: int) -> RenderableType:
    """Return a histogram of the lengths."""
    lengths = inspection.lengths
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", style=_QUIET, no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="green", no_wrap=True)
    most = max(length.num_tweets for length in lengths)
    max_cells = max(min(_MAX_BAR_CELLS, width - _CELLS_BESIDE_BAR), 1)
    for length in lengths:
        span = f"{length.first:,}–{length.last:,}" if length.last > length.first else str(length.first)
        least = 1 / (8 * max_cells) if length.num_tweets else 0.0  # any number above 0 is visible
        table.add_row(span, f"{length.num_tweets:,}", bar(max(length.num_tweets / most, least), max_cells).rstrip())
    mean = f"{inspection.mean_length:,.0f} on average, {inspection.num_chars:,} in all"
    return Group(Text(mean), table)


# The characters -------------------------------------------------------------------------------------------------------


def _alphabet(inspection: Inspection) -> RenderableType:
    """Return the number of distinct characters, the most frequent of each kind, and those that occur once."""
    kinds = by_kind(inspection.char_counts)
    shown = dict(list(kinds.items())[:_MAX_KINDS])
    table = Table.grid(padding=(0, 2), expand=True)
    numbers = [f"{len(chars):,}" for chars in shown.values()]
    table.add_column(style=_KEY, no_wrap=True, width=max(map(len, shown)))
    table.add_column(justify="right", no_wrap=True, width=max(map(len, numbers)))
    table.add_column(justify="right", style=_QUIET, no_wrap=True, width=len("<0.1 %"))
    table.add_column(style=_TITLE, no_wrap=True, overflow="ellipsis", ratio=1)
    for (kind, chars), number in zip(shown.items(), numbers, strict=True):
        share = format_share(sum(chars.values()), inspection.num_chars)
        table.add_row(kind, number, share, Text(_spaced(chars, _MAX_CHARS_OF_A_KIND)))
    parts: list[RenderableType] = [Text(f"{len(inspection.char_counts):,} distinct characters"), table]
    if len(kinds) > len(shown):
        parts.append(Text(f"and {len(kinds) - len(shown):,} more kinds", style=_QUIET))
    if rare := inspection.rare_chars:
        verb = "occurs" if len(rare) == 1 else "occur"
        known = f"{len(rare):,} {verb} only once: {_spaced(rare, _MAX_CHARS_OF_A_KIND)}"
        parts.append(Text(known, no_wrap=True, overflow="ellipsis"))  # one that begins in Hebrew would be turned
    return Group(*parts)


def _spaced(chars: Iterable[str], most: int) -> str:
    """Return characters separated by spaces: jamo, flags, skin tones and Arabic letters would join."""
    shown = [_shown(char) for char in chars]
    return " ".join(shown[:most]) + (" …" if len(shown) > most else "")


def _shown(char: str) -> str:
    """Return a visible form of a character: a mark on a circle, an invisible one as its code point."""
    if char == " ":
        return "␣"
    if unicodedata.category(char)[0] == "M" and sanitize_line(f"x{char}") == f"x{char}":
        return f"◌{char}"
    return char if cell_len(char) and char.isprintable() else f"U+{ord(char):04X}"


def _listed(tweets: Iterable[str]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style=_QUIET, no_wrap=True)
    table.add_column(overflow="fold")
    for tweet in tweets:
        table.add_row("·", Text(sanitize_line(tweet)))
    return table
