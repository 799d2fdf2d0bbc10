"""A checkpoint made to do harm, with every SHA-256 in it right, is one `CheckpointError`: soon, in little memory."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.checkpoint import load_checkpoint
from engine.checkpoint_files import export_checkpoint, import_checkpoint
from engine.checkpoint_head import MAX_HEAD_BYTES
from engine.checkpoint_info import read_info
from engine.checkpoint_list import list_checkpoints, resolve_checkpoint
from engine.config import ModelConfig, RuntimeConfig
from engine.errors import CheckpointError, TweetgenError
from engine.generation import Generator
from engine.runtime import is_generator_state
from tests.engine.checkpoints import checkpoint_info, checkpoint_tensors, write_checkpoint
from tests.engine.damaging import signed_info, with_head, with_header, with_info_text

ROOT = Path(__file__).parents[2]
READ_ALL = """
import json, re, sys, time
from pathlib import Path
from engine.checkpoint import load_checkpoint
from engine.checkpoint_info import read_info
from engine.errors import CheckpointError
def most_memory():  # getrusage would tell of the parent, before exec
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
load_checkpoint(Path(sys.argv[1]))
before = most_memory()
slowest, told = 0.0, []
for path in sorted(Path(sys.argv[2]).iterdir()):
    for read in (read_info, load_checkpoint):
        began = time.process_time()
        try:
            read(path)
            told.append([path.name, read.__name__, ""])
        except CheckpointError as error:
            told.append([path.name, read.__name__, error.message])
        slowest = max(slowest, time.process_time() - began)
