"""`checkpoints`: sessions as they are printed, JSON and pipes."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.cli.program import Cli, Terminal, assert_two_line_error, sections_of

SESSIONS = sections_of(Path(__file__).with_name("sessions.txt"))


@pytest.fixture
def saved(trained: Path, best: Path) -> Path:
    """A data folder with a checkpoint saved as `mine` besides the run's own."""
    (trained / "checkpoints").mkdir()
    shutil.copy(best, trained / "checkpoints" / "mine.safetensors")
    return trained


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_prints(
    cli: Cli, saved: Path, best: Path, elsewhere: Path, snapshot: SnapshotAssertion, session: str
) -> None:
    out, content = elsewhere, best.read_bytes()
    (out / "notes.txt").write_text("mine")
    if session == "import":
        shutil.copy(best, out / "copy.safetensors")
    (saved / "secret.safetensors").touch()
    if session == "a truncated file":
        (saved / "checkpoints" / "torn.safetensors").write_bytes(content[:1000])
    lines = [f"checkpoints {line}" for line in SESSIONS[session]]
    assert cli.transcript(*lines, OWN=best.parent, OUT=out, HOME=saved) == snapshot
    assert (saved / "secret.safetensors").exists()
    if session == "export":
        assert (out / "copy.safetensors").read_bytes() == (out / "notes.txt").read_bytes() == content


def test_json_has_an_object_per_checkpoint(cli: Cli, saved: Path) -> None:
    entries = cli("checkpoints", "list", "--json").objects
    assert {entry["name"] for entry in entries} == {"mine", "first/latest", "first/best"}
    fields = "name path step bits_per_char evaluated_at_step saved_at num_bytes pinned problem"
    assert all(list(entry) == fields.split() for entry in entries)
    assert all((entry["step"], entry["evaluated_at_step"], entry["problem"]) == (40, 40, "") for entry in entries)
    info = cli("checkpoints", "show", "mine", "--json").object
    assert (info["run"], info["step"], info["model"]["hidden_size"], len(info["sha256"])) == ("first", 40, 8, 64)


def test_delete_without_confirmation_deletes_nothing(cli: Cli, saved: Path) -> None:
    for answer in (b"\n", b""):
        cli.reads(answer, is_terminal=True)
        assert cli("checkpoints", "delete", "mine").code == 1
        assert (saved / "checkpoints" / "mine.safetensors").is_file()


def test_an_export_to_stdout_is_the_file_alone_and_refused_on_a_terminal(cli: Cli, saved: Path) -> None:
    piped, shown = io.BytesIO(), io.BytesIO()
    cli.monkeypatch.setattr("sys.stdout", io.TextIOWrapper(piped))
    assert cli("checkpoints", "export", "mine", "-").code == 0
    assert piped.getvalue() == (saved / "checkpoints" / "mine.safetensors").read_bytes()
    cli.monkeypatch.setattr("sys.stdout", Terminal(shown))
    ended = cli("checkpoints", "export", "mine", "-")
    assert (ended.code, shown.getvalue()) == (1, b"")
    assert "is binary" in ended.err


def test_an_import_reads_standard_input_under_a_name_and_is_verified(cli: Cli, saved: Path, best: Path) -> None:
    cli.reads(best.read_bytes())
    assert cli("checkpoints", "import", "-", "--name", "piped").code == 0
    piped, own = (cli("checkpoints", "show", name, "--json").object for name in ("piped", "first/best"))
    assert (piped["run"], piped["step"], piped["sha256"]) == (own["run"], own["step"], own["sha256"])
    cli.reads(b"good morning")
    assert_two_line_error(cli("checkpoints", "import", "-"), "needs a name", "--name")
    ended = cli("checkpoints", "import", "-", "--name", "damaged")
    assert_two_line_error(ended, "tweetgen-tui: standard input is damaged")
    assert not (saved / "checkpoints" / "damaged.safetensors").exists()
