"""`tweetgen-tui xray`: JSON per target, each view as text and as a picture, and clear errors."""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.format import read_info
from engine.insight.answers import CheckpointAnswers
from engine.model.vocab import EOS, UNK, Vocab
from tests.cli.program import Cli, Terminal, assert_error_at_the_end
from tests.fakes import FakeSession
from tui.cli.xray_output import SVG_COLUMNS, print_page, svg_of
from tui.xray.drawing import Glyphs, Picture, Span
from tui.xray.views import VIEWS

USED = "checkpoint: first/best, step 40\n"
TEXT = "mum got the bus"


@pytest.fixture
def _scripted_answers(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer in the same way on every machine, in place of the model."""
    monkeypatch.setattr(CheckpointAnswers, "answer", lambda _, command: FakeSession().answer(command))


def test_json_has_one_object_per_target_of_a_text_that_is_given_or_piped_with_the_bits_of_its_probability(
    cli: Cli, best: Path
) -> None:
    ended = cli("xray", "mum 寿", "--json")
    assert (ended.code, ended.err) == (0, USED + "not in the vocabulary, read as <UNK>: '寿' (U+5BFF)\n")
    fields = ["char", "token_id", "bits", "top", "hidden_change", "reset_mean", "update_mean", "saturated_share"]
    assert [list(each) for each in ended.objects] == [fields] * 6
    assert [each["char"] for each in ended.objects] == [*"mum 寿", "<EOS>"]
    vocab = Vocab(read_info(best)[0].vocab)
    assert [each["token_id"] for each in ended.objects] == [*vocab.encode("mum "), UNK, EOS]
    assert ended.objects[-2]["bits"] > 20
    for each in ended.objects:
        chances = dict(map(tuple, each["top"]))
        assert list(chances.values()) == sorted(chances.values(), reverse=True)
        assert sum(chances.values()) <= 1.001
        if each["char"] in chances:
            assert each["bits"] == pytest.approx(-math.log2(chances[each["char"]]), abs=0.05)
    cli.reads(b"  mum &amp; dad\n\xff\n")
    assert [each["char"] for each in cli("xray", "-", "--json").objects] == [*"mum & dad↵\ufffd", "<EOS>"]


VARIANTS = ("--at 0", "--view gates --at 3", "--view reach --at 4", "--view reach --method gradient")


@pytest.mark.parametrize("options", [*(f"--view {view}" for view in VIEWS), *VARIANTS])
@pytest.mark.usefixtures("_scripted_answers")
def test_a_view_is_printed_with_the_text_and_its_sentence(cli: Cli, options: str, snapshot: SnapshotAssertion) -> None:
    ended = cli("xray", TEXT, *options.split())
    assert (ended.code, ended.err) == (0, USED)
    assert ended.out == snapshot
    if options == "--view step":
        assert cli("xray", TEXT) == ended, "the default"


@pytest.mark.usefixtures("_scripted_answers")
def test_a_picture_is_written_or_piped_and_replaces_a_file_only_by_force(cli: Cli, tmp_path: Path) -> None:
    assert cli("xray", TEXT, "--svg", "-").out.startswith("<svg ")
    file = tmp_path / "view.svg"
    ended = cli("xray", TEXT, "--view", "units", "--svg", file)
    assert (ended.code, ended.out) == (0, "")
    assert f"wrote {file}, " in ended.err
    shown = "".join(ET.fromstring(file.read_text("utf-8")).itertext()).replace("\xa0", " ")  # noqa: S314 - our own file
    assert f"{TEXT}: units, first/best" in shown
    assert "in an @name" in shown
    file.write_text("mine", "utf-8")
    assert_error_at_the_end(cli("xray", TEXT, "--svg", file), f"{file} already exists.", "--force replaces it.")
    assert file.read_text("utf-8") == "mine"
    assert cli("xray", TEXT, "--svg", file, "--force").code == 0
    assert file.read_text("utf-8").startswith("<svg ")
    for name in ("missing/view.svg", "."):
        assert_error_at_the_end(cli("xray", TEXT, "--svg", tmp_path / name), str(tmp_path))


def drawn(width: int, glyphs: Glyphs) -> Picture:
    """Return a line with the width and a glyph, shaded."""
    return (
        (Span(f"{width} {glyphs.ellipsis}漢", "value", 1.0), Span("[bold]", "cursor", -1.0), Span("▁", "cell", -1.0)),
    )


@pytest.mark.parametrize(
    ("environment", "encoding", "text", "has_colours"),
    [
        pytest.param({}, "utf-8", "50 …漢", True, id="colours"),
        pytest.param({"NO_COLOR": "1"}, "utf-8", "50 …漢", False, id="NO_COLOR"),
        pytest.param({"TERM": "dumb"}, "utf-8", " …漢", False, id="dumb"),
        pytest.param({"LANG": "C"}, "ascii", "50 ~? ", True, id="ASCII"),
    ],
)
def test_a_terminal_gets_its_width_and_the_colours_and_characters_that_it_shows_and_a_picture_always_the_same(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], encoding: str, text: str, *, has_colours: bool
) -> None:
    for name in ("NO_COLOR", "LC_ALL", "LC_CTYPE", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    settings = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "en_US.UTF-8", "COLUMNS": "50"}
    for name, value in (settings | environment).items():
        monkeypatch.setenv(name, value)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Terminal(written, encoding, "replace", write_through=True))
    print_page(drawn)
    shown = written.getvalue().decode(encoding)
    assert text in shown
    assert "[bold]" in shown
    assert ("48;2;" in shown, "▁" in shown) == (has_colours, not has_colours)
    picture = svg_of(drawn, "a <title>")
    assert f"{SVG_COLUMNS}" in picture, "as wide as a slide whatever the terminal"
    assert "a&#160;&lt;title&gt;" in picture
    assert "#a8741f" in picture, "above 0, behind white text"
    assert ("#4a9be8" in picture, "▁" in picture) == (True, False), "a cell below 0 is a colour"
