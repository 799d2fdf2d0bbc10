"""Every kind of damage is one `CheckpointError` that names the file; nothing damaged is ever loaded."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from engine.checkpoint import load_checkpoint
from engine.checkpoint_list import list_checkpoints
from engine.config import ModelConfig
from engine.errors import CheckpointError
from tests.engine.checkpoints import checkpoint_info, checkpoint_tensors, write_checkpoint
from tests.engine.damaging import header_size, with_info, with_info_text, with_metadata


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damage")


@pytest.fixture(scope="module")
def whole(folder: Path) -> bytes:
    """Return the bytes of a checkpoint without damage."""
    return write_checkpoint(folder / "whole.safetensors").read_bytes()


def assert_refused(path: Path, content: bytes) -> None:
    """Write this content; loading it must be refused, and the file be named."""
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as raised:
        load_checkpoint(path)
    assert path.name in raised.value.message


def test_the_file_without_damage_loads(folder: Path, whole: bytes) -> None:
    assert load_checkpoint(folder / "whole.safetensors").info == checkpoint_info()
    assert with_metadata(whole) != whole


def test_a_file_cut_off_anywhere_is_refused(folder: Path, whole: bytes) -> None:
    size = header_size(whole)
    cuts = {*range(0, 64, 7), *range(64, size, 97), size - 1, size, size + 1, *range(size, len(whole), 911)}

    for cut in sorted(cuts | {len(whole) - 1}):
        assert_refused(folder / "cut.safetensors", whole[:cut])


def test_a_file_with_something_after_its_end_is_refused(folder: Path, whole: bytes) -> None:
    assert_refused(folder / "longer.safetensors", whole + b"\0")


def test_a_flipped_bit_anywhere_in_the_head_is_refused(folder: Path, whole: bytes) -> None:
    path = folder / "flipped.safetensors"
    for index in range(header_size(whole)):
        flipped = bytearray(whole)
        flipped[index] ^= 1 << index % 8
        assert_refused(path, bytes(flipped))


@given(data=st.data())
def test_a_byte_changed_anywhere_is_refused(folder: Path, whole: bytes, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[index] = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[index]))

    assert_refused(folder / "changed.safetensors", bytes(changed))


def test_a_flipped_bit_in_each_tensor_is_refused(folder: Path, whole: bytes) -> None:
    size = header_size(whole)
    header = json.loads(whole[8:size])
    regions = {name: entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"}
    assert {name.split(".")[0] for name in regions} == {"model", "optimizer", "generator"}

    for first, last in regions.values():
        for index in {first, (first + last) // 2, last - 1}:
            flipped = bytearray(whole)
            flipped[size + index] ^= 1
            assert_refused(folder / "flipped.safetensors", bytes(flipped))


@given(st.binary(max_size=400))
def test_a_file_of_anything_else_is_refused(folder: Path, content: bytes) -> None:
    assert_refused(folder / "other.safetensors", content)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", id="lfs pointer"),
        pytest.param(b"PK\x03\x04" + bytes(100), id="zip, as torch.save writes it"),
        pytest.param(b"\x80\x04\x95" + bytes(100), id="pickle"),
        pytest.param(b"\xff" * 100, id="a head of 2**64 bytes"),
        pytest.param(struct.pack("<Q", 2) + b"{}", id="no tensors"),
        pytest.param(struct.pack("<Q", 100_000) + b"[" * 100_000, id="deeply nested"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(folder: Path, content: bytes) -> None:
    assert_refused(folder / "foreign.safetensors", content)


def test_weights_of_another_program_are_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    save_file({"weight": torch.zeros(3)}, path, metadata={"format": "pt"})

    with pytest.raises(CheckpointError, match="not written by tweetgen-tui"):
        load_checkpoint(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.safetensors.*No such file"):
        load_checkpoint(tmp_path / "gone.safetensors")


def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder.safetensors").mkdir()

    with pytest.raises(CheckpointError, match=r"folder\.safetensors"):
        load_checkpoint(tmp_path / "folder.safetensors")


def test_a_file_of_the_first_format_still_loads(folder: Path, whole: bytes) -> None:
    info = json.loads(json.loads(whole[8 : header_size(whole)])["__metadata__"]["tweetgen"])
    info["format_version"] = 1
    for fields, later in ((info, ("finish", "step_path")), (info["training"], ("average_lag",))):
        for name in later:
            del fields[name]
    del info["model"]["tied_embeddings"]
    path = folder / "first.safetensors"
    path.write_bytes(with_info_text(whole, json.dumps(info)))

    assert load_checkpoint(path).info == replace(checkpoint_info(), format_version=1, step_path="")


def test_a_file_of_a_newer_program_says_to_update(folder: Path, whole: bytes) -> None:
    path = folder / "newer.safetensors"
    path.write_bytes(with_info_text(whole, '{"format_version": 99, "something": "new"}'))

    with pytest.raises(CheckpointError, match="newer tweetgen-tui") as raised:
        load_checkpoint(path)
    assert "Update" in raised.value.hint


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '"text"', "{}", "[" * 100_000, '{"a":' * 100_000, "\ud800"])
def test_info_that_is_no_info_is_refused(folder: Path, whole: bytes, text: str) -> None:
    assert_refused(folder / "info.safetensors", with_info_text(whole, text))


@pytest.mark.parametrize("key", ["tweetgen", "tweetgen_info_sha256", "tweetgen_sha256"])
def test_missing_metadata_is_refused(folder: Path, whole: bytes, key: str) -> None:
    assert_refused(folder / "metadata.safetensors", with_metadata(whole, **{key: None}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("step", 3),
        ("step", "2"),
        ("step", None),
        ("vocab", ["a", "b"]),
        ("vocab", ["ab"]),
        ("model", {"hidden_size": 6}),
        ("model", {"hidden_size": -1}),
        ("sampling", {"temperature": 99.0}),
        ("position", {"epoch": 1, "batch": 0}),
        ("elapsed_seconds", 1.6),
        ("run", 5),
    ],
)
def test_info_that_was_changed_afterwards_is_refused(folder: Path, whole: bytes, field: str, value: object) -> None:
    assert_refused(folder / "changed.safetensors", with_info(whole, **{field: value}))


def misfits() -> dict[str, tuple[dict[str, torch.Tensor], dict[str, Any]]]:
    """Return checkpoints, written as they should be, of which one half does not fit the other."""
    tensors = checkpoint_tensors()
    without_bias = {name: tensor for name, tensor in tensors.items() if name != "model.proj.bias"}
    without_moments = {name: tensor for name, tensor in tensors.items() if "exp_avg_sq" not in name}
    without_generator = {name: tensor for name, tensor in tensors.items() if not name.startswith("generator")}
    wrong_moment = {**tensors, "optimizer.exp_avg.proj.bias": torch.zeros(3)}
    one_more = {**tensors, "model.rnn.extra": torch.zeros(3)}
    return {
        "another hidden size": (tensors, {"model": ModelConfig(embedding_size=4, hidden_size=6)}),
        "more layers": (tensors, {"model": ModelConfig(embedding_size=4, hidden_size=5, num_layers=2)}),
        "a smaller vocabulary": (tensors, {"vocab": ("a", "b")}),
        "a character twice": (tensors, {"vocab": (*checkpoint_info().vocab[1:], checkpoint_info().vocab[1])}),
        "two characters as one": (tensors, {"vocab": (*checkpoint_info().vocab[1:], "ab")}),
        "a tensor too few": (without_bias, {}),
        "a tensor too many": (one_more, {}),
        "half of the optimizer": (without_moments, {}),
        "the optimizer of another model": (wrong_moment, {}),
        "no generator": (without_generator, {}),
    }


@pytest.mark.parametrize("kind", misfits())
def test_tensors_that_do_not_fit_the_info_are_refused(folder: Path, kind: str) -> None:
    tensors, changes = misfits()[kind]
    path = write_checkpoint(folder / "misfit.safetensors", tensors, **changes)

    with pytest.raises(CheckpointError) as raised:
        load_checkpoint(path)
    assert path.name in raised.value.message


def test_checking_a_checkpoint_draws_no_random_number(folder: Path, whole: bytes) -> None:
    state = torch.get_rng_state()

    load_checkpoint(folder / "whole.safetensors")

    assert torch.equal(torch.get_rng_state(), state)


def test_the_list_holds_damaged_files_too_and_says_what_is_wrong(home: Path, whole: bytes) -> None:
    (home / "checkpoints").mkdir()
    (home / "checkpoints" / "good.safetensors").write_bytes(whole)
    (home / "checkpoints" / "cut.safetensors").write_bytes(whole[:300])

    entries = {entry.name: entry for entry in list_checkpoints()}

    assert entries.keys() == {"good", "cut"}
    assert entries["good"].problem == ""
    assert (entries["good"].step, entries["good"].num_bytes) == (2, len(whole))
    assert "damaged" in entries["cut"].problem
    assert entries["cut"].step is None
