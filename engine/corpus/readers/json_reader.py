"""JSON Lines, and JSON documents: arrays of objects or strings, objects with one at any depth, pages of APIs, tables.

All become a sequence of values: objects with a text under a key that is chosen by the first of them, or with several if
the key leads through arrays; rows of a table; strings. An object by id counts as the array of its values, and so do
values that follow one another without a comma. Lines are read as a stream, where an invalid one costs only itself; a
document is read whole, and what it has is found by the first items of its arrays.

A post of X's API may have its text twice: cut off under `text`, and whole in `extended_tweet` (v1.1, streams) or
`note_tweet` (v2); in Activity Streams, in `long_object`. A retweet has the post that it repeats, or a flag.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO

from engine.config.corpus import DEFAULT_LABEL, CorpusConfig
from engine.corpus.files.streams import Member
from engine.corpus.readers.columns import LONGEST, USUAL
from engine.corpus.readers.json_paths import (
    Missing,
    TextPath,
    arrays_in,
    has_text_at,
    is_table_row,
    key_of_rows,
    shown_paths,
    text_path,
    values_at,
)
from engine.corpus.readers.json_values import (
    JsonFile,
    Numbered,
    as_array,
    as_json,
    as_object,
    is_json,
    is_jsonl,
    values_of_lines,
)
from engine.corpus.readers.labels import LabelFilter, Labels, find_labels
from engine.corpus.readers.reader import (
    NOT_A_TEXT,
    RETWEET,
    DroppedRow,
    Format,
    NoTextsError,
    Row,
    Source,
    example,
    of_one_file,
)
from engine.corpus.readers.table import Record, find_table
from engine.text import counted, sanitize_line

_MAX_AHEAD, _MAX_AHEAD_CHARS = 1000, 1_000_000
"""Values that are read before the choice of the key or the column."""
_MAX_NAMES = 200
"""Keys among which the labels are looked for."""
_LONG_TEXTS = {"extended_tweet": "full_text", "note_tweet": "text", "long_object": "body"}
"""Keys of an object with the whole text of a post, and of the text in it."""
_RETWEETED_POSTS = ("retweeted_status", "retweeted_status_result", "retweetedTweet", "retweeted_tweet")
_RETWEET_FLAGS = ("is_retweet", "isRetweet", "retweet")


# Lines and documents --------------------------------------------------------------------------------------------------


def jsonl_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per line that is not blank, or several if the key leads through an array.

    Accepts `NaN`, which Python and pandas write, and numbers of any length. Raises `CorpusError` as `_value_rows`.
    """
    yield from _value_rows(values_of_lines(file, source), source, config, place="line")


def json_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per item of the array with the texts, or several if the path leads through arrays in it.

    `config.column` is the path of the text in the document or in an item. Raises `NoTextsError` if there is no array of
    tweets, and `CorpusError` if it is ambiguous or invalid, after the rows of an array before the damage.
    """
    file = JsonFile(members[0], source)
    root = None if file.is_array else file.root()
    if root is not None:
        yield from _document_rows(file, root, source, config)
    else:
        if not file.is_array:
            file.hint = "It has several JSON values: with --format jsonl, lines that are not valid are left out."
        place = "item" if file.is_array else "value"
        yield from _value_rows(_numbered(file, file.items()), source, config, place=place)
    if file.num_windows_chars:
        source.notes.append(f"{counted(file.num_windows_chars, 'character')} read as Windows-1252")


def _numbered(file: JsonFile, values: Iterable[object]) -> Iterator[Numbered]:
    """Yield values of a file, decoded, with their numbers."""
    for number, value in enumerate(values, start=1):
        yield number, file.decoded(value), file.num_decoded


def _document_rows(file: JsonFile, root: object, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield the rows of the only value of a file."""
    head = file.head(root)
    if columns := file.columns(root, head):
        cells = ([file.decoded(cell) for cell in each] for each in zip(*columns.values(), strict=True))
        yield from _table_rows(_numbered(file, cells), source, config, place="row", names=list(columns))
        return
    if config.column is None:
        found = text_path([head], source.name, is_document=True)
    else:
        found = _path_from_root(file, root, head, config.column)
    if (found is None or found.why == LONGEST) and (key := key_of_rows(head)):
        names = as_array(as_object(head).get("columns"))
        rows = as_array(file.opened(as_object(file.opened(root)).get(key)))
        yield from _table_rows(_numbered(file, rows), source, config, place="row", names=[str(name) for name in names])
    elif found is None:
        raise _without_array(head, source, config.column)
    elif array := file.array_on(root, found.path):
        if found == TextPath("", USUAL):
            source.notes.append("texts are the values of ids")
        inside, items, rest = array
        found = TextPath(rest, found.why)
        yield from _value_rows(_numbered(file, items), source, config, place="item", found=found, inside=inside)
    else:
        yield from _value_rows(iter([(1, file.decoded(root), 0)]), source, config, place="value", found=found)


