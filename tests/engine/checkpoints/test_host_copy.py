"""The copy of a checkpoint's tensors is laid out as in its file, and says whether they can be loaded."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import load, save

from engine.checkpoints.header import encode_header
from engine.checkpoints.host_copy import HostCopy
from tests.engine.checkpoints.saved import checkpoint_tensors
from tests.engine.helpers import assert_same_tensors


def test_the_bytes_of_a_copy_are_those_that_safetensors_writes() -> None:
    tensors = checkpoint_tensors()
    copy = HostCopy.of(tensors)

    content = encode_header({"key": "välue"}, copy.specs) + bytes(copy.content)

    assert_same_tensors(load(content), tensors)
    assert len(content) == len(save({name: tensor.clone() for name, tensor in tensors.items()}, {"key": "välue"}))
    assert bytes(copy.content) == save({name: tensor.clone() for name, tensor in tensors.items()})[-len(copy.buffer) :]


def test_later_changes_of_the_tensors_and_of_tied_ones_are_not_in_the_copy() -> None:
    weight = torch.ones(3, 2)
    tensors = {"model.embed.weight": weight, "model.proj.weight": weight, "scalar": torch.tensor(2.0)}

    copy = HostCopy.of(tensors)
    weight.zero_()

    assert_same_tensors(copy.tensors, {**tensors, **dict.fromkeys(list(tensors)[:2], torch.ones(3, 2))})


def test_a_spare_buffer_is_used_where_it_fits() -> None:
    tensors = checkpoint_tensors()
    first = HostCopy.of(tensors)

    again = HostCopy.of({name: tensor + 1 for name, tensor in tensors.items()}, first)

    assert again.buffer is first.buffer
    assert HostCopy.of({"bias": torch.ones(2)}, first).buffer is not first.buffer
    assert_same_tensors(again.tensors, {name: tensor + 1 for name, tensor in tensors.items()})


@pytest.mark.parametrize(("value", "is_sound"), [(math.inf, True), (math.nan, False), (-math.inf, False)])
def test_an_infinite_second_moment_counts_as_finite_and_nothing_else_that_is_not_finite_does(
    value: float, *, is_sound: bool
) -> None:
    tensors = checkpoint_tensors()
    assert HostCopy.of({**tensors, "model.proj.bias": torch.full((9,), 3e38)}).is_finite  # their sum is not
    tensors["optimizer.exp_avg_sq.proj.bias"][0] = value
    assert HostCopy.of(tensors).is_finite is is_sound
    tensors["optimizer.exp_avg_sq.proj.bias"][0] = 0.0
    tensors["optimizer.exp_avg.proj.bias"][0] = value
    assert not HostCopy.of(tensors).is_finite


@pytest.mark.gpu
def test_tensors_of_a_gpu_are_copied_to_pinned_memory_before_later_work_changes_them() -> None:
    weight = torch.ones(1024, 1024, device="cuda")

    copy = HostCopy.of({"model.proj.weight": weight, "generator.cuda": torch.cuda.get_rng_state()})
    weight.zero_()
    copy.wait()

    assert copy.buffer.is_pinned()
    assert torch.equal(copy.tensors["model.proj.weight"], torch.ones(1024, 1024))
    assert HostCopy.of({"model.proj.weight": weight.cpu()}, copy).buffer is not copy.buffer
