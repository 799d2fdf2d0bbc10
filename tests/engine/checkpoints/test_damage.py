"""Every damaged or forged checkpoint is one `CheckpointError` that names the file."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from engine.checkpoints.catalog import list_checkpoints
from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.header import MAX_HEADER_BYTES
from engine.checkpoints.management import export_checkpoint, import_checkpoint
from engine.config.run import ModelConfig
from engine.errors import CheckpointError
from tests.engine.checkpoints.damage import (
    header_size,
    signed_info,
    with_header,
    with_info,
    with_info_text,
    with_metadata,
    with_raw_header,
)
from tests.engine.checkpoints.saved import checkpoint_info, checkpoint_tensors, write_checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damage")


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    return checkpoint_tensors()


@pytest.fixture(scope="module")
def whole(folder: Path, tensors: dict[str, Tensor]) -> bytes:
    """The bytes of an intact checkpoint."""
    return write_checkpoint(folder / "whole.safetensors", tensors).read_bytes()


def assert_refused(path: Path, content: bytes | None = None) -> None:
    """Write this content, if any, and assert that loading it fails with an error that names the file."""
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError) as raised:
        load_checkpoint(path)
    assert path.name in raised.value.message
    assert len(raised.value.message) < 1000


# Damaged files --------------------------------------------------------------------------------------------------------


def test_a_truncated_or_extended_file_is_refused(folder: Path, whole: bytes) -> None:
    size = header_size(whole)
    for cut in {*range(0, 64, 7), *range(64, size, 397), size - 1, size, size + 1, len(whole) - 1}:
        assert_refused(folder / "cut.safetensors", whole[:cut])
    assert_refused(folder / "longer.safetensors", whole + b"\0")


@given(data=st.data())
def test_a_byte_changed_anywhere_is_refused(folder: Path, whole: bytes, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, header_size(whole) - 1) | st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[index] ^= data.draw(st.integers(1, 255))

    assert_refused(folder / "changed.safetensors", bytes(changed))


@settings(max_examples=20)
@given(st.binary(max_size=400))
def test_any_other_bytes_are_refused(folder: Path, content: bytes) -> None:
    assert_refused(folder / "other.safetensors", content)


def test_a_safetensors_file_of_another_program_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    save_file({"weight": torch.zeros(3)}, path, metadata={"format": "pt"})

    with pytest.raises(CheckpointError, match="not written by tweetgen-tui"):
        load_checkpoint(path)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.safetensors.*No such file"):
        load_checkpoint(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_not_a_regular_file_is_refused_by_every_reader(home: Path, make: Callable[[Path], None]) -> None:
    path = home / "checkpoints" / "odd.safetensors"
    path.parent.mkdir()
    make(path)

    for read in (
        lambda: load_checkpoint(path),
        lambda: import_checkpoint(path, "mine", replace=False),
        lambda: export_checkpoint(str(path), home / "out.safetensors", replace=False),
    ):
        with pytest.raises(CheckpointError, match=r"odd\.safetensors"):
            read()
    [entry] = list_checkpoints()
    assert "odd" in entry.problem


# Metadata -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["tweetgen", "tweetgen_info_sha256", "tweetgen_sha256"])
def test_missing_metadata_is_refused(folder: Path, whole: bytes, key: str) -> None:
    assert_refused(folder / "metadata.safetensors", with_metadata(whole, **{key: None}))


def test_metadata_that_does_not_match_its_checksum_is_refused(folder: Path, whole: bytes) -> None:
    assert_refused(folder / "changed.safetensors", with_info(whole, step=3))


@pytest.mark.parametrize("text", ["", "null", "{}", '{"step": NaN}', '{"a":' * 100_000, "\ud800"])
def test_invalid_metadata_is_refused(folder: Path, whole: bytes, text: str) -> None:
    assert_refused(folder / "info.safetensors", with_info_text(whole, text))


@pytest.mark.parametrize(
    "change",
    [
        {"step": -1},
        {"precision": "float1"},
        {"bits_per_char": -1e300},
        {"position": {"epoch": 10**40, "batch": 0}},
        {"finish": {"first_step": 5, "last_step": 5}},
        {"corpus": {"files": "/etc/passwd"}},
        {"sampling": {"prime": "\x1b[2J"}},
        {"vocab": ["a" * 100_000]},
        {"model": {"embedding_size": 10**9, "hidden_size": 10**9}},
        {"model": {"hidden_size": 8192, "num_layers": 16}},
    ],
    ids=lambda change: str(change)[:40],
)
def test_invalid_numbers_are_refused_even_with_a_correct_checksum(
    folder: Path, whole: bytes, change: dict[str, Any]
) -> None:
    assert_refused(folder / "info.safetensors", signed_info(whole, **change))


# Tensors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(struct.pack("<Q", 2**64 - 1), id="2^64 - 1 bytes"),
        pytest.param(struct.pack("<Q", MAX_HEADER_BYTES + 1) + bytes(MAX_HEADER_BYTES + 1), id="too long"),
        pytest.param(with_raw_header(b"[" * 100_000), id="brackets"),
        pytest.param(with_raw_header(b'{"a":{"shape":[' + b"9" * 100_000 + b"]}}"), id="a long number"),
    ],
)
def test_an_invalid_header_is_refused(folder: Path, head: bytes) -> None:
    assert_refused(folder / "head.safetensors", head)


def place(dtype: str, shape: list[int], first: int, last: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


@pytest.mark.parametrize(
    "bias",
    [
        pytest.param(place("F32", [10**6], 0, 4 * 10**6), id="out of the file"),
        pytest.param(place("F32", [2], 8, 0), id="backwards"),
        pytest.param(place("F32", [2], 0, 8), id="over another"),
        pytest.param(place("F32", [2**62, 4], 0, 0), id="a product beyond 64 bits"),
        pytest.param(place("Q4", [2], 0, 8), id="an unknown type"),
        pytest.param({"dtype": 7, "shape": "a", "data_offsets": None}, id="nonsense"),
        pytest.param(None, id="a gap where it was"),
    ],
)
def test_an_invalid_tensor_entry_is_refused(folder: Path, whole: bytes, bias: dict[str, Any] | None) -> None:
    assert_refused(folder / "place.safetensors", with_header(whole, **{"model.proj.bias": bias}))


def generator_state(left: int, place: int) -> Tensor:
    """Return the state of a generator with this position and number of values left."""
    state = bytearray(torch.get_rng_state().numpy().tobytes())
    struct.pack_into("<i", state, 8, left)
    struct.pack_into("<Q", state, 16, place)
    return torch.frombuffer(state, dtype=torch.uint8)


BIAS, SQUARE, STEP = "model.proj.bias", "optimizer.exp_avg_sq.proj.bias", "optimizer.step.proj.bias"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param(BIAS, lambda old: torch.where(torch.arange(len(old)) == 3, torch.nan, old), id="one NaN"),
        pytest.param(BIAS, lambda old: old.half(), id="half precision"),
        pytest.param(BIAS, None, id="missing"),
        pytest.param("model.rnn.extra", lambda _: torch.zeros(3), id="one too many"),
        pytest.param(SQUARE, lambda old: -old - 1, id="negative squares"),
        pytest.param(SQUARE, None, id="half of the optimizer"),
        pytest.param(STEP, lambda old: old * torch.nan, id="a step that is NaN"),
        pytest.param("generator.cpu", None, id="no generator"),
        pytest.param("generator.cpu", lambda old: old[:100].clone(), id="a short generator"),
        pytest.param("generator.cpu", lambda _: generator_state(624, 624), id="a generator that reads beyond its end"),
        pytest.param("generator.cuda", lambda _: torch.zeros(16), id="a generator of floats"),
    ],
)
def test_tensors_that_training_cannot_produce_are_refused(
    folder: Path, tensors: dict[str, Tensor], name: str, change: Callable[[Tensor], Tensor] | None
) -> None:
    others = {each: tensor for each, tensor in tensors.items() if each != name}
    own = {} if change is None else {name: change(tensors.get(name, torch.zeros(1)))}
    assert_refused(write_checkpoint(folder / "tensors.safetensors", {**others, **own}))


def test_an_overflowed_squared_gradient_is_accepted(folder: Path, tensors: dict[str, Tensor]) -> None:
    path = write_checkpoint(folder / "square.safetensors", {**tensors, SQUARE: tensors[SQUARE] + torch.inf})
    assert load_checkpoint(path).tensors[SQUARE].isinf().all()


@pytest.mark.parametrize(
    "changes",
    [
        {"model": ModelConfig(embedding_size=4, hidden_size=6)},
        {"vocab": ("a", "b")},
        {"vocab": (*checkpoint_info().vocab[1:], checkpoint_info().vocab[1])},
        {"vocab": (*checkpoint_info().vocab[1:], "ab")},
    ],
    ids=["another hidden size", "a smaller vocabulary", "a character twice", "two characters as one"],
)
def test_tensors_that_do_not_match_the_metadata_are_refused(
    folder: Path, tensors: dict[str, Tensor], changes: dict[str, Any]
) -> None:
    assert_refused(write_checkpoint(folder / "misfit.safetensors", tensors, **changes))