def _path_from_root(file: JsonFile, root: object, head: object, column: str) -> TextPath | None:
    """Return the path in the document of a path in it or in the items of an array; None if it leads to no text."""
    if has_text_at(head, column):
        return TextPath(column, "")
    for path, items in arrays_in([head], everywhere=True).items():
        if items and has_text_at(items[0], column):
            return TextPath(".".join((*path, column)), "")
    array = file.array_on(root, column)
    has_text = array is not None and any(has_text_at(file.decoded(item), array[2]) for item in array[1])
    return TextPath(column, "") if has_text else None


# Tables ---------------------------------------------------------------------------------------------------------------


def _table_rows(
    values: Iterable[Numbered], source: Source, config: CorpusConfig, *, place: str, names: Sequence[str] = ()
) -> Iterator[Row]:
    """Yield the rows of a table whose rows are arrays; `names` are those of its columns, if they are known.

    Raises `CorpusError` as `find_table`.
    """
    numbered = iter(values)
    ahead = [_record(each, place) for each in _ahead(numbered)]
    table = find_table([each[1] for each in ahead if isinstance(each, tuple)], source, config, names=names)
    yield from table.rows(chain(ahead, (_record(each, place) for each in numbered)), place=place)


def _record(numbered: Numbered, place: str) -> Record | DroppedRow:
    """Return the record of a table's row, or why it is dropped."""
    number, value, _ = numbered
    if isinstance(value, DroppedRow):
        return value
    if isinstance(value, dict | list):
        return number, list(map(_as_cell, value.values() if isinstance(value, dict) else value))
    return DroppedRow("not an array", example(f"{place} {number:,}", as_json(value)))


def _as_cell(value: object) -> str:
    """Return a value as the cell of a table; null is blank."""
    return value if isinstance(value, str) else "" if value is None else as_json(value)


# Values with texts ----------------------------------------------------------------------------------------------------


def _value_rows(
    values: Iterator[Numbered],
    source: Source,
    config: CorpusConfig,
    *,
    place: str,
    found: TextPath | None = None,
    inside: str = "",
) -> Iterator[Row]:
    """Yield the rows of `values`, each of which is a `place` of the file.

    `found` is where the texts are in them; None: `config.column`, or else where the first values have them. `inside` is
    the path of the array of the values, with a trailing dot. Raises `NoTextsError` if no value has a text: before the
    first row, or after all rows if there are thousands.
    """
    ahead = _ahead(values)
    if found is None and config.column is not None:
        found = TextPath(config.column, "")
    examined = [value for _, value, _ in ahead if not isinstance(value, DroppedRow)]
    are_rows = len(examined) > 1 and sum(map(is_table_row, examined)) > len(examined) / 2  # else an array of texts
    if are_rows and not (found and "." in found.path):
        is_named = config.column is not None or config.label_column is not None
        names = next((list(value) for value in examined if isinstance(value, dict) and is_named), [])
        yield from _table_rows(chain(ahead, values), source, config, names=names, place=place)
        return
    first: list[object] = []
    is_beginning = True
    while found is None and ahead:
        found = text_path(examined, source.name)
        if found is None:
            first = first or examined[:1]
            following = _ahead(values)
            if following or not is_beginning or not first:
                yield from _Texts(source, place, inside, TextPath("text", ""), drops_retweets=False).rows(ahead)
            ahead, is_beginning = following, False
            examined = [value for _, value, _ in ahead if not isinstance(value, DroppedRow)]
    if found is None and first:
        raise _without_texts(first[0], source)
    if found is not None:
        if found.why and (path := (inside + found.path).rstrip(".")):
            why = f": {LONGEST}" if found.why == LONGEST else ""
            source.notes.append(f"texts under {sanitize_line(path, 80)}{why}")
        texts = _Texts(source, place, inside, found, config.no_retweets)
        texts.find_labels(ahead, config)
        yield from texts.rows(chain(ahead, values))
        if texts.num_long:
            source.notes.append(f"{counted(texts.num_long, 'long tweet')} read whole, from another key")


def _ahead(values: Iterator[Numbered]) -> list[Numbered]:
    """Consume and return the next values."""
    ahead: list[Numbered] = []
    for each in islice(values, _MAX_AHEAD):
        ahead.append(each)
        if each[2] - ahead[0][2] > _MAX_AHEAD_CHARS:
            break
    return ahead


