r"""`read`: files read by `open_sources`, as the program reads them, as text to be compared with a recorded one.

    a.csv, csv                              each source with its format
    + 'hello there' (2 times)               a row with its text, as it is before cleaning
    - labelled sad (0): line 3: so sad      a dropped row with its reason and example
    * header row found                      a note
    ! a.csv is empty.                       the error, and its hint
    !   Give a file with one tweet per row.

`cases` are those of a file in the folder of this name: each has a name, which is a claim, options and small files;
several files are a folder, in which one without a known suffix is not opened.

    ==== a column is found by its name in any case
    with column: Text                       the files are read once with each line of options, or once without any
    with column: text, label: all
    ---- a.csv
    id,Text
    1,hello
    ---- b.tsv, escaped                     its content has Python's escapes, and no line break at its end
    1\thello
    ---- c.txt, bytes                       the same, and each character is one byte
    caf\xe9
    ---- d.txt, escaped                     a part is repeated that often, with # for its number
    «1000*number #\n»
    ---- e.parquet, table                   a table with the columns of a JSON object
    {"id": [1], "text": ["hello"]}
    ---- f.car, car                         a repository of Bluesky of these blocks
    {"$type": "app.bsky.feed.post", "text": "hello", "createdAt": "2024"}
    ---- g.zip, zip                         an archive of files, whose content has escapes
    a.txt: hello
"""

from __future__ import annotations

import atexit
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.files.streams import ReadProgress
from engine.corpus.readers.reader import Row, Source
from engine.corpus.sources import open_sources
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import car_of, parquet_of, tar_of, zip_of

Files = Mapping[str, str | bytes]
"""The content of files by name or path."""
Container = Literal["", "folder", "zip", "tar", "tar.gz"]
CASES = Path(__file__).parent / "cases"
MAX_SHOWN_ROWS, NUM_LAST_ROWS, MAX_SHOWN_CHARS = 8, 2, 160


def encoded(content: str | bytes) -> bytes:
    """Return the content of a file; a string is UTF-8."""
    return content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")


def write(folder: Path, files: Files) -> Path:
    """Write files into a folder and return it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(content))
    return folder


def packed(folder: Path, files: Files, container: Container = "", name: str = "f") -> Path:
    """Write files into a new container and return its path; without one, a single file, or several as a folder."""
    contents = {path: encoded(content) for path, content in files.items()}
    if container == "" and len(contents) == 1:
        return write(folder, contents) / next(iter(contents))
    if container in {"", "folder"}:
        return write(folder / name, contents)
    archive = zip_of(contents) if container == "zip" else tar_of(contents, "w:gz" if container == "tar.gz" else "w")
    return write(folder, {f"{name}.{container}": archive}) / f"{name}.{container}"


@cache
def _folder() -> Path:
    """Return the folder of this process for files that are read, since a new one for each takes longer than reading."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def _in_a_file(files: Files, container: Container) -> Iterator[str]:
    """Write files into a container and remove it afterwards."""
    path = packed(_folder(), files, container)
    try:
        yield str(path)
    finally:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def read(files: Files, container: Container = "", **options: Any) -> str:
    """Return what is read of files, with these fields of the `CorpusConfig`, as text."""
    with _in_a_file(files, container) as path:
        return "\n".join(read_lines(CorpusConfig(files=(path,), **options))).replace(f"{_folder()}/", "")


def read_lines(config: CorpusConfig) -> Iterator[str]:
    """Yield the lines of `read`."""
    whole: list[tuple[list[str], Source]] = []  # a source gets notes on the files after it as well
    lines: list[str] = []
    error: CorpusError | None = None
    try:
        for opened in open_sources(config, ReadProgress()):
            lines = [f"{opened.source.name}, {opened.source.format}"]
            rows: list[Row] = []
            try:
                rows.extend(opened.rows)
            finally:
                lines += _shown_rows(rows)
            whole.append((lines, opened.source))
            lines = []
    except CorpusError as caught:
        error = caught
    for shown, source in whole:
        yield from shown
        yield from (f"* {note}" for note in source.notes)
    yield from lines
    if error is not None:
        yield from (f"! {error.message}", f"!   {error.hint}")


def texts_of(files: Files, container: Container = "", **options: Any) -> list[str]:
    """Return the texts of the rows that are not dropped."""
    with _in_a_file(files, container) as path:
        opened = open_sources(CorpusConfig(files=(path,), **options), ReadProgress())
        return [row for each in opened for row in each.rows if isinstance(row, str)]