print(json.dumps([slowest, most_memory() - before, told]))
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a checkpoint without damage."""
    return write_checkpoint(tmp_path_factory.mktemp("whole") / "whole.safetensors").read_bytes()


def place(dtype: str, shape: list[int], first: int, last: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


def large_files(whole: bytes) -> dict[str, bytes]:
    """Return files that would take long or much memory, if what they claim were believed."""
    num = MAX_HEAD_BYTES - 1000
    texts = ",".join(f'"{index:x}":""' for index in range(num // 12))
    every_char = [chr(code) for code in range(0x20, 0x110000) if not 0xD800 <= code < 0xE000][: num // 12]
    return {
        "a head of 2^60 bytes": struct.pack("<Q", 2**60) + whole[8:],
        "a head of 2^64 - 1 bytes": struct.pack("<Q", 2**64 - 1) + whole[8:],
        "brackets": with_head(b"[" * num),
        "objects": with_head(b'{"a":' * (num // 5)),
        "deep metadata": with_head(b'{"__metadata__":' + b'{"a":' * (num // 5)),
        "deep info": with_info_text(whole, '{"a":' * (num // 8)),
        "many tensors": with_header(whole, **{f"{index:x}": place("F32", [0], 0, 0) for index in range(num // 70)}),
        "many texts": with_head(f'{{"__metadata__":{{{texts}}}}}'.encode()),
        "texts for tensors": with_head(f"{{{texts}}}".encode()),
        "many dimensions": with_header(whole, **{"model.proj.bias": {"shape": [2**48] * (num // 18)}}),
        "a long number": with_head(b'{"a":{"shape":[' + b"9" * num + b"]}}"),
        "a huge vocabulary": with_info_text(
            whole, json.dumps(json.loads(info_text(whole)) | {"vocab": every_char}, ensure_ascii=False)
        ),
        "a vocabulary of one character": signed_info(whole, vocab=["a"] * (num // 8)),
        "one character of a megabyte": signed_info(whole, vocab=["a" * (num // 2)]),
        "a model of 9,000 GB": signed_info(whole, model={"embedding_size": 10**9, "hidden_size": 10**9}),
        "a model of 100 GB": signed_info(whole, model={"hidden_size": 8192, "num_layers": 16}),
    }


def info_text(whole: bytes) -> str:
    """Return what a checkpoint says of itself."""
    (size,) = struct.unpack("<Q", whole[:8])
    return str(json.loads(whole[8 : 8 + size])["__metadata__"]["tweetgen"])


def write_sparse(path: Path, beginning: bytes, num_bytes: int) -> None:
    """Write a file that is as long as that, of which nearly nothing lies on the disk."""
    with path.open("wb") as file:
        file.write(beginning)
        file.truncate(num_bytes)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell the most memory used")
def test_nothing_takes_a_second_or_200_megabytes(tmp_path: Path, whole: bytes) -> None:
    folder = tmp_path / "hostile"
    folder.mkdir()
    (tmp_path / "whole.safetensors").write_bytes(whole)
    for name, content in large_files(whole).items():
        (folder / name).write_bytes(content)
    write_sparse(folder / "100 GB of head", struct.pack("<Q", 10**11 - 8), 10**11)
    write_sparse(folder / "90 MB of head", struct.pack("<Q", 9 * 10**7), 10**8)
    write_sparse(folder / "100 GB after its end", whole, 10**11)

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", READ_ALL, str(tmp_path / "whole.safetensors"), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=100)

    slowest_seconds, grown_kibibytes, told = json.loads(done.stdout)
    loaded = [name for name, read, message in told if read == "load_checkpoint" and not message]
    assert loaded == []
    assert all(name in message for name, _, message in told if message)
    assert all(len(message) < 1000 for _, _, message in told)
    assert slowest_seconds < 1
    assert grown_kibibytes < 200_000


@pytest.mark.parametrize("damage", ["flipped", "cut"])
def test_a_larger_file_damaged_at_every_4_kb_is_refused(tmp_path: Path, damage: str) -> None:
    model = ModelConfig(embedding_size=32, hidden_size=64)
    whole = write_checkpoint(tmp_path / "whole", checkpoint_tensors(model=model), model=model).read_bytes()
    assert len(whole) > 200_000
    path = tmp_path / "damaged.safetensors"
    for index in range(0, len(whole), 4096):
        flipped = whole[:index] + bytes([whole[index] ^ 0x10]) + whole[index + 1 :]
        path.write_bytes(flipped if damage == "flipped" else whole[:index])
        with pytest.raises(CheckpointError, match=r"damaged\.safetensors"):
            load_checkpoint(path)


@pytest.mark.parametrize(
    "bias",
    [
        pytest.param(place("F32", [10**6], 0, 4 * 10**6), id="out of the file"),
        pytest.param(place("F32", [2**40], 0, 4), id="larger than its place"),
        pytest.param(place("F32", [2], 8, 0), id="backwards"),
        pytest.param(place("F32", [2], 0, 8), id="over another"),
        pytest.param(place("F32", [-2], 0, 8), id="a negative shape"),
        pytest.param(place("F32", [2**62, 4], 0, 0), id="a product beyond 64 bits"),
        pytest.param(place("Q4", [2], 0, 8), id="an unknown type"),
        pytest.param({"dtype": "F32"}, id="no place"),
        pytest.param({"dtype": 7, "shape": "a", "data_offsets": None}, id="nonsense"),
        pytest.param(None, id="a gap where it was"),
    ],
)
def test_a_place_that_can_not_be_is_refused(tmp_path: Path, whole: bytes, bias: dict[str, Any] | None) -> None:
    path = tmp_path / "place.safetensors"
    path.write_bytes(with_header(whole, **{"model.proj.bias": bias}))
    for read in (read_info, load_checkpoint):
        with pytest.raises(CheckpointError, match=r"place\.safetensors is damaged"):
            read(path)


def generator_state(left: int, place: int) -> torch.Tensor:
    """Return the state of a generator that stands at this place of its numbers and has so many left."""
    state = bytearray(torch.get_rng_state().numpy().tobytes())
    struct.pack_into("<i", state, 8, left)
    struct.pack_into("<Q", state, 16, place)
    return torch.frombuffer(state, dtype=torch.uint8)


BIAS, SQUARE, STEP = "model.proj.bias", "optimizer.exp_avg_sq.proj.bias", "optimizer.step.proj.bias"
TENSORS: dict[str, tuple[str, Callable[[torch.Tensor], torch.Tensor]]] = {
    "NaN": (BIAS, lambda old: torch.full_like(old, torch.nan)),
    "one NaN": (BIAS, lambda old: torch.where(torch.arange(len(old)) == 3, torch.nan, old)),
    "infinity": (BIAS, lambda old: torch.full_like(old, torch.inf)),
    "half precision": (BIAS, lambda old: old.half()),
    "whole numbers": (BIAS, lambda old: old.to(torch.int32)),
    "another shape": (BIAS, lambda old: old.reshape(1, -1)),
    "negative squares": (SQUARE, lambda old: -old - 1),
    "NaN squares": (SQUARE, lambda old: old * torch.nan),
    "a negative step": (STEP, lambda old: -old),
    "a step that is none": (STEP, lambda old: old * torch.nan),
    "a short generator": ("generator.cpu", lambda old: old[:100].clone()),
    "no generator at all": ("generator.cpu", lambda old: old[:0].clone()),
    "a generator of floats": ("generator.cpu", lambda old: old.float()),
    "a generator of zeros": ("generator.cpu", torch.zeros_like),
    "a generator that reads beyond its end": ("generator.cpu", lambda _: generator_state(624, 624)),
    "another generator of floats": ("generator.cuda", lambda _: torch.zeros(16)),
}


@pytest.mark.parametrize("kind", TENSORS)
def test_tensors_that_no_training_leads_to_are_refused(tmp_path: Path, kind: str) -> None:
    name, change = TENSORS[kind]
    tensors = checkpoint_tensors()
    path = write_checkpoint(tmp_path / "t.safetensors", {**tensors, name: change(tensors.get(name, torch.zeros(1)))})
    with pytest.raises(CheckpointError, match=r"t\.safetensors is damaged"):
        load_checkpoint(path)


def test_a_square_beyond_the_largest_number_is_no_damage(tmp_path: Path) -> None:
    tensors = checkpoint_tensors()
    path = write_checkpoint(tmp_path / "t.safetensors", {**tensors, SQUARE: tensors[SQUARE] + torch.inf})
    assert load_checkpoint(path).tensors[SQUARE].isinf().all()


def test_every_state_that_a_generator_comes_to_is_one() -> None:
    for _ in range(1300):  # twice through its 624 numbers
        assert is_generator_state(torch.get_rng_state())
        torch.rand(())
    torch.randn(3)
    assert is_generator_state(torch.get_rng_state())


@pytest.mark.parametrize(
    "change",
    [
        {"step": -1},
        {"step": 10**30},
        {"step": 2.5},
        {"total_chars": -1},
        {"elapsed_seconds": -0.5},
        {"last_sample_step": -2},
        {"last_eval_step": -1},
        {"num_threads": 0},
        {"num_threads": -4},
        {"precision": "float1"},
        {"train_loss": -1.0},
        {"bits_per_char": -1e300},
        {"best_bits_per_char": 1e300},
        {"position": {"epoch": -1, "batch": 0}},
        {"position": {"epoch": 0, "batch": -1}},
        {"position": {"epoch": 10**40, "batch": 0}},
        {"finish": {"first_step": 5, "last_step": 5}},
        {"finish": {"first_step": -9, "last_step": 5}},
        {"format_version": 10**12},
        {"format_version": "2"},
        {"format_version": None},
        {"vocab": None},
        {"vocab": "abc"},
        {"corpus": {"files": "/etc/passwd"}},
        {"sampling": {"prime": "\x1b[2J"}},
        {"versions": {"torch": 2}},
    ],
    ids=str,
)
def test_numbers_that_can_not_be_are_refused(tmp_path: Path, whole: bytes, change: dict[str, Any]) -> None:
    path = tmp_path / "info.safetensors"
    path.write_bytes(signed_info(whole, **change))
    for read in (read_info, load_checkpoint):
        with pytest.raises(CheckpointError, match=r"info\.safetensors"):
            read(path)


@pytest.mark.parametrize("text", ['{"step": 1e999}', '{"step": NaN}', '{"step": 1}{"step": 2}', "\0", "{}" * 1000])
def test_what_is_no_json_is_refused(tmp_path: Path, whole: bytes, text: str) -> None:
    path = tmp_path / "info.safetensors"
    path.write_bytes(with_info_text(whole, text))
    with pytest.raises(CheckpointError, match=r"info\.safetensors is damaged"):
        read_info(path)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(path.parent)  # a socket's whole path may have 107 bytes only
        listening.bind(path.name)


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def make_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [make_pipe, make_socket, make_device, make_loop, make_folder])
def test_what_is_no_file_is_refused_at_once_by_all_that_read(
    home: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    folder = home / "checkpoints"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = folder / "odd.safetensors"
    make(path)
    (folder / "good.safetensors").write_bytes(whole)

    began = time.process_time()
    for read in (
        lambda: read_info(path),
        lambda: load_checkpoint(path),
        lambda: load_checkpoint(resolve_checkpoint(str(path))),
        lambda: Generator(path, RuntimeConfig()),
        lambda: import_checkpoint(path, "mine", replace=False),
        lambda: export_checkpoint(str(path), home / "out.safetensors", replace=False),
    ):
        with pytest.raises(CheckpointError, match=r"odd\.safetensors"):
            read()
    problems = {entry.name: entry.problem for entry in list_checkpoints()}

    assert problems["good"] == ""
    assert problems.keys() == {"good"} if make is make_loop else "odd" in problems["odd"]
    assert time.process_time() - began < 1
    assert not (folder / "mine.safetensors").exists()


@pytest.mark.parametrize("name", ["a\0b.safetensors", "x" * 5000 + ".safetensors", "no/such/thing.safetensors"])
def test_a_path_that_can_be_none_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError):
        load_checkpoint(resolve_checkpoint(name))
    with pytest.raises(TweetgenError):
        import_checkpoint(Path(name), "mine", replace=False)


def test_a_file_that_shrinks_while_it_is_read_is_refused(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shrinking.safetensors"
    path.write_bytes(whole)

    def shrink(*arguments: Any) -> str:
        os.truncate(path, len(whole) - 100)
        return ""

    monkeypatch.setattr("engine.checkpoint._misfit", shrink)
    with pytest.raises(CheckpointError, match=r"shrinking\.safetensors is damaged"):
        load_checkpoint(path)


def test_the_info_of_a_good_file_is_whole(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "good.safetensors"
    path.write_bytes(signed_info(whole))
    assert load_checkpoint(path).info == checkpoint_info()
