"""A checkpoint round-trips exactly; every damaged or forged one is one `CheckpointError` that names the file."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file
from torch import Tensor

from engine.checkpoints import checkpoint
from engine.checkpoints.catalog import iterate_checkpoints
from engine.checkpoints.checkpoint import HostSnapshot, load_checkpoint
from engine.checkpoints.format import MAX_HEADER_BYTES, Header, encode_header, read_header, read_info
from engine.checkpoints.management import export_checkpoint, import_checkpoint
from engine.config.corpus import CorpusConfig
from engine.config.run import TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.errors import CheckpointError
from engine.protocol.progress import BatchCursor
from tests.engine.checkpoints import damage
from tests.engine.checkpoints.saved import CONTEXTS, WITH_TABLE, checkpoint_info, checkpoint_tensors, write_checkpoint
from tests.engine.helpers import CPU, assert_same_tensors

BIAS, MOMENT, STEP = "model.proj.bias", "optimizer.exp_avg_sq.proj.bias", "optimizer.step.proj.bias"
CODES, SQUARE = "model.ngram_input.contexts", "optimizer.row_square.ngram_input.weight"
AWKWARD = checkpoint_info(
    corpus=CorpusConfig(files=("/tmp/with blank/ünïcode.csv", "b.csv"), column="tweet", overfit=200),
    training=TrainingConfig(max_seconds=0.1 + 0.2, learning_rate=1e-8, seed=2**63 - 1, schedule="cosine"),
    sampling=SamplingConfig(prime=' "\\', temperature=0.05),
    vocab=("a", '"', "\\", "😀", "\u200d", " ", "é"),
    position=BatchCursor(epoch=10**6, batch=10**9),
    train_loss=1 / 3,
    val_loss=2 / 3,
    bits_per_char=0.1,
    best_bits_per_char=5e-324,
)


def test_awkward_texts_and_numbers_round_trip_exactly(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "one.safetensors", {}, **vars(AWKWARD))
    assert read_info(path)[0] == AWKWARD


def test_a_checkpoint_round_trips_with_a_table_its_contexts_and_one_square_per_row(tmp_path: Path) -> None:
    tensors = checkpoint_tensors(WITH_TABLE)
    tensors[MOMENT] += torch.inf  # an overflowed square does no harm
    tensors[SQUARE] = torch.tensor([0.0, torch.inf, 1.0])
    loaded = load_checkpoint(write_checkpoint(tmp_path / "one.safetensors", tensors, model=WITH_TABLE))
    assert loaded.info == checkpoint_info(model=WITH_TABLE)
    assert loaded.vocab.chars == checkpoint_info().vocab
    assert_same_tensors(loaded.tensors, tensors)
    assert all(loaded.tensors[name].dtype == tensor.dtype for name, tensor in tensors.items())
    ngrams = loaded.to_model(CPU.device).ngram_input
    assert ngrams is not None
    assert ngrams.contexts.tolist() == [*CONTEXTS]
    own = {name: tensor.shape for name, tensor in tensors.items() if "optimizer" in name and "ngram_input" in name}
    assert own == {"optimizer.step.ngram_input.weight": (), SQUARE: (3,)}


def test_a_checkpoint_that_is_replaced_while_it_is_read_is_the_old_one(tmp_path: Path) -> None:
    tensors = checkpoint_tensors()
    newer = {name: tensor + 1 if name.startswith("model.") else tensor for name, tensor in tensors.items()}
    path = write_checkpoint(tmp_path / "latest.safetensors", tensors)

    def read_and_replace(file: BinaryIO) -> Header:
        header = read_header(file)
        write_checkpoint(path, newer, step=3, corpus_name="x" * 1000)  # a header of another length
        return header

    with mock.patch.object(checkpoint, "read_header", read_and_replace):
        old = load_checkpoint(path)
    assert old.info == checkpoint_info()
    assert_same_tensors(old.tensors, tensors)
    assert_same_tensors(load_checkpoint(path).tensors, newer)


# The copy in memory ---------------------------------------------------------------------------------------------------
def test_the_bytes_of_a_copy_are_those_that_safetensors_writes() -> None:
    tensors, metadata = checkpoint_tensors(), {"key": "välue"}
    copy = HostSnapshot.of(tensors)
    written = save({name: tensor.clone() for name, tensor in tensors.items()}, metadata)
    assert encode_header(metadata, copy.specs) + copy.buffer.numpy().tobytes() == written


def test_later_changes_of_tensors_are_not_in_the_copy_and_its_buffer_is_reused_where_it_fits() -> None:
    weight = torch.ones(3, 2)
    tensors = {"model.embed.weight": weight, "model.proj.weight": weight, "scalar": torch.tensor(2.0)}
    expected = {name: tensor.clone() for name, tensor in tensors.items()}
    copy = HostSnapshot.of(tensors)
    weight.zero_()
    assert_same_tensors(copy.tensors, expected)
    again = HostSnapshot.of(tensors, copy)
    assert again.buffer is copy.buffer
    assert_same_tensors(again.tensors, tensors)
    assert HostSnapshot.of({"bias": torch.ones(2)}, copy).buffer is not copy.buffer


def test_an_infinite_second_moment_counts_as_finite_and_nothing_else_that_is_not_finite_does() -> None:
    tensors = checkpoint_tensors()
    assert HostSnapshot.of({**tensors, BIAS: torch.full((9,), 3e38)}).is_finite  # their sum is not
    for value in (math.inf, math.nan, -math.inf):
        moment, square = tensors["optimizer.exp_avg.proj.bias"].clone(), tensors[MOMENT].clone()
        moment[0], square[0] = value, value
        assert HostSnapshot.of({**tensors, MOMENT: square}).is_finite is (value == math.inf)
        assert not HostSnapshot.of({**tensors, "optimizer.exp_avg.proj.bias": moment}).is_finite


@pytest.mark.gpu
def test_tensors_of_a_gpu_are_copied_to_pinned_memory_before_later_work_changes_them() -> None:
    weight = torch.ones(1024, 1024, device="cuda")
    copy = HostSnapshot.of({"model.proj.weight": weight, "generator.cuda": torch.cuda.get_rng_state()})
    weight.zero_()
    copy.wait()
    assert copy.buffer.is_pinned()
    assert torch.equal(copy.tensors["model.proj.weight"], torch.ones(1024, 1024))
    assert HostSnapshot.of({"model.proj.weight": weight.cpu()}, copy).buffer is not copy.buffer


# Damage ---------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damage")


@pytest.fixture(scope="module")
def whole(folder: Path) -> bytes:
    """The bytes of an intact checkpoint."""
    return write_checkpoint(folder / "whole.safetensors").read_bytes()


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    """The tensors of a model with a table."""
    return checkpoint_tensors(WITH_TABLE)


def assert_refused(path: Path, content: bytes | None = None, problem: str = ".") -> None:
    """Write this content, if any, and assert that loading it fails with an error that names the file."""
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=problem) as raised:
        load_checkpoint(path)
    assert path.name in raised.value.message
    assert len(raised.value.message) < 1000


def test_a_file_of_torch_save_is_named_as_one_and_not_read(folder: Path, tensors: dict[str, Tensor]) -> None:
    path = folder / "model.pt"
    torch.save(tensors, path)
    assert_refused(path, problem="torch.save writes it: a pickle")


def test_a_truncated_file_is_refused(folder: Path, whole: bytes) -> None:
    size = damage.header_size(whole)
    for cut in {*range(0, 64, 7), *range(64, size, 397), size - 1, size, size + 1, len(whole) - 1}:
        assert_refused(folder / "cut.safetensors", whole[:cut])


@given(data=st.data())
def test_a_byte_changed_anywhere_is_refused(folder: Path, whole: bytes, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, damage.header_size(whole) - 1) | st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[index] ^= data.draw(st.integers(1, 255))
    assert_refused(folder / "changed.safetensors", bytes(changed))


@settings(max_examples=20)
@given(st.binary(max_size=400))
def test_any_other_bytes_are_refused(folder: Path, content: bytes) -> None:
    assert_refused(folder / "other.safetensors", content)


def test_a_safetensors_file_of_another_program_is_refused_as_such_and_a_missing_one_is_reported(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, tmp_path / "theirs.safetensors", metadata={"format": "pt"})
    assert_refused(tmp_path / "theirs.safetensors", problem="not written by tweetgen-tui")
    assert_refused(tmp_path / "gone.safetensors", problem=r"gone\.safetensors.*No such file")


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
    [entry] = iterate_checkpoints()
    assert "odd" in entry.problem


def with_bias(dtype: object, shape: object, *offsets: int) -> Callable[[bytes], bytes]:
    """Return a function that gives a checkpoint another header entry for one tensor."""
    entry = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
    return lambda whole: damage.with_header(whole, **{"model.proj.bias": entry})


def with_head(head: bytes) -> Callable[[bytes], bytes]:
    """Return a function that gives another file for any checkpoint."""
    return lambda _: head


VOCAB = checkpoint_info().vocab
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a byte more": lambda whole: whole + b"\0",
    # metadata
    "no metadata": partial(damage.with_metadata, tweetgen=None),
    "no checksum of the metadata": partial(damage.with_metadata, tweetgen_info_sha256=None),
    "no checksum of the tensors": partial(damage.with_metadata, tweetgen_sha256=None),
    "metadata that do not match their checksum": partial(damage.with_metadata, tweetgen_info_sha256="0" * 64),
    "empty metadata": partial(damage.with_info_text, text=""),
    "null": partial(damage.with_info_text, text="null"),
    "no fields": partial(damage.with_info_text, text="{}"),
    "a step that is NaN": partial(damage.with_info_text, text='{"step": NaN}'),
    "deep metadata": partial(damage.with_info_text, text='{"a":' * 100_000),
    "a surrogate": partial(damage.with_info_text, text="\ud800"),
    # numbers, with a correct checksum
    "a negative step": partial(damage.signed_info, step=-1),
    "an unknown precision": partial(damage.signed_info, precision="float1"),
    "negative bits": partial(damage.signed_info, bits_per_char=-1e300),
    "a late epoch": partial(damage.signed_info, position={"epoch": 10**40, "batch": 0}),
    "a finish before its first step": partial(damage.signed_info, finish={"first_step": 5, "last_step": 4}),
    "a path for a list of files": partial(damage.signed_info, corpus={"files": "/etc/passwd"}),
    "control characters": partial(damage.signed_info, sampling={"prime": "\x1b[2J"}),
    "a long character": partial(damage.signed_info, vocab=["a" * 100_000]),
    "a huge model": partial(damage.signed_info, model={"embedding_size": 10**9, "hidden_size": 10**9}),
    "a model too large in all": partial(damage.signed_info, model={"hidden_size": 8192, "num_layers": 16}),
    # tensors that do not match the metadata
    "another hidden size": partial(damage.signed_info, model={"embedding_size": 4, "hidden_size": 6}),
    "a smaller vocabulary": partial(damage.signed_info, vocab=["a", "b"]),
    "a character twice": partial(damage.signed_info, vocab=[*VOCAB[1:], VOCAB[1]]),
    "two characters as one": partial(damage.signed_info, vocab=[*VOCAB[1:], "ab"]),
    # headers
    "a header of 2^64 - 1 bytes": with_head(struct.pack("<Q", 2**64 - 1)),
    "a long header": with_head(struct.pack("<Q", MAX_HEADER_BYTES + 1) + bytes(MAX_HEADER_BYTES + 1)),
    "brackets": with_head(damage.with_raw_header(b"[" * 100_000)),
    "a long number": with_head(damage.with_raw_header(b'{"a":{"shape":[' + b"9" * 100_000 + b"]}}")),
    # places of a tensor
    "out of the file": with_bias("F32", [10**6], 0, 4 * 10**6),
    "backwards": with_bias("F32", [2], 8, 0),
    "over another": with_bias("F32", [2], 0, 8),
    "a product beyond 64 bits": with_bias("F32", [2**62, 4], 0, 0),
    "an unknown type": with_bias("Q4", [2], 0, 8),
    "nonsense": with_bias(7, "a"),
    "a gap where it was": lambda whole: damage.with_header(whole, **{"model.proj.bias": None}),
}


@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_or_forged_file_is_refused(folder: Path, whole: bytes, change: Callable[[bytes], bytes]) -> None:
    assert_refused(folder / "damaged.safetensors", change(whole))


# Tensors that training can't produce ----------------------------------------------------------------------------------
def generator_state(left: int, place: int) -> Tensor:
    """Return the state of a generator with this position and number of values left."""
    state = bytearray(torch.get_rng_state().numpy().tobytes())
    struct.pack_into("<i", state, 8, left)
    struct.pack_into("<Q", state, 16, place)
    return torch.frombuffer(state, dtype=torch.uint8)


def to(*numbers: float) -> Callable[[Tensor], Tensor]:
    """Return a function that gives these numbers for any tensor."""
    return lambda _: torch.tensor(numbers)


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        pytest.param(BIAS, lambda old: torch.where(torch.arange(len(old)) == 3, torch.nan, old), ".", id="one NaN"),
        pytest.param(BIAS, lambda old: old.half(), ".", id="half precision"),
        pytest.param(BIAS, None, ".", id="missing"),
        pytest.param("model.rnn.extra", to(0.0, 0.0, 0.0), ".", id="one too many"),
        pytest.param(MOMENT, lambda old: -old - 1, ".", id="negative squares"),
        pytest.param(MOMENT, None, ".", id="half of the optimizer"),
        pytest.param(STEP, lambda old: old * torch.nan, ".", id="a step that is NaN"),
        pytest.param("generator.cpu", None, ".", id="no generator"),
        pytest.param("generator.cpu", lambda old: old[:100].clone(), ".", id="a short generator"),
        pytest.param("generator.cpu", lambda _: generator_state(624, 624), ".", id="a generator read beyond its end"),
        pytest.param("generator.cuda", lambda _: torch.zeros(16), ".", id="a generator of floats"),
        pytest.param(CODES, to(4, 4), "contexts is not in ascending order", id="a context twice"),
        pytest.param(CODES, to(5, 4), "contexts is not in ascending order", id="falling contexts"),
        pytest.param(SQUARE, to(0.0, -1.0, 0.0), "has negative values", id="a negative square"),
        pytest.param(SQUARE, to(0.0, torch.nan, 0.0), "has non-finite values", id="a square that is NaN"),
        pytest.param(SQUARE, to(0.0, 0.0), "do not fit", id="squares of another table"),
        pytest.param(SQUARE, None, "do not fit", id="no squares"),
        pytest.param("optimizer.exp_avg.ngram_input.weight", lambda _: torch.zeros(3, 5), "do not fit", id="moments"),
        pytest.param("model.ngram_input.weight", lambda _: torch.zeros(3, 9), "do not fit", id="rows of another size"),
    ],
)
def test_tensors_that_training_cannot_produce_are_refused(
    folder: Path, tensors: dict[str, Tensor], name: str, change: Callable[[Tensor], Tensor] | None, problem: str
) -> None:
    changed = {each: tensor for each, tensor in tensors.items() if each != name}
    if change is not None:
        changed[name] = change(tensors.get(name, torch.zeros(1)))
    path = write_checkpoint(folder / "tensors.safetensors", changed, model=WITH_TABLE)
    assert_refused(path, problem=problem)
