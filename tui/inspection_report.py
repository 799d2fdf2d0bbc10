"""An `Inspection` as a page to read: on a terminal in colour, elsewhere the same without."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from engine.corpus.inspection import Inspection
from engine.corpus.report import CorpusReport, SourceReport
from engine.text import harmless
from tui.formatting import format_count, format_share, format_size

_BAR_CELLS = 40
_MAX_RARE_CHARS = 24
_MAX_COMMON_CHARS = 40
_MAX_SCRIPTS = 6
_KEY = "bold cyan"
_QUIET = "bright_black"


def print_inspection(console: Console, inspection: Inspection) -> None:
    """Print the whole report."""
    print_sources(console, inspection.report)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style=_KEY, no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(inspection):
        facts.add_row(name, value)
    console.print(facts)
    console.print()
    console.print(Rule("some of the tweets", align="left", style=_QUIET, characters="─"))
    for tweet in inspection.samples:
        console.print(Padding(Text(harmless(tweet)), (0, 0, 0, 2)))


def print_sources(console: Console, report: CorpusReport) -> None:
    """Print what was read, and what was dropped with an example of each."""
    for source in report.sources:
        console.print(_source(source))
        console.print()


def _source(source: SourceReport) -> RenderableType:
    """Return one source: its name, what was found out, what became of its rows."""
    title = Text.assemble((source.name, "bold"), (f"  {source.format}", _KEY))
    parts: list[RenderableType] = [Rule(title, align="left", style=_QUIET, characters="─")]
    parts += [Padding(Text(note, style=_QUIET), (0, 0, 0, 2)) for note in source.notes]
    share = format_share(source.num_kept, source.num_rows)
    kept = f"{format_count(source.num_kept)} of {format_count(source.num_rows)} rows kept"
    parts.append(Padding(Text.assemble((kept, "bold green"), f" ({share})"), (0, 0, 0, 2)))
    if source.dropped:
        parts.append(Padding(_dropped(source), (0, 0, 0, 2)))
    return Group(*parts)


def _dropped(source: SourceReport) -> Table:
    """Return the reasons with their counts, each with the beginning of one row."""
    table = Table.grid(padding=(0, 2), expand=True)
    counts, reasons = map(format_count, source.dropped.values()), source.dropped
    table.add_column(justify="right", style="yellow", no_wrap=True, width=max(map(len, counts)))
    table.add_column(no_wrap=True, width=max(map(len, reasons)))
    table.add_column(style=_QUIET, no_wrap=True, overflow="ellipsis", ratio=1)
    for reason, count in source.dropped.items():
        table.add_row(format_count(count), Text(reason), Text(harmless(source.examples.get(reason, ""))))
    return table


def _facts(inspection: Inspection) -> Iterable[tuple[str, RenderableType]]:
    """Yield the figures by name."""
    report, num_tweets = inspection.report, inspection.report.num_kept
    yield "characters", _alphabet(inspection)
    yield "scripts", _scripts(inspection)
    yield "lengths", _lengths(inspection)
    marks = {"an @name": inspection.num_mentions, "a link": inspection.num_links, "a hashtag": inspection.num_hashtags}
    shares = (f"{name} {format_share(count, num_tweets)}" for name, count in marks.items())
    yield "tweets with", Text("   ".join(shares))
    alike = (
        f"{format_count(report.num_duplicates)} say what an earlier one says, "
        f"{format_count(report.num_near_duplicates)} differ from one in a word or a name"
    )
    yield "alike", Text(alike)
    shared = f"{inspection.shared_run_share:.2%}".replace("%", " %")
    held_out = (
        f"{format_count(inspection.num_val_tweets)} tweets; {shared} of them share a run of 30 or more characters "
        f"with one of the {format_count(inspection.num_train_tweets)} training tweets"
    )
    yield "held out", Text(held_out)
    verb = "opened from the cache" if inspection.was_cached else "read"
    yield "cost", Text(f"{verb} in {inspection.seconds:.2f} s, {format_size(inspection.peak_bytes)} of memory")


def _alphabet(inspection: Inspection) -> Text:
    """Return the characters: how many, the most frequent, the rare ones."""
    chars, rare = list(inspection.char_counts), inspection.rare_chars
    text = Text(f"{format_count(inspection.num_chars)}, {format_count(len(chars))} different: ")
    text.append("".join(char if char != " " else "␣" for char in chars[:_MAX_COMMON_CHARS]), "bold")
    if len(chars) > _MAX_COMMON_CHARS:
        text.append(" …")
    if rare:
        text.append(f"\n{format_count(len(rare))} occur only once: ")
        text.append(" ".join(map(_shown, rare[:_MAX_RARE_CHARS])) + (" …" if len(rare) > _MAX_RARE_CHARS else ""))
    return text


def _shown(char: str) -> str:
    """Return a character as it can be shown, or its number where it shows nothing by itself."""
    return char if harmless(f"x{char}x") == f"x{char}x" and char.isprintable() else f"U+{ord(char):04X}"


def _scripts(inspection: Inspection) -> Text:
    """Return the scripts with their shares."""
    total = sum(inspection.scripts.values())
    shown = list(inspection.scripts.items())[:_MAX_SCRIPTS]
    rest = len(inspection.scripts) - len(shown)
    shares = [f"{name} {format_share(count, total)}" for name, count in shown]
    return Text(", ".join(shares) + (f" and {rest} more" if rest else "") or "no letters")


def _lengths(inspection: Inspection) -> RenderableType:
    """Return the histogram of the lengths."""
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", style=_QUIET, no_wrap=True)
    table.add_column(style="green", no_wrap=True)
    table.add_column(justify="right", style=_QUIET, no_wrap=True)
    most = max(bar.num_tweets for bar in inspection.lengths)
    for bar in inspection.lengths:
        cells = bar.num_tweets * _BAR_CELLS / most
        table.add_row(f"{bar.first}-{bar.last}", _bar(cells), format_count(bar.num_tweets))
    return Group(Text(f"{inspection.mean_length:.0f} characters on average"), table)


def _bar(cells: float) -> str:
    """Return a bar of so many cells, to an eighth of one."""
    whole, eighths = divmod(round(8 * cells), 8)
    return "█" * whole + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths]
