"""Excel workbooks, written by hand as the format describes them: one sheet is read as CSV is, in bounded memory."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.files import ReadProgress
from engine.corpus.ingest.sources import open_sources
from engine.corpus.readers.tables import excel_rows as module
from engine.corpus.readers.tables import excel_xml, held_file
from engine.corpus.readers.tables.excel_cells import date_of
from engine.corpus.readers.tables.excel_rows import excel_rows, looks_like
from engine.corpus.types import DroppedRow, Row, Source
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import tar_of, zip_of

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT = {
    MAIN: "http://purl.oclc.org/ooxml/spreadsheetml/main",
    OFFICE: "http://purl.oclc.org/ooxml/officeDocument/rels",
}
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
HEADER = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>id</t></is></c><c r="B1" t="inlineStr"><is><t>tweet</t></is></c></row>'
)
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
    return f'<Relationships xmlns="{PACKAGE}">{"".join(entries)}</Relationships>'.encode()


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
    files = {
        "[Content_Types].xml": b"<Types/>",
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
        "<si><t>two_x000D_\nlines, &lt;3 and _x005F_x000D_</t></si>"
    )
    rows = "".join(f'<row r="{2 + n}"><c r="B{2 + n}" t="s"><v>{n}</v></c></row>' for n in range(4))
    rows += '<row r="6"><c r="B6" t="str"><f>A1&amp;"x"</f><v>a result</v></c></row>' + row("7", "inline")
    assert read(workbook(HEADER + rows, strings=strings))[0] == [
        *("a shared text", "bold and plain", "東京", "two\r\nlines, <3 and _x000D_", "a result", "inline")
    ]


def test_numbers_dates_and_truth_values_are_texts_and_errors_are_empty() -> None:
    cells = (
        's="1"><v>44255.604166666664',
        's="2"><v>44255',
        's="3"><v>44255',
        "><v>1.5",
        't="b"><v>1',
        't="e"><v>#N/A',
    )
    rows = row("value") + "".join(f"<row><c {cell}</v></c></row>" for cell in cells)
    assert read(workbook(rows), column="value")[0] == [
        *("2021-02-28 14:30:00", "2021-02-28", "44255", "1.5", "TRUE"),
        "",
    ]
    assert read(workbook(rows, properties='date1904="1"'), column="value")[0][1] == "2025-03-01"


@pytest.mark.parametrize(
    ("days", "text"),
    [(1, "1900-01-01"), (59, "1900-02-28"), (61, "1900-03-01"), (0.5, "12:00:00"), (1e9, ""), (-1e9, "")],
)
def test_dates_count_as_in_excel(days: float, text: str) -> None:
    assert date_of(days) == text


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


def test_a_title_above_the_header_is_dropped() -> None:
    title = row("All that we wrote in May, a title") + "<row/>" + row("", "made on Monday")
    found, notes = read(workbook(title + HEADER.replace(' r="1"', ' r="4"') + row("1", "a text") * 2))
    assert found[2:] == ["a text", "a text"]
    assert found[0] == DroppedRow("above the header", "row 1: All that we wrote in May, a title")
    assert notes == ["header row found", "text in column 2 (tweet): by its name"]
    assert read(workbook(row("a text without a header") + row("a text", "a remark")))[0][0] == "a text without a header"


def test_a_strict_workbook_is_read() -> None:
    files = parts_of({"Sheet1": HEADER + row("1", "a text")})
    for old, new in STRICT.items():
        files = {name: content.replace(old.encode(), new.encode()) for name, content in files.items()}
    assert read(zip_of(files))[0] == ["a text"]


# Sheets and files -----------------------------------------------------------------------------------------------------


def test_the_visible_sheet_with_the_most_text_is_read_and_the_others_are_noted() -> None:
    long = HEADER + row("1", "a rather long text of many words") * 20
    sheets = {"Notes": row("a remark"), "-Old": long * 3, "Tweets": long, "Numbers": row("12345678901234567890") * 90}
    found, notes = read(zip_of(parts_of(sheets)))
    assert found == ["a rather long text of many words"] * 20
    assert notes[0] == "sheet Tweets, which has the most text; not read: Notes, Numbers"


def test_the_first_of_equal_sheets_is_read_by_name() -> None:
    sheets = {"B": HEADER + row("1", "from B"), "A": HEADER + row("1", "from A")}
    assert read(zip_of(parts_of(sheets)))[0] == ["from A"]


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


# Damage and limits ----------------------------------------------------------------------------------------------------


def test_a_bomb_in_a_workbook_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    files = parts_of({"Sheet1": HEADER})
    files["xl/worksheets/sheet1.xml"] += b" " * (17 << 20)
    assert "decompresses to over 16 MB, far more than its size suggests" in message_of(zip_of(files))
    strings = zip_of(parts_of({"Sheet1": HEADER}, strings="<si><t>a text</t></si>" * 100))
    monkeypatch.setattr(module, "MAX_STRINGS_BYTES", 1000)
    assert "MB of texts" in message_of(strings)


def test_a_sheet_with_cells_far_apart_takes_no_memory() -> None:
    far = '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>the last cell</t></is></c></row>'
    assert "the last cell" in read(workbook(HEADER + far), column="16384")[0]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ('<row r="x"/>', "invalid literal"),
        ('<row><c r="XFE1"><v>1</v></c></row>', "is no column"),
        ('<row><c r="A1" t="s"><v>one</v></c></row>', "invalid literal"),
        ("<row></sheet>", "mismatched tag"),
    ],
)
def test_an_invalid_sheet_is_an_error(rows: str, words: str) -> None:
    message = message_of(workbook(rows))
    assert "is a damaged Excel workbook" in message
    assert words in message


def test_a_tag_that_is_too_long_is_refused_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel_xml, "MAX_TAG_BYTES", 50_000)
    assert "a tag is too long" in message_of(workbook(f'<row x="{"x" * 100_000}'))


def test_entities_are_refused() -> None:
    files = parts_of({"Sheet1": HEADER})
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><worksheet>&b;</worksheet>'
    assert "document type" in message_of(zip_of({**files, "xl/worksheets/sheet1.xml": bomb}))


@pytest.mark.parametrize(
    "name", ["xl/workbook.xml", "xl/styles.xml", "xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"]
)
def test_a_missing_part_is_named(name: str) -> None:
    files = parts_of({"Sheet1": HEADER})
    del files[name]
    assert f"damaged Excel workbook: {name} is missing" in message_of(zip_of(files))


def test_a_workbook_without_a_visible_sheet_is_an_error() -> None:
    assert "no visible sheet" in message_of(zip_of(parts_of({"-Hidden": HEADER})))


def test_a_flipped_byte_is_an_error_or_another_text_and_never_a_crash() -> None:
    data = workbook(HEADER + row("1", "a text"), strings="<si><t>a text</t></si>")
    for place in range(0, len(data), 3):
        changed = bytearray(data)
        changed[place] ^= 0x55
        try:
            read(bytes(changed))
        except CorpusError as error:
            assert "damaged" in error.message or "column" in error.message or "far more" in error.message  # noqa: PT017


def test_a_text_that_is_too_long_is_cut_and_a_file_in_an_archive_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel_xml, "MAX_CELL_CHARS", 100)
    data = workbook(HEADER + row("1", "a long text, " * 20_000))
    (text,) = read(data)[0]
    assert isinstance(text, str)
    assert len(text) < 100_000

    class Stream(io.BytesIO):
        def seekable(self) -> bool:
            return False

    assert len(list(excel_rows(Stream(data), Source("t.xlsx", "excel"), CorpusConfig()))) == 1
    monkeypatch.setattr(held_file, "MAX_HELD_BYTES", 100)
    with pytest.raises(CorpusError, match="too large"):
        list(excel_rows(Stream(data), Source("t.xlsx", "excel"), CorpusConfig()))


def test_only_excel_workbooks_are_detected() -> None:
    assert looks_like(workbook(HEADER))
    for names in (("word/document.xml",), ("xl/workbook.bin",), ("a.txt",)):
        assert not looks_like(zip_of({"[Content_Types].xml": b"<Types/>", **dict.fromkeys(names, b"x")}))
