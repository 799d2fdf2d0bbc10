"""The import of torch without garbage collection."""

from __future__ import annotations

import gc
import sys

import pytest

from engine.imports import torch_imported_uncollected


def test_the_first_import_of_torch_is_not_collected_and_its_objects_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    before = gc.get_freeze_count()
    with torch_imported_uncollected():
        assert not gc.isenabled()
        kept = [[number] for number in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(kept)


def test_collection_is_enabled_again_after_an_import_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    with pytest.raises(ImportError), torch_imported_uncollected():
        raise ImportError
    assert gc.isenabled()


def test_nothing_changes_where_torch_is_imported_already() -> None:
    import torch  # noqa: F401

    before = gc.get_freeze_count()
    with torch_imported_uncollected():
        assert gc.isenabled()
    assert gc.get_freeze_count() == before
