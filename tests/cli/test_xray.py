"""`tweetgen-tui xray`: JSON per target, each view as text and as a picture, and clear errors."""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from engine.checkpoints.metadata import read_info
from engine.model.vocab import EOS, UNK, Vocab
from tests import hostile
from tests.cli.program import Cli, assert_two_line_error
from tui.cli.output.xray_output import SVG_COLUMNS, print_page, svg_of
from tui.xray.glyphs import Glyphs
from tui.xray.spans import Picture, Span
from tui.xray.view_names import VIEW_NAMES, ViewName

USED = "checkpoint: first/best, step 40\n"
TEXT = "mum got the bus"


def best(home: Path) -> Path:
    return home / "runs" / "first" / "checkpoints" / "best.safetensors"


def test_json_has_one_object_per_target_with_the_fields_of_the_design(cli: Cli, trained: Path) -> None:
    ended = cli("xray", TEXT, "--json")
    assert (ended.code, ended.err) == (0, USED)
    objects = ended.objects
    assert [list(each) for each in objects] == [
        ["char", "token_id", "bits", "top", "hidden_change", "reset_mean", "update_mean", "saturated_share"]
    ] * (len(TEXT) + 1)
    assert [each["char"] for each in objects] == [*TEXT, "<EOS>"]
    vocab = Vocab(read_info(best(trained))[0].vocab)
    assert [each["token_id"] for each in objects] == [*vocab.encode(TEXT), EOS]


def test_the_bits_of_json_are_those_of_the_probabilities(cli: Cli, trained: Path) -> None:
    for each in cli("xray", TEXT, "--json").objects:
        chances = dict(map(tuple, each["top"]))
        assert list(chances.values()) == sorted(chances.values(), reverse=True)
        assert sum(chances.values()) <= 1.001
        if each["char"] in chances:
            assert each["bits"] == pytest.approx(-math.log2(chances[each["char"]]), abs=0.05)


def test_an_unknown_character_is_noted_on_stderr_and_is_the_unknown_token(cli: Cli, trained: Path) -> None:
    ended = cli("xray", "mum 寿", "--json")
    assert ended.err == USED + "not in the vocabulary, read as <UNK>: '寿' (U+5BFF)\n"
    assert [each["token_id"] for each in ended.objects][-2:] == [UNK, EOS]
    assert ended.objects[-2]["bits"] > 20


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ("step", ("bits of each character: 0", "After ‘s’ the model gave the end")),
        ("gates", ("update gate z", "Reading ‘s’")),
        ("reach", ("occlusion: what hiding it costs the end", "1 back")),
        ("units", ("held-out tweets", "after a space", "tweets sampled while it is free:")),
        ("map", ("vowels", "the two directions hold")),
    ],
)
def test_each_view_is_printed_with_the_text_and_its_sentence(
    cli: Cli, trained: Path, view: ViewName, words: tuple[str, ...]
) -> None:
    ended = cli("xray", TEXT, "--view", view)
    assert (ended.code, ended.err) == (0, USED)
    assert ended.lines[0] == f"▸{TEXT}■"
    assert all(word in ended.out for word in words), ended.out
    assert "\x1b" not in ended.out
    assert max(map(len, ended.lines)) <= 100


def test_the_first_view_is_the_default(cli: Cli, trained: Path) -> None:
    assert cli("xray", TEXT) == cli("xray", TEXT, "--view", VIEW_NAMES[0])


def test_at_moves_the_cursor(cli: Cli, trained: Path) -> None:
    assert "At the start the model gave ‘m’" in cli("xray", TEXT, "--at", "0").out
    assert "After ‘m’ the model gave a space" in cli("xray", TEXT, "--at", "3").out
    assert "what hiding it costs ‘g’" in cli("xray", TEXT, "--at", "4", "--view", "reach").out


def test_the_gradient_is_the_other_method_of_reach(cli: Cli, trained: Path) -> None:
    assert "gradient of the bits of the end" in cli("xray", TEXT, "--view", "reach", "--method", "gradient").out


def test_a_text_is_read_from_standard_input_as_a_tweet(
    cli: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"  mum &amp; dad\n\xff\n")))
    assert [each["char"] for each in cli("xray", "-", "--json").objects] == [*"mum & dad↵\ufffd", "<EOS>"]


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_a_picture_is_written_and_nothing_is_printed(cli: Cli, trained: Path, tmp_path: Path, view: ViewName) -> None:
    file = tmp_path / "view.svg"
    ended = cli("xray", TEXT, "--view", view, "--svg", file)
    assert (ended.code, ended.out) == (0, "")
    assert f"wrote {file}, " in ended.err
    root = ET.fromstring(file.read_text("utf-8"))  # noqa: S314 - our own file
    shown = "".join(root.itertext()).replace("\xa0", " ")
    assert f"{TEXT}: {view}, first/best" in shown
    assert f"▸{TEXT[:3]}" in shown


def test_a_picture_can_be_piped(cli: Cli, trained: Path) -> None:
    assert cli("xray", TEXT, "--svg", "-").out.startswith("<svg ")


