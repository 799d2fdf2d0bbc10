"""The place of a process comes from torchrun's environment; whatever is wrong with that is a clear error."""

from __future__ import annotations

import pytest

from engine.errors import DistributedError
from engine.parallel.place import TIMEOUT_VARIABLE, Place, place_from_environment

ADDRESS = {"MASTER_ADDR": "localhost", "MASTER_PORT": "29500", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", **ADDRESS, "TORCHELASTIC_RESTART_COUNT": "1"}


def test_the_place_is_that_of_torchrun_and_a_process_alone_has_none() -> None:
    place = Place(rank=3, world_size=4, local_rank=1, local_world_size=2, restart_count=1, max_restarts=3)
    assert place_from_environment({**TORCHRUN, "TORCHELASTIC_MAX_RESTARTS": "3"}) == place
    assert not place.is_leader
    assert place_from_environment({}) is None
    assert place_from_environment({**TORCHRUN, "RANK": "0", "WORLD_SIZE": "1"}) is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MASTER_PORT", None, "MASTER_PORT is not"),
        ("WORLD_SIZE", None, "WORLD_SIZE is not"),
        ("RANK", "one", "RANK is 'one'"),
        ("RANK", "4", "RANK is 4, but WORLD_SIZE is 4"),
        ("LOCAL_RANK", "-1", "LOCAL_RANK is '-1'"),
        (TIMEOUT_VARIABLE, "soon", "is 'soon'"),
        (TIMEOUT_VARIABLE, "0.5", "is '0.5'"),
    ],
)
def test_a_broken_environment_is_an_error_that_names_the_variable(name: str, value: str | None, words: str) -> None:
    environ = {key: text for key, text in {**TORCHRUN, name: value}.items() if text is not None}
    with pytest.raises(DistributedError, match=words):
        place_from_environment(environ)
