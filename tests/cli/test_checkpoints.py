"""`tweetgen-tui checkpoints`: list, show, delete."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from tests.cli.program import Cli, assert_told_in_two_lines


@pytest.fixture
def saved(trained: Path) -> Path:
    """A data folder with a checkpoint saved as `mine` besides the run's own."""
    (trained / "checkpoints").mkdir()
    shutil.copy(_own(trained, "best"), trained / "checkpoints" / "mine.safetensors")
    return trained


def _own(home: Path, name: str) -> Path:
    return home / "runs" / "first" / "checkpoints" / f"{name}.safetensors"


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def test_the_list_has_what_was_saved_by_name_then_the_runs_own(cli: Cli, saved: Path) -> None:
    ended = cli("checkpoints", "list")
    assert (ended.code, ended.err) == (0, "")
    [heading, *rows] = ended.lines
    assert heading.split() == ["NAME", "STEP", "BITS/CHAR", "SAVED", "SIZE"]
    [first, *others] = [row.split()[0] for row in rows]
    assert (first, set(others)) == ("mine", {"first/latest", "first/best"})


def test_the_list_as_json_has_an_object_a_line(cli: Cli, saved: Path) -> None:
    entries = cli("checkpoints", "list", "--json").objects
    assert {entry["name"] for entry in entries} == {"mine", "first/latest", "first/best"}
    for entry in entries:
        assert set(entry) == {"name", "path", "step", "bits_per_char", "saved_at", "num_bytes", "problem"}
        assert Path(entry["path"]).stat().st_size == entry["num_bytes"]
        assert entry["problem"] == ""


def test_an_empty_list_says_how_to_fill_it_on_stderr(cli: Cli) -> None:
    ended = cli("checkpoints", "list")
    assert (ended.code, ended.out) == (0, "")
    assert "tweetgen-tui train" in ended.err
    assert cli("checkpoints", "list", "--json").out == ""


def test_a_truncated_file_is_listed_as_damaged_and_the_others_still_work(cli: Cli, saved: Path) -> None:
    path = saved / "checkpoints" / "mine.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    [damaged, *_] = cli("checkpoints", "list").lines[1:]
    assert damaged.split()[0] == "mine"
    assert damaged.endswith("damaged")
    assert_told_in_two_lines(cli("checkpoints", "show", "mine"), str(path), "damaged")
    assert_told_in_two_lines(cli("generate", "--checkpoint", "mine"), str(path), "damaged")
    assert cli("generate", "--checkpoint", "first/best").code == 0


def test_a_flipped_bit_in_the_numbers_is_refused_when_they_are_read(cli: Cli, saved: Path) -> None:
    _damage(saved / "checkpoints" / "mine.safetensors")
    assert_told_in_two_lines(cli("generate", "--checkpoint", "mine"), "damaged")


def test_show_tells_a_person_what_a_checkpoint_says_of_itself(cli: Cli, saved: Path) -> None:
    ended = cli("checkpoints", "show", "mine")
    assert ended.code == 0
    for words in ("run                 first", "corpus              tweets.txt", "hidden 16 x 1", "sha256"):
        assert words in ended.out


def test_show_as_json_has_the_whole_info(cli: Cli, saved: Path) -> None:
    info = cli("checkpoints", "show", "mine", "--json").object
    assert (info["run"], info["step"], info["model"]["hidden_size"]) == ("first", 40, 16)
    assert len(info["sha256"]) == 64


def test_delete_with_yes_deletes_that_file_only(cli: Cli, saved: Path) -> None:
    ended = cli("checkpoints", "delete", "mine", "--yes")
    assert (ended.code, ended.out) == (0, "")
    assert "mine.safetensors" in ended.err
    assert {entry["name"] for entry in cli("checkpoints", "list", "--json").objects} == {"first/latest", "first/best"}


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_delete_without_a_yes_deletes_nothing(
    cli: Cli, saved: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert cli("checkpoints", "delete", "mine").code == 1
    assert (saved / "checkpoints" / "mine.safetensors").is_file()


@pytest.mark.parametrize("command", [("show",), ("delete", "--yes")])
def test_a_missing_name_is_named(cli: Cli, saved: Path, command: tuple[str, ...]) -> None:
    assert_told_in_two_lines(cli("checkpoints", *command, "nothing"), "nothing", "checkpoints list")


@pytest.mark.parametrize("name", ["../secret", "first/../../../secret", "/secret.safetensors", "..", "first", ""])
def test_delete_takes_no_path(cli: Cli, saved: Path, name: str) -> None:
    secret = saved / "secret.safetensors"
    secret.touch()
    before = sorted(saved.rglob("*"))
    assert_told_in_two_lines(cli("checkpoints", "delete", name.replace("/secret.", f"{saved}/secret."), "--yes"))
    assert sorted(saved.rglob("*")) == before


def test_a_damaged_file_can_be_deleted(cli: Cli, saved: Path) -> None:
    (saved / "checkpoints" / "mine.safetensors").write_bytes(b"")
    assert cli("checkpoints", "delete", "mine", "--yes").code == 0


def test_a_name_with_control_characters_is_printed_harmlessly(cli: Cli, saved: Path) -> None:
    (saved / "checkpoints" / "mine.safetensors").rename(saved / "checkpoints" / "mi\x1b[31mne\n.safetensors")
    ended = cli("checkpoints", "list")
    assert "\x1b" not in ended.out
    assert len(ended.lines) == 4
