"""The import of torch without garbage collection."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from engine.memory import torch_imported_uncollected


@pytest.fixture(autouse=True)
def _collects() -> Iterator[None]:
    """Enable collection, which a test that opens the screen in this process disables as the program does."""
    was_enabled = gc.isenabled()
    gc.enable()
    yield
    if not was_enabled:
        gc.disable()


def test_the_first_import_of_torch_is_not_collected_and_its_objects_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch  # noqa: F401

    before = gc.get_freeze_count()
    with torch_imported_uncollected():
        assert gc.isenabled(), "nothing changes where it is imported already"
    assert gc.get_freeze_count() == before
    monkeypatch.delitem(sys.modules, "torch")
    with torch_imported_uncollected():
        assert not gc.isenabled()
        kept = [[number] for number in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(kept)
    with pytest.raises(ImportError), torch_imported_uncollected():
        raise ImportError
    assert gc.isenabled()
