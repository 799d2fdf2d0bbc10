"""The fuzz command tries each target, finds what breaks, keeps the input, and tries it again."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import __main__ as command
from tests.fuzz.mutation import MAX_BYTES, Mutator
from tests.fuzz.running import Broken, drive, tried
from tests.fuzz.target import Target, require_plain
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_takes_its_seeds_and_a_hundred_inputs_made_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path))
    target = TARGETS[name](tmp_path)
    assert target.name == name
    random = Random(name)  # noqa: S311 - no secrets
    mutator = Mutator(random, target.tokens)
    made = [mutator.mutated(random.choice(target.seeds), random.choice(target.seeds)) for _ in range(100)]
    outcomes = {tried(target, data)[0] for data in (*target.seeds, *made, b"", b"\0")}
    assert len(outcomes) > 1


def test_the_same_seed_makes_the_same_inputs_and_another_makes_others() -> None:
    def made(seed: int) -> list[bytes]:
        mutator = Mutator(Random(seed), (b"token",))  # noqa: S311 - no secrets
        return [mutator.mutated(b'{"step": 12, "name": "a"}', b"other") for _ in range(200)]

    assert made(1) == made(1)
    assert made(1) != made(2)
    assert len(set(made(1))) > 150
    assert max(map(len, made(1))) <= MAX_BYTES


def broken_by(needle: bytes, how: str) -> Target:
    """Return a target that breaks on inputs with a certain part in them."""

    def check(data: bytes) -> str:
        if needle in data:
            if how == "raises":
                raise KeyError("a bug")
            if how == "is slow":
                end = time.process_time() + 0.2
                while time.process_time() < end:
                    pass
            if how == "takes memory":
                return str(len(bytes(range(256)) * (400 * 4096)))
            require_plain("\x1b[2J")
        return "fine"

    return Target(name="broken", seeds=(b"a quiet input", b"x"), tokens=(needle,), check=check, max_seconds=0.1)


@pytest.mark.parametrize("how", ["raises", "is slow", "takes memory", "leaks a control character"])
def test_what_breaks_a_property_is_found(tmp_path: Path, how: str) -> None:
    with pytest.raises(Broken) as raised:
        drive([broken_by(b"%!PS", how)], seconds=20, seed=1, folder=tmp_path)
    assert b"%!PS" in raised.value.data
    assert (tmp_path / "current").read_bytes() == raised.value.data


def test_what_never_ends_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(data: bytes) -> str:
        while True:
            pass

    monkeypatch.setattr("tests.fuzz.running._HANG_SECONDS", 1)
    with pytest.raises(Broken, match="no end after 1 seconds"):
        tried(Target(name="hanging", seeds=(), check=hang), b"")


def test_an_input_that_breaks_is_saved_and_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(TARGETS, "broken", lambda _: broken_by(b"%!PS", "raises"))
    monkeypatch.setitem(os.environ, "TWEETGEN_HOME", str(tmp_path))
    found = tmp_path / "found"
    assert command.main(["--seconds", "20", "--seed", "1", "--target", "broken", "--save-to", str(found)]) == 1
    [path] = found.glob("broken-*")
    assert f"python -m tests.fuzz --replay {path}" in capsys.readouterr().err
    assert command.main(["--replay", str(path), "--save-to", str(tmp_path / "again")]) == 1
    path.write_bytes(b"quiet")
    assert command.main(["--replay", str(path)]) == 0
    assert "broken: fine" in capsys.readouterr().out


def test_a_quiet_time_ends_with_a_table_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(os.environ, "TWEETGEN_HOME", str(tmp_path))
    found = tmp_path / "found"
    given = ["--seconds", "0.5", "--target", "messages", "--save-to", str(found)]
    assert command.main(given) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].startswith("seed ")
    assert [line.split()[0] for line in table[1:]] == ["target", "messages", "all"]
    assert int(table[-1].split()[1].replace(",", "")) > 100
    assert not found.exists()
