"""The rows of a sequence of JSON values: objects with a text under some key, arrays that are a table's rows, strings.

The key is chosen over the first values that have one; those without it are dropped rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain, islice

from engine.config.corpus import DEFAULT_LABEL, CorpusConfig
from engine.corpus.readers.json_files.json_maps import is_table_row
from engine.corpus.readers.json_files.json_paths import array_paths, find_text_key, shown_paths, values_at
from engine.corpus.readers.json_files.json_values import as_json
from engine.corpus.readers.json_files.text_key import Numbered, TextKey, as_cell
from engine.corpus.readers.labels import Labels, find_labels
from engine.corpus.readers.reader import DroppedRow, NoTextsError, Row, Source, example
from engine.corpus.readers.table import Record, find_table
from engine.errors import CorpusError
from engine.text import sanitize_line

_MAX_AHEAD, _MAX_AHEAD_CHARS = 1000, 1_000_000
"""Values that are read before the choice of the key or the column."""
_MAX_NAMES = 200
"""Keys among which the labels are looked for."""


def value_rows(
    values: Iterator[Numbered],
    source: Source,
    config: CorpusConfig,
    *,
    key: str | None = None,
    inside: str = "",
    place: str = "line",
) -> Iterator[Row]:
    """Yield the rows of `values`, each of which is a `place` of the file.

    `key` is the path of the texts in them, "" if they are the texts; None: `config.column`, or else it is detected.
    `inside` is the path of the array of the values, with a trailing dot. Raises `NoTextsError` if no value has a
    usual key: before the first row, or after all rows if there are thousands.
    """
    prefers_long = config.column is None
    text_key = TextKey(source, "text", inside, place, prefers_long, config.no_retweets)
    ahead = _ahead(values)
    key = config.column if key is None else key
    if _is_table(ahead) and not (key and "." in key):
        is_named = config.column is not None or config.label_column is not None
        names = next((list(value) for _, value, _ in ahead if isinstance(value, dict) and is_named), [])
        yield from table_rows(chain(ahead, values), source, config, names=names, place=place)
        return
    if key is None:
        ahead = yield from _up_to_a_key(ahead, values, text_key)
    else:
        text_key.key = key
    _find_labels(ahead, text_key, config)
    yield from text_key.rows(chain(ahead, values))


def _up_to_a_key(
    ahead: list[Numbered], values: Iterator[Numbered], text_key: TextKey
) -> Generator[Row, None, list[Numbered]]:
    """Set the key of `text_key`; yield the rows of the values before those with a key, and return these.

    Raises `NoTextsError` if no value has a key; without a row before if they are few.
    """
    source, inside = text_key.source, text_key.inside
    problem: CorpusError | None = None
    has_rows = False
    while ahead:
        key, problem_here = _usual_key(ahead, source)
        if key is not None:
            text_key.key = key
            if path := (inside + key).rstrip("."):
                source.notes.append(f"texts under {sanitize_line(path, 80)}")
            break
        problem = problem or problem_here
        following = _ahead(values, ahead[-1][2])
        if following or has_rows or problem is None:
            yield from map(text_key.without_key, ahead)
        ahead, has_rows = following, True
    if not ahead and problem is not None:
        raise problem
    return ahead


def _find_labels(ahead: list[Numbered], text_key: TextKey, config: CorpusConfig) -> None:
    """Set the labels of `text_key` by the first objects with texts, as those of a table, and add a note.

    Raises `CorpusError` as `find_labels`.
    """
    found = chain.from_iterable(values_at(value, text_key.key) for _, value, _ in ahead) if text_key.key else iter(())
    posts = [post for text, post in islice(found, _MAX_AHEAD) if isinstance(text, str) and isinstance(post, dict)]
    name_sets = ([name for name, cell in post.items() if not isinstance(cell, dict | list)] for post in posts)
    names = list(dict.fromkeys(chain.from_iterable(name_sets)))[:_MAX_NAMES]
    text_name = text_key.key.rpartition(".")[2]
    rows = [[as_cell(post.get(name)) for name in names] for post in posts]
    text_column = names.index(text_name) if text_name in names else -1
    labels = find_labels(rows, names, text_column, config, text_key.source.name) if names else Labels()
    if labels.note:
        text_key.label_key, text_key.label_filter = names[labels.index], labels.filter
        text_key.source.notes.append(f"labels under {sanitize_line(names[labels.index], 40)}: {labels.note}")
    elif config.label != DEFAULT_LABEL:
        text_key.source.notes.append("no labels found: every row kept")


def table_rows(
    values: Iterable[Numbered], source: Source, config: CorpusConfig, *, names: Sequence[str] = (), place: str = "row"
) -> Iterator[Row]:
    """Yield the rows of a table whose rows are arrays; `names` are those of its columns, if they are known.

    Raises `CorpusError` as `find_table`.
    """
    numbered = iter(values)
    ahead = _ahead(numbered)
    records = (_record(each, place) for each in chain(ahead, numbered))
    first = [record[1] for each in ahead if isinstance(record := _record(each, place), tuple)]
    yield from find_table(first, source, config, names=names).rows(records, place=place)


def _record(numbered: Numbered, place: str) -> Record | DroppedRow:
    """Return the record of a table's row, or why it is dropped."""
    number, value, _ = numbered
    if isinstance(value, DroppedRow):
        return value
    if isinstance(value, dict | list):
        return number, list(map(as_cell, value.values() if isinstance(value, dict) else value))
    return DroppedRow("not an array", example(f"{place} {number:,}", as_json(value)))