def _shown_rows(rows: list[Row]) -> list[str]:
    """Return a line for each row, or for several equal ones; in the middle of many, their number."""
    lines = []
    for line, equal in groupby(map(_shown_row, rows)):
        count = sum(1 for _ in equal)
        lines.append(line + (f" ({count:,} times)" if count > 1 else ""))
    if len(lines) > MAX_SHOWN_ROWS:
        num_more = len(lines) - MAX_SHOWN_ROWS
        lines[MAX_SHOWN_ROWS - NUM_LAST_ROWS : -NUM_LAST_ROWS] = [f"  ... {num_more:,} more"]
    return lines


def _shown_row(row: Row) -> str:
    if not isinstance(row, str):
        return f"- {row.reason}" + (f": {row.example}" if row.example else "")
    cut = f"... {len(row):,} characters" if len(row) > MAX_SHOWN_CHARS else ""
    return f"+ {row[: MAX_SHOWN_CHARS // 2 if cut else None]!r}{cut}"


@dataclass(frozen=True)
class Case:
    """Files that are read with some options, one after the other."""

    name: str
    options: tuple[dict[str, Any], ...]
    texts: tuple[str, ...]
    """Each file as the file of cases has it."""

    @property
    def files(self) -> Files:
        """The files, made only now: some are large."""
        return dict(map(_file, self.texts))

    @property
    def rows(self) -> list[str]:
        """The lines of a file that is called rows."""
        return str(self.files["rows"]).splitlines()

    def read(self) -> str:
        """Return what is read."""
        return read_with(self.options, self.files)


def read_with(options: Sequence[dict[str, Any]], files: Files) -> str:
    """Return what is read, with a line of the options before each if there are several."""
    if len(options) == 1:
        return read(files, **options[0])
    return "\n".join(f"({listed(each)})\n{read(files, **each)}" for each in options)


def recorded_cases(*names: str) -> pytest.MarkDecorator:
    """Return the mark of a test of each `case` in the files of these names."""
    found = [case for name in names for case in cases(name)]
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in found])


def cases(name: str) -> Iterator[Case]:
    """Yield the cases of a file."""
    for text in (CASES / f"{name}.txt").read_text(encoding="utf-8").split("==== ")[1:]:
        head, *files = re.split(r"^---- ", text, flags=re.MULTILINE)
        name, *options = head.splitlines()
        parsed = tuple(_options(line.removeprefix("with ")) for line in options if line)
        yield Case(name, parsed or ({},), tuple(files))


def _options(line: str) -> dict[str, Any]:
    """Return the options of "column: text, ascii: yes"."""
    pairs = (each.split(": ") for each in line.split(", ") if each != "defaults")
    return {name: True if value == "yes" else value for name, value in pairs}


def listed(options: Mapping[str, Any]) -> str:
    """Return options as in a file of cases."""
    shown = (f"{name}: {'yes' if value is True else value}" for name, value in options.items())
    return ", ".join(shown) or "defaults"


def _file(text: str) -> tuple[str, str | bytes]:
    """Return name and content of a file."""
    head, _, content = text.partition("\n")
    name, _, kind = head.partition(", ")
    content = content.rstrip("\n")
    if not kind:
        return name, content + "\n"
    if kind == "table":
        return name, parquet_of(json.loads(content))
    if kind == "car":
        return name, car_of([json.loads(line, object_hook=_bytes_or_object) for line in content.splitlines()])
    if kind == "zip":
        files = dict(line.split(": ", 1) for line in content.splitlines())
        return name, zip_of({path: unescaped(inside).encode() for path, inside in files.items()}, zipfile.ZIP_STORED)
    content = unescaped(repeated(content))
    return name, content.encode("latin-1") if kind == "bytes" else content


def _bytes_or_object(value: dict[str, Any]) -> object:
    return value["bytes"].encode() if value.keys() == {"bytes"} else value


def repeated(text: str) -> str:
    """Return a text with its marked parts repeated, the inner ones first."""
    while part := re.search(r"«(\d+)\*([^«»]*)»", text):
        again = part[2] * int(part[1])
        if "#" in again:
            again = "".join(part[2].replace("#", str(number)) for number in range(int(part[1])))
        text = text[: part.start()] + again + text[part.end() :]
    return text


def unescaped(text: str) -> str:
    """Return a text with Python's escapes decoded."""
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")