@dataclass
class _Texts:
    """Turns values into rows."""

    source: Source
    place: str
    """The unit that a number counts, for examples: "line"."""
    inside: str
    """The path of the array of the values, with a trailing dot."""
    found: TextPath
    """Where the texts are in the values. Unless the user set it, a post's whole text replaces one that is cut off."""
    drops_retweets: bool
    label_key: str = ""
    label_filter: LabelFilter | None = None
    """None if posts are not filtered by the label under `label_key`."""
    num_missing: int = 0
    num_long: int = 0

    def find_labels(self, ahead: list[Numbered], config: CorpusConfig) -> None:
        """Find the labels beside the first texts, as in a table, and add a note. Raises `CorpusError`."""
        found = (each for _, value, _ in ahead for each in values_at(value, self.found.path))
        posts = [post for text, post in islice(found, _MAX_AHEAD) if isinstance(text, str) and isinstance(post, dict)]
        keys = (key for post in posts for key, cell in post.items() if not isinstance(cell, dict | list))
        names = list(islice(dict.fromkeys(keys), _MAX_NAMES))
        rows = [[_as_cell(post.get(name)) for name in names] for post in posts]
        text_name = self.found.path.rpartition(".")[2]
        text_column = names.index(text_name) if text_name in names else -1
        labels = find_labels(rows, names, text_column, config, self.source.name) if names else Labels()
        if labels.note:
            self.label_key, self.label_filter = names[labels.index], labels.filter
            self.source.notes.append(f"labels under {sanitize_line(self.label_key, 40)}: {labels.note}")
        elif config.label != DEFAULT_LABEL:
            self.source.notes.append("no labels found: every row kept")

    def rows(self, values: Iterable[Numbered]) -> Iterator[Row]:
        """Yield the rows of the values: one each, unless the path leads through an array."""
        path, is_filtered = self.found.path, self.drops_retweets or self.label_filter is not None
        for number, value, _ in values:
            text = value.get(path) if isinstance(value, dict) else None
            if isinstance(text, str) and not is_filtered and _LONG_TEXTS.keys().isdisjoint(as_object(value)):
                yield text
            elif isinstance(value, DroppedRow):
                yield value
            else:
                yield from self._rows_of(value, f"{self.place} {number:,}")

    def _rows_of(self, value: object, where: str) -> Iterator[Row]:
        path, num_rows = self.found.path, 0
        found = values_at(value, path) if path and isinstance(value, dict | list) else [(value, None)]
        for num_rows, (text, post) in enumerate(found, start=1):  # noqa: B007 - used below
            if isinstance(text, Missing):
                yield self._missing(text.beside, where)
            elif isinstance(text, str):
                yield self._row(text, as_object(post), where)
            else:
                yield DroppedRow(NOT_A_TEXT, example(where, as_json(text)))
        if not num_rows:
            yield self._missing(value, where)

    def _missing(self, value: object, where: str) -> DroppedRow:
        """Return the dropped row of a value in which the path ends."""
        self.num_missing += 1
        keys = shown_paths(value) if self.num_missing == 1 else ""  # only the first example is shown
        keys = keys or ", ".join(islice(as_object(value), 8)) or "no keys"
        return DroppedRow(f"no {self.inside}{self.found.path}", example(where, f"it has {keys}"))

    def _row(self, text: str, post: dict[str, object], where: str) -> Row:
        """Return the text of a post, the whole one if it has two, or why it is dropped."""
        if self.drops_retweets and _is_retweet(post):
            return DroppedRow(RETWEET, example(where, text))
        if self.label_filter and (reason := self.label_filter.reject_reason(_as_cell(post.get(self.label_key)))):
            return DroppedRow(reason, example(where, text))
        for outer, inner in _LONG_TEXTS.items() if self.found.why else ():
            if isinstance(whole := as_object(post.get(outer)).get(inner), str):
                self.num_long += 1
                return whole
        return text


def _is_retweet(post: dict[str, object]) -> bool:
    """Return whether a post of X's API, or of a common scraper, is marked as a retweet."""
    if any(post.get(key) for key in _RETWEETED_POSTS) or any(post.get(key) is True for key in _RETWEET_FLAGS):
        return True
    types = (as_object(each).get("type") for each in as_array(post.get("referenced_tweets")))
    return post.get("verb") == "share" or "retweeted" in types


def _without_array(document: object, source: Source, column: str | None) -> NoTextsError:
    """Return the error of a document without tweets."""
    problem = "has no array of tweets" if column is None else f"has no texts under {sanitize_line(column, 80)}"
    hint = "It must be an array of objects or strings, or an object with such an array; --column sets the key."
    if paths := shown_paths(document):
        hint = f"Set the key with --column, dotted if nested: {paths}."
    return NoTextsError(f"{source.name} {problem}.", hint)


def _without_texts(first: object, source: Source) -> NoTextsError:
    """Return the error of values none of which has a text; `first` is the first of them."""
    shown = sanitize_line(as_json(first), 80)
    problem = f"texts: its first item is {shown}"
    hint = "Its items must be strings, or objects with the text under a key, which --column sets."
    if isinstance(first, list):
        problem = f"texts: its items are arrays, the first of them {shown}"
        hint = "Set the place of the text in them with --column, from 1: --column 1."
    elif isinstance(first, dict):
        keys = ", ".join(islice(first, 12)) or "no keys"
        problem = f"texts: its first object has {keys}, none of which is a text"
        hint = "If others have texts, set their key with --column, dotted if nested."
        if paths := shown_paths(first):
            problem = f"known key for the tweet; its first object has {keys}"
            hint = f"Set the key with --column, dotted if nested: {paths}."
    return NoTextsError(f"{source.name} has no {problem}.", hint)


JSON = Format(name="json", rows=json_rows, suffixes=(".json",), looks_like=is_json, has_columns=True)
JSONL = Format(
    name="jsonl",
    rows=of_one_file(jsonl_rows),
    suffixes=(".jsonl", ".ndjson"),
    other_suffixes=(".json", ".txt"),
    looks_like=is_jsonl,
    has_columns=True,
)