def _ahead(values: Iterator[Numbered], num_chars: int = 0) -> list[Numbered]:
    """Consume and return the next values of a file of which `num_chars` were read."""
    ahead: list[Numbered] = []
    for each in islice(values, _MAX_AHEAD):
        ahead.append(each)
        if each[2] - num_chars > _MAX_AHEAD_CHARS:
            break
    return ahead


def _is_table(ahead: list[Numbered]) -> bool:
    """Return whether most values are the rows of a table; a single one may as well be an array of texts."""
    values = [value for _, value, _ in ahead if not isinstance(value, DroppedRow)]
    return len(values) > 1 and sum(map(is_table_row, values)) > len(values) / 2


def _usual_key(ahead: list[Numbered], source: Source) -> tuple[str | None, CorpusError | None]:
    """Return the most frequent key of texts of these values, "" if they are strings; or None, and the problem."""
    counts: Counter[str] = Counter()
    problem: CorpusError | None = None
    values = [value for _, value, _ in ahead if not isinstance(value, DroppedRow)]
    for value in values:
        try:
            key = find_text_key(value) if isinstance(value, dict) else None
            key = key or (only_array(value, source.name) if isinstance(value, dict | list) else None)
        except CorpusError as error:
            problem = problem or error
        else:
            counts.update([key] if key is not None else ())
    if counts:
        return counts.most_common(1)[0][0], None
    if problem is None and any(isinstance(value, str) for value in values):
        return "", None
    return None, problem or (_without_texts(values[0], source) if values else None)


def only_array(value: object, name: str) -> str | None:
    """Return the path of the texts in the only array of posts; None without one.

    Raises `CorpusError` if several arrays qualify; `name` is the file in the message.
    """
    paths = array_paths(value)
    if len(paths) > 1:
        shown = " or ".join(sanitize_line(path, 60) for path in paths[:5])
        raise CorpusError(f"{name} has several arrays of texts.", f"Choose one with --column: {shown}.")
    return paths[0] if paths else None


def _without_texts(first: object, source: Source) -> NoTextsError:
    """Return the error of values none of which has a text under a usual key; `first` is the first of them."""
    if isinstance(first, dict):
        keys = ", ".join(islice(first, 12)) or "no keys"
        paths = shown_paths(first)
        if not paths:
            return NoTextsError(
                f"{source.name} has no texts: its first object has {keys}, none of which is a text.",
                "If others have texts, set their key with --column, dotted if nested.",
            )
        return NoTextsError(
            f"{source.name} has no known key for the tweet; its first object has {keys}.",
            f"Set the key with --column, dotted if nested: {paths}.",
        )
    if isinstance(first, list):
        return NoTextsError(
            f"{source.name} has no texts: its items are arrays, the first of them {sanitize_line(as_json(first), 80)}.",
            "Set the place of the text in them with --column, from 1: --column 1.",
        )
    return NoTextsError(
        f"{source.name} has no texts: its first item is {sanitize_line(as_json(first), 80)}.",
        "Its items must be strings, or objects with the text under a key, which --column sets.",
    )
