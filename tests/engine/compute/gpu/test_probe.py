"""A model whose sizes a device does not train in bfloat16 is trained in float32, as a trial before the run shows."""

from __future__ import annotations

import pytest
import torch

from engine.compute.gpu import probe
from engine.compute.gpu.probe import LENGTHS, supported_precision
from engine.model.gru import TextGenerator

NOT_SUPPORTED = RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED")
NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory.")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> TextGenerator:
    """Return a model that seems to be on a GPU."""
    monkeypatch.setattr(probe, "free_memory", lambda _: None)
    model = TextGenerator(9, 4, 6, num_layers=2, dropout=0.5, ngram_contexts=5)
    monkeypatch.setattr(TextGenerator, "device", torch.device("mps"))
    return model


@pytest.mark.parametrize(
    ("error", "expected"), [(None, "bfloat16"), (NOT_SUPPORTED, "float32"), (NO_MEMORY, "bfloat16")]
)
def test_a_device_that_fails_in_bfloat16_uses_float32(
    model: TextGenerator, monkeypatch: pytest.MonkeyPatch, error: Exception | None, expected: str
) -> None:
    tried: list[tuple[int, int]] = []

    def compute(_: TextGenerator, batch_size: int, length: int) -> None:
        tried.append((batch_size, length))
        if error is not None:
            raise error

    monkeypatch.setattr(probe, "_compute_gradient", compute)
    assert supported_precision(model, 5, "bfloat16") == expected
    assert tried == [(5, length) for length in LENGTHS][: len(tried)]


def test_float32_needs_no_trial_and_neither_does_a_cpu(model: TextGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    def compute(*_: object) -> None:
        raise AssertionError("tried")

    monkeypatch.setattr(probe, "_compute_gradient", compute)
    assert supported_precision(model, 5, "float32") == "float32"
    monkeypatch.setattr(TextGenerator, "device", torch.device("cpu"))
    assert supported_precision(model, 5, "bfloat16") == "bfloat16"


def test_a_trial_changes_no_weight_and_draws_no_random_number(
    model: TextGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = probe._compute_gradient

    def on_cpu(*args: object) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TextGenerator, "device", torch.device("cpu"))
            compute(*args)  # type: ignore[arg-type] # passed on as they are

    monkeypatch.setattr(probe, "_compute_gradient", on_cpu)
    state, weights = torch.get_rng_state(), [weight.clone() for weight in model.parameters()]
    assert supported_precision(model, 3, "bfloat16") == "bfloat16"
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), weights, strict=True))
    assert all(weight.grad is None for weight in model.parameters())
