"""Every target of the fuzz command passes for its seeds and some mutations."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz.mutation import Mutator
from tests.fuzz.running import run_input
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_accepts_its_seeds_and_some_mutations_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path))
    target = TARGETS[name](tmp_path)
    assert target.name == name
    random = Random(name)  # noqa: S311 - no secrets
    mutator = Mutator(random, target.tokens)
    made = [mutator.mutated(random.choice(target.seeds), random.choice(target.seeds)) for _ in range(5)]
    outcomes = {run_input(target, data)[0] for data in (*target.seeds, *made, b"", b"\0")}
    assert len(outcomes) > 1
