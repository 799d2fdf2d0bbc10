"""The fuzz command tries each target, finds what breaks, keeps the input, and tries it again."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import __main__ as command
from tests.fuzz.mutation import Mutator
from tests.fuzz.running import tried
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_takes_its_seeds_and_some_inputs_made_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path))
    target = TARGETS[name](tmp_path)
    assert target.name == name
    random = Random(name)  # noqa: S311 - no secrets
    mutator = Mutator(random, target.tokens)
    made = [mutator.mutated(random.choice(target.seeds), random.choice(target.seeds)) for _ in range(5)]
    outcomes = {tried(target, data)[0] for data in (*target.seeds, *made, b"", b"\0")}
    assert len(outcomes) > 1


def check(data: bytes) -> str:
    """Break on inputs with a certain part in them."""
    if b"%!PS" in data:
        raise KeyError("a bug")
    return "fine"


def test_an_input_that_breaks_is_saved_and_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = Target(name="broken", seeds=(b"a quiet input", b"x"), tokens=(b"%!PS",), check=check)
    monkeypatch.setitem(TARGETS, "broken", lambda _: target)
    monkeypatch.setitem(os.environ, "TWEETGEN_HOME", str(tmp_path))
    found = tmp_path / "found"
    assert command.main(["--seconds", "20", "--seed", "1", "--target", "broken", "--save-to", str(found)]) == 1
    [path] = found.glob("broken-*")
    assert f"python -m tests.fuzz --replay {path}" in capsys.readouterr().err
    assert command.main(["--replay", str(path), "--save-to", str(tmp_path / "again")]) == 1
    path.write_bytes(b"quiet")
    assert command.main(["--replay", str(path)]) == 0
    assert "broken: fine" in capsys.readouterr().out