def test_a_picture_replaces_a_file_only_by_force(cli: Cli, trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "view.svg"
    file.write_text("mine", "utf-8")
    ended = cli("xray", TEXT, "--svg", file)
    assert ended.code == 1
    assert ended.error_lines[-2:] == [f"tweetgen-tui: {file} already exists.", "--force replaces it."]
    assert file.read_text("utf-8") == "mine"
    assert cli("xray", TEXT, "--svg", file, "--force").code == 0
    assert file.read_text("utf-8").startswith("<svg ")


@pytest.mark.parametrize("name", ["missing/view.svg", "."])
def test_a_picture_that_cannot_be_written_is_an_error_with_a_remedy(
    cli: Cli, trained: Path, tmp_path: Path, name: str
) -> None:
    ended = cli("xray", TEXT, "--svg", tmp_path / name)
    assert ended.code == 1
    what, hint = ended.error_lines[-2:]
    assert str(tmp_path) in what
    assert hint


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("",), ("no text",)),
        (("x" * 501,), ("501 characters", "500", "Shorten")),
        ((TEXT, "--at", "16"), ("--at must be from 0 to 15, not 16.",)),
        ((TEXT, "--at", "-1"), ("--at must be from 0 to 15, not -1.",)),
        ((TEXT, "--checkpoint", "frist"), ("frist", "Did you mean first")),
        ((TEXT, "--json", "--view", "map"), ("--view has no effect with --json",)),
        ((TEXT, "--json", "--svg", "a.svg"), ("--svg has no effect with --json",)),
        ((TEXT, "--method", "gradient"), ("--method has no effect without --view reach",)),
        ((TEXT, "--view", "map", "--layer", "1"), ("--layer has no effect with --view map",)),
        ((TEXT, "--force"), ("--force has no effect without --svg",)),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_a_wrong_argument_gets_two_lines(
    cli: Cli, trained: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert_two_line_error(cli("xray", *arguments), *words)


@pytest.mark.parametrize("layer", ["0", "3"])
def test_a_layer_that_the_model_lacks_is_an_error(cli: Cli, trained: Path, layer: str) -> None:
    num_layers = read_info(best(trained))[0].model.num_layers
    ended = cli("xray", TEXT, "--layer", layer)
    assert ended.code == 1
    assert ended.error_lines[-2] == f"tweetgen-tui: --layer must be from 1 to {num_layers}, not {layer}."


def test_without_a_run_the_error_names_the_command_that_makes_one(cli: Cli) -> None:
    assert_two_line_error(cli("xray", TEXT), "no run yet", "tweetgen-tui train")


@pytest.mark.parametrize("arguments", [(), (TEXT, "--view", "loss"), (TEXT, "--at", "x")])
def test_wrong_usage_exits_with_2(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli("xray", *arguments).code == 2


def test_units_of_a_checkpoint_from_elsewhere_are_not_scored_on_files_that_it_names(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    best(trained).rename(tmp_path / "model.safetensors")
    arguments = ("xray", TEXT, "--checkpoint", tmp_path / "model.safetensors")
    assert cli(*arguments).code == 0
    ended = cli(*arguments, "--view", "units")
    assert ended.code == 1
    assert "comes from elsewhere" in ended.error_lines[-2]
    assert "--view" in ended.error_lines[-1]


def test_hostile_text_is_printed_harmless(cli: Cli, trained: Path, tmp_path: Path) -> None:
    text = hostile.ALL_AT_ONCE.replace("\0", "")[:450]
    for options in (*(("--view", view) for view in VIEW_NAMES), ("--json",), ("--svg", "-")):
        ended = cli("xray", text, *options)
        assert ended.code == 0, ended.err
        for line in (ended.out + ended.err).split("\n"):
            assert hostile.obeyed(line) == [], ascii(line)


def drawn(width: int, glyphs: Glyphs) -> Picture:
    """Return a line with the width and a glyph, shaded."""
    return ((Span(f"{width} {glyphs.ellipsis}漢", "value", 1.0), Span("[bold]", "cursor", -1.0)),)


class Terminal(io.TextIOWrapper):
    """A terminal's output, recorded."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, encoding=encoding, errors="replace", write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def written(self) -> str:
        return self.bytes.getvalue().decode(self.encoding)


def printed(monkeypatch: pytest.MonkeyPatch, encoding: str = "utf-8", **environment: str) -> str:
    for name in ("NO_COLOR", "LC_ALL", "LC_CTYPE", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    settings = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "en_US.UTF-8", "COLUMNS": "50"}
    for name, value in (settings | environment).items():
        monkeypatch.setenv(name, value)
    terminal = Terminal(encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    print_page(drawn)
    return terminal.written


def test_a_terminal_gets_its_width_and_colours_and_nothing_is_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = printed(monkeypatch)
    assert "50 …漢" in shown
    assert "[bold]" in shown
    assert "48;2;" in shown


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_a_terminal_without_colours_gets_none(monkeypatch: pytest.MonkeyPatch, environment: dict[str, Any]) -> None:
    shown = printed(monkeypatch, **environment)
    assert " …漢" in shown
    assert "48;" not in shown


def test_a_terminal_without_utf_8_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "50 ~? " in printed(monkeypatch, "ascii", LANG="C")


def test_a_picture_is_as_wide_as_a_slide_whatever_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    picture = svg_of(drawn, "a <title>")
    assert f"{SVG_COLUMNS}" in picture
    assert "a&#160;&lt;title&gt;" in picture
    assert "#3d8ad6" in picture


def test_a_text_of_one_character_has_two_targets(cli: Cli, trained: Path) -> None:
    assert [each["char"] for each in cli("xray", "m", "--json").objects] == ["m", "<EOS>"]
