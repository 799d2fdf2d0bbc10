"""Checkpoint files: as raw bytes, and with one part changed and all checksums correct.

The first byte of an input says which: the rest is the file, or the info, the head or the tensors of a good one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.metadata import CheckpointInfo, read_info
from engine.errors import CheckpointError
from tests.engine.checkpoints.damage import header_size, with_info_text, with_raw_header
from tests.engine.checkpoints.saved import write_checkpoint
from tests.fuzz.target import Target, require_plain
from tui.formatting.checkpoint_facts import comparison, description


def make(folder: Path) -> Target:
    """Return the target."""
    path = write_checkpoint(folder / "fuzz.safetensors")
    whole = path.read_bytes()
    size = header_size(whole)
    info = json.loads(whole[8:size])["__metadata__"]["tweetgen"].encode()
    good = load_checkpoint(path).info  # whatever is done only once is done now
    return Target(
        name="checkpoints",
        seeds=(b"f" + whole, b"i" + info, b"h" + whole[8:size], b"t" + whole[size:]),
        tokens=(b"__metadata__", b"F32", b"F64", b"U8", b'"data_offsets":[0,4]', b'"shape":[]'),
        check=lambda data: _check(path, whole, good, data),
    )


def _content(whole: bytes, data: bytes) -> bytes:
    """Return the file that an input encodes."""
    size = header_size(whole)
    match data[:1]:
        case b"i":
            return with_info_text(whole, data[1:].decode("utf-8", "surrogateescape"))
        case b"h":
            return with_raw_header(data[1:], whole[size:])
        case b"t":
            return _signed(whole[:size], (data[1:] + whole[size:])[: len(whole) - size])
        case _:
            return data[1:]


def _signed(head: bytes, numbers: bytes) -> bytes:
    """Return a checkpoint with other bytes in its tensors and a correct SHA-256."""
    header = json.loads(head[8:])
    digest = hashlib.sha256()
    for name, entry in sorted(header.items()):
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            dtype = {"F32": "torch.float32", "U8": "torch.uint8"}[entry["dtype"]]
            digest.update(f"{name} {dtype} {tuple(entry['shape'])}\n".encode() + numbers[first:last])
    header["__metadata__"]["tweetgen_sha256"] = digest.hexdigest()
    return with_raw_header(header, numbers)


def _check(path: Path, whole: bytes, good: CheckpointInfo, data: bytes) -> str:
    """Read the header of a file, then load it; format its metadata."""
    path.write_bytes(_content(whole, data))
    outcomes = []
    with contextlib.suppress(CheckpointError):
        info, _ = read_info(path)
        for name, value in description(info):
            require_plain(name, value)
        comparison(info, good, "bits")
        outcomes.append("header")
    try:
        load_checkpoint(path)
        outcomes.append("loaded")
    except CheckpointError as error:
        require_plain(error.message, error.hint)
        outcomes.append(error.message)
    assert "loaded" in outcomes or path.name in outcomes[-1]
    return " ".join(outcomes)
