"""The place of a process comes from torchrun's environment; whatever is wrong with that is a clear error."""

from __future__ import annotations

import pytest

from engine.errors import DistributedError
from engine.parallel.place import TIMEOUT_VARIABLE, place_from_environment

TORCHRUN = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "29500",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "TORCHELASTIC_RESTART_COUNT": "1",
    "TORCHELASTIC_MAX_RESTARTS": "3",
}


def test_the_place_is_that_of_torchrun() -> None:
    place = place_from_environment(TORCHRUN)
    assert place is not None
    assert (place.rank, place.world_size, place.local_rank, place.local_world_size) == (3, 4, 1, 2)
    assert (place.restart_count, place.max_restarts, place.timeout_seconds) == (1, 3, 60.0)
    assert not place.is_leader


@pytest.mark.parametrize("environ", [{}, {**TORCHRUN, "RANK": "0", "WORLD_SIZE": "1"}])
def test_a_process_alone_has_no_place(environ: dict[str, str]) -> None:
    assert place_from_environment(environ) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"MASTER_PORT": None}, "MASTER_PORT is not"),
        ({"WORLD_SIZE": None}, "WORLD_SIZE is not"),
        ({"RANK": "one"}, "RANK is 'one'"),
        ({"RANK": "4"}, "RANK is 4, but WORLD_SIZE is 4"),
        ({"LOCAL_RANK": "-1"}, "LOCAL_RANK is '-1'"),
        ({TIMEOUT_VARIABLE: "soon"}, "is 'soon'"),
        ({TIMEOUT_VARIABLE: "0.5"}, "is '0.5'"),
    ],
)
def test_a_broken_environment_is_an_error_that_names_the_variable(changes: dict[str, str | None], words: str) -> None:
    environ = {name: value for name, value in {**TORCHRUN, **changes}.items() if value is not None}
    with pytest.raises(DistributedError, match=words):
        place_from_environment(environ)
