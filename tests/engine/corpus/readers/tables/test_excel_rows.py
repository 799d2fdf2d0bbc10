"""Excel workbooks, written by hand as the format describes them: one sheet is read as CSV is."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.files import ReadProgress
from engine.corpus.ingest.sources import open_sources
from engine.corpus.readers.tables import bounded_archive, held_file
from engine.corpus.readers.tables.excel_rows import excel_rows, looks_like
from engine.corpus.types import DroppedRow, Row, Source
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import gzip_of, tar_of, zip_of

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
HEADER = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>id</t></is></c><c r="B1" t="inlineStr"><is><t>tweet</t></is></c></row>'
)
MOODS = [("it was a very long day of rain", ":-("), ("we went to the sea again", ":-)"), ("and home it was", ":-(")]
STYLES = """
<numFmts><numFmt numFmtId="164" formatCode="[$-409]d. mmm yyyy"/><numFmt numFmtId="165" formatCode='0 "days"'/>
</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>
<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs>
"""


def relationships(*pairs: tuple[str, str]) -> bytes:
    """Return a part with relationships of these types and targets; the first is rId1."""
    entries = (
        f'<Relationship Id="rId{number}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(pairs, start=1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{"".join(entries)}</Relationships>'.encode()


def part(root: str, content: str, **attributes: str) -> bytes:
    """Return a part of a workbook."""
    more = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f'<?xml version="1.0"?><{root} xmlns="{MAIN}" xmlns:r="{OFFICE}"{more}>{content}</{root}>'.encode()


def parts_of(sheets: dict[str, str], *, strings: str = "", properties: str = "") -> dict[str, bytes]:
    """Return the parts of a workbook; `sheets` are the rows by the name of the sheet."""
    entries = ""
    for number, name in enumerate(sheets, start=1):
        state = "hidden" if name.startswith("-") else "visible"
        shown = name.lstrip("-")
        entries += f'<sheet name="{shown}" sheetId="{number}" state="{state}" r:id="rId{number}"/>'
    targets = [("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, len(sheets) + 1)]
    kinds = {"workbook": "sheet.main", "styles": "styles", "sharedStrings": "sharedStrings"}
    types = "".join(f'<Override PartName="/xl/{k}.xml" ContentType="{KINDS}.{v}+xml"/>' for k, v in kinds.items())
    files = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">{types}</Types>'.encode(),
        "_rels/.rels": relationships(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": part("workbook", f"<workbookPr {properties}/><sheets>{entries}</sheets>"),
        "xl/_rels/workbook.xml.rels": relationships(
            *targets, ("styles", "/xl/styles.xml"), ("sharedStrings", "sharedStrings.xml")
        ),
        "xl/styles.xml": part("styleSheet", STYLES),
        "xl/sharedStrings.xml": part("sst", strings),
    }
    for number, rows in enumerate(sheets.values(), start=1):
        files[f"xl/worksheets/sheet{number}.xml"] = part("worksheet", f"<sheetData>{rows}</sheetData>")
    return files


def workbook(rows: str, **options: str) -> bytes:
    """Return a workbook with one sheet."""
    return zip_of(parts_of({"Sheet1": rows}, **options))


def row(*texts: str) -> str:
    """Return a row of texts in the cells."""
    cells = (f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in texts)
    return f"<row>{''.join(cells)}</row>"


def read(data: bytes, **options: Any) -> tuple[list[Row], list[str]]:
    source = Source("t.xlsx", "excel")
    return list(excel_rows(io.BytesIO(data), source, CorpusConfig(**options))), source.notes


def message_of(data: bytes) -> str:
    with pytest.raises(CorpusError) as caught:
        read(data)
    assert caught.value.hint
    return caught.value.message


# Cells ----------------------------------------------------------------------------------------------------------------


def test_texts_are_read_from_shared_formatted_inline_and_computed_cells() -> None:
    strings = (
        "<si><t>a shared text</t></si>"
        '<si><r><rPr><b/></rPr><t>bold</t></r><r><t xml:space="preserve"> and plain</t></r></si>'
        "<si><t>東京</t><rPh sb='0' eb='2'><t>トウキョウ</t></rPh><phoneticPr fontId='1'/></si>"
        "<si><t>two_x000D_\nlines and &lt;3</t></si>"
    )
    rows = "".join(f'<row r="{2 + n}"><c r="B{2 + n}" t="s"><v>{n}</v></c></row>' for n in range(4))
    rows += '<row r="6"><c r="B6" t="str"><f>A1&amp;"x"</f><v>a result</v></c></row>' + row("7", "inline")
    assert read(workbook(HEADER + rows, strings=strings))[0] == [
        *("a shared text", "bold and plain", "東京", "two\r\nlines and <3", "a result", "inline")
    ]


def test_numbers_dates_and_truth_values_are_texts_and_errors_are_empty() -> None:
    cells = (
        's="1"><v>44255.604166666664',
        's="2"><v>44255',
        's="3"><v>44255',
        "><v>1.5",
        't="b"><v>1',
        't="e"><v>#N/A',
        's="1"><v>1E9',
    )
    rows = row("value", "x") + "".join(f"<row><c {cell}</v></c><c><v>1</v></c></row>" for cell in cells)
    assert read(workbook(rows), column="value")[0] == [
        *("2021-02-28 14:30:00", "2021-02-28", "44255", "1.5", "True"),
        *("", ""),
    ]
    assert read(workbook(rows, properties='date1904="1"'), column="value")[0][1] == "2025-03-01"


def test_columns_and_labels_are_chosen_as_in_csv() -> None:
    link = "https://example.com/a/long/way/to/go"
    rows = row("id", "text", "url", "sentiment")
    rows += row("1", "a nice day", link, "positive") + row("2", "a bad day", link, "negative")
    found, notes = read(workbook(rows))
    assert found == ["a nice day", DroppedRow("labelled negative", "row 3: a bad day")]
    assert notes[:2] == ["header row found", "text in column 2 (text): by its name"]
    assert read(workbook(rows), column="url", label="all")[0] == [link, link]
    assert read(workbook(rows), label_column="id", label="2")[0][1] == "a bad day"
    with pytest.raises(CorpusError, match="has no column absent"):
        read(workbook(rows), column="absent")


def test_missing_cells_are_empty_blank_rows_no_rows_and_cells_beyond_the_table_are_ignored() -> None:
    rows = HEADER + '<row r="3"><c r="A3"><v>1</v></c></row><row r="4"/>' + row("5", "a text") * 1000
    rows += row("6", "another", "a remark", "far to the right")
    found, _ = read(workbook(rows))
    assert found == ["", *["a text"] * 1000, "another"]


def test_formatted_cells_without_content_are_no_columns() -> None:
    rows = "".join(row(*cells).replace("</row>", '<c r="Z1" s="1"/></row>') for cells in [("one", "mood"), *MOODS])
    assert read(workbook(rows))[1] == read(workbook(rows.replace('<c r="Z1" s="1"/>', "")))[1]


@pytest.mark.parametrize("rows", ["", "<row/>", row("", "")])
def test_an_empty_sheet_has_no_rows(rows: str) -> None:
    assert read(workbook(rows)) == ([], [])


def test_a_title_above_the_header_is_dropped() -> None:
    title = row("All that we wrote in May, a title") + "<row/>" + row("", "made on Monday")
    found, notes = read(workbook(title + HEADER.replace(' r="1"', ' r="4"') + row("1", "a text") * 2))
    assert found[2:] == ["a text", "a text"]
    assert found[0] == DroppedRow("above the header", "row 1: All that we wrote in May, a title")
    assert notes == ["header row found", "text in column 2 (tweet): by its name"]
    assert read(workbook(row("a text without a header") + row("a text", "a remark")))[0][0] == "a text without a header"


@pytest.mark.parametrize("size", ["A1:A2", "A1:XFD1048576"])
def test_the_size_that_a_sheet_declares_is_ignored(size: str) -> None:
    sheet = part("worksheet", f'<dimension ref="{size}"/><sheetData>{HEADER}{row("1", "a text") * 3}</sheetData>')
    files = parts_of({"Sheet1": ""}) | {"xl/worksheets/sheet1.xml": sheet}
    assert read(zip_of(files))[0] == ["a text"] * 3


# Sheets and files -----------------------------------------------------------------------------------------------------


def test_the_visible_sheet_with_the_most_text_is_read_and_the_others_are_noted() -> None:
    long = HEADER + row("1", "a rather long text of many words") * 20
    sheets = {"Notes": row("a remark"), "-Old": long * 3, "Tweets": long, "Numbers": row("12345678901234567890") * 90}
    found, notes = read(zip_of(parts_of(sheets)))
    assert found == ["a rather long text of many words"] * 20
    assert notes[0] == "sheet Tweets, which has the most text; not read: Notes, Numbers"


def test_a_long_sheet_beats_one_with_as_much_text_in_its_first_rows() -> None:
    sheets = {"Test": row("1", "a rather long text") * 1010, "Train": row("1", "a rather long tex") * 5000}
    assert read(zip_of(parts_of(sheets)))[1][0] == "sheet Train, which has the most text; not read: Test"


def test_the_first_of_equal_sheets_is_read() -> None:
    sheets = {"B": HEADER + row("1", "from B"), "A": HEADER + row("1", "from A")}
    assert read(zip_of(parts_of(sheets)))[0] == ["from B"]


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.zip"])
def test_a_workbook_is_no_archive_whatever_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(workbook(HEADER + row("1", "a text")))
    (opened,) = open_sources(CorpusConfig(files=(str(tmp_path / name),)), ReadProgress())
    assert opened.source.format == "excel"
    assert list(opened.rows) == ["a text"]


def test_workbooks_in_folders_and_archives_are_sources(tmp_path: Path) -> None:
    data = workbook(HEADER + row("1", "a text"))
    files = {"a.xlsx": data, "b.zip": zip_of({"in.xlsx": data}), "c.tar": tar_of({"in.xlsm": data})}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    opened = list(open_sources(CorpusConfig(files=(str(tmp_path),)), ReadProgress()))
    assert [list(each.rows) for each in opened] == [["a text"]] * 3


@pytest.mark.parametrize("name", ["t.xlsx.gz", "t.zip"])
def test_a_workbook_in_an_archive_is_loaded_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    data = workbook(HEADER + row("1", "a text"))
    (tmp_path / name).write_bytes(gzip_of(data) if name.endswith("gz") else zip_of({"t.xlsx": data}))
    config = CorpusConfig(files=(str(tmp_path / name),))
    (opened,) = open_sources(config, ReadProgress())
    assert list(opened.rows) == ["a text"]
    monkeypatch.setattr(held_file, "MAX_HELD_BYTES", 100)
    (opened,) = open_sources(config, ReadProgress())
    with pytest.raises(CorpusError, match="too large"):
        list(opened.rows)


# Damage ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ('<row r="x"/>', "could not convert string to float"),
        ('<row><c r="AAAA1"><v>1</v></c></row>', "not a valid column name"),
        ('<row><c r="A1" t="s"><v>one</v></c></row>', "invalid literal"),
        ('<row><c r="A1" t="s"><v>7</v></c></row>', "list index out of range"),
        ('<row r="2000000000"><c><v>1</v></c></row>', "over 1,048,576 rows"),
        ("<row></sheet>", "mismatched tag"),
    ],
)
def test_an_invalid_sheet_is_an_error_with_a_hint(rows: str, words: str) -> None:
    with pytest.raises(CorpusError, match=f"t.xlsx can't be read as an Excel workbook: .*{words}") as caught:
        read(workbook(HEADER + rows))
    assert caught.value.hint == "Open it in Excel and save the sheet as CSV."


@pytest.mark.parametrize("name", ["[Content_Types].xml", "xl/workbook.xml", "xl/sharedStrings.xml"])
def test_a_missing_part_is_named(name: str) -> None:
    files = parts_of({"Sheet1": HEADER})
    del files[name]
    assert f"There is no item named '{name}'" in message_of(zip_of(files))


def test_a_workbook_without_a_visible_sheet_is_an_error() -> None:
    assert "no visible sheet" in message_of(zip_of(parts_of({"-Hidden": HEADER})))


def test_a_strict_workbook_is_an_error() -> None:
    strict = {
        MAIN: "http://purl.oclc.org/ooxml/spreadsheetml/main",
        OFFICE: "http://purl.oclc.org/ooxml/officeDocument/relationships",
    }
    files = parts_of({"Sheet1": HEADER + row("1", "a text")})
    for old, new in strict.items():
        files = {name: content.replace(old.encode(), new.encode()) for name, content in files.items()}
    assert "can't be read as an Excel workbook" in message_of(zip_of(files))


def test_a_flipped_byte_is_an_error_or_another_text_and_never_a_crash() -> None:
    data = workbook(HEADER + row("1", "a text"), strings="<si><t>a text</t></si>")
    for place in range(0, len(data), 11):
        changed = bytearray(data)
        changed[place] ^= 0x55
        with contextlib.suppress(CorpusError):
            read(bytes(changed))


def test_the_library_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    styles = part("styleSheet", STYLES + '<cellStyles><cellStyle name="x" xfId="9"/></cellStyles>')
    files = parts_of({"Sheet1": HEADER}) | {"xl/styles.xml": styles}
    message_of(zip_of(files))
    assert capsys.readouterr().out == ""


def test_a_missing_package_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl.reader.excel", None)
    with pytest.raises(CorpusError) as caught:
        read(workbook(HEADER))
    assert caught.value.message == "t.xlsx is an Excel workbook, and the package openpyxl is not installed."
    assert "pip install openpyxl, or save the sheet as CSV" in caught.value.hint


def test_only_excel_workbooks_are_detected() -> None:
    assert looks_like(workbook(HEADER))
    for names in (("word/document.xml",), ("xl/workbook.bin",), ("a.txt",)):
        assert not looks_like(zip_of({"[Content_Types].xml": b"<Types/>", **dict.fromkeys(names, b"x")}))


# Limits ---------------------------------------------------------------------------------------------------------------


def test_a_bomb_is_refused_by_the_sizes_in_its_directory() -> None:
    files = parts_of({"Sheet1": HEADER})
    files["xl/worksheets/sheet1.xml"] += b" " * (17 << 20)
    assert "decompresses to over 16 MB, far more than its size suggests" in message_of(zip_of(files))


@pytest.mark.parametrize("name", ["workbook", "styles", "sharedStrings", "worksheets/sheet1"])
def test_entities_that_multiply_are_refused(name: str) -> None:
    files = parts_of({"Sheet1": HEADER})
    entities = '<!ENTITY a0 "aaaaaaaaaa">' + "".join(
        f'<!ENTITY a{level + 1} "{f"&a{level};" * 10}">' for level in range(9)
    )
    head, _, end = files[f"xl/{name}.xml"].rpartition(b"</")
    bomb = head.replace(b"?>", f"?><!DOCTYPE x [{entities}]>".encode(), 1) + b"&a9;</" + end
    assert "amplification" in message_of(zip_of({**files, f"xl/{name}.xml": bomb}))


def test_a_sheet_with_cells_far_apart_takes_no_memory() -> None:
    far = '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>the last cell</t></is></c></row>'
    assert "the last cell" in read(workbook(HEADER + far), column="16384")[0]


def test_a_part_that_the_library_loads_as_a_tree_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_archive, "MAX_TREE_BYTES", 20_000)
    assert len(read(workbook(row("1", "a text") * 5000 + "<row/>" * 5000))[0]) == 5000
    files = parts_of({"Sheet1": HEADER})
    styles = {**files, "xl/styles.xml": part("styleSheet", STYLES + " " * 20_000)}
    strings = workbook(HEADER, strings=f"<si>{'<r/>' * 30_000}</si>")
    wide = workbook(HEADER + f"<row>{'<c/>' * 30_000}</row>")
    for data in (zip_of(styles), strings, wide):
        assert "too large or too complex" in message_of(data)


def test_a_sheet_during_which_the_memory_grows_ends_at_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = itertools.count(100 << 20, 1 << 20)  # of the process, at each look
    monkeypatch.setattr(psutil.Process, "memory_info", lambda _: SimpleNamespace(rss=next(sizes)))
    data = workbook(HEADER + '<a b=""/><row/>' * 50_000)  # elements that the library doesn't free
    assert read(data)[0] == []
    monkeypatch.setattr(bounded_archive, "MAX_MEMORY_BYTES", 20 << 20)
    assert "too large or too complex" in message_of(data)


def test_a_part_that_is_read_again_and_again_ends_at_a_limit() -> None:
    files = parts_of({"Sheet1": " " * (9 << 20)})
    book = files["xl/workbook.xml"].decode()
    sheet = re.search("<sheet [^>]*>", book)
    assert sheet
    files["xl/workbook.xml"] = book.replace(sheet[0], sheet[0] * 100).encode()
    assert "too large or too complex" in message_of(zip_of(files))
