"""Runs on a device, which is a fake on the CPU: what can't be recorded or computed rightly is a warning, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.memory import CudaAllocator
from engine.protocol import events as e
from tests.engine import helpers as h
from tests.engine.compute.gpu.device_steps import FailingRecorder, FakeRecorder, use_char_graphs, use_device_step

NOT_PERMITTED = RuntimeError("operation not permitted when stream is capturing\nmore")


def messages(emitted: list[e.Event]) -> list[str]:
    return [event.message for event in h.of_type(emitted, e.Warned)]


@pytest.mark.parametrize("failing", ["steps", "characters of tweets"])
def test_what_can_not_be_recorded_is_one_warning_and_the_other_is_recorded(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, allocator: CudaAllocator, failing: str
) -> None:
    steps, characters = FakeRecorder(), FakeRecorder()
    if failing == "steps":
        steps = FailingRecorder(NOT_PERMITTED, failing=range(99))
    else:
        characters = FailingRecorder(NOT_PERMITTED, failing=range(99))
    use_device_step(monkeypatch, steps)
    use_char_graphs(monkeypatch, characters)
    emitted = h.run_tiny(corpus, max_steps=24, sample_every=3, times_seconds=0.0)
    [message] = messages(emitted)
    assert message == (
        f"The {failing} can't be recorded as CUDA graphs, so that they take longer: operation not permitted when "
        "stream is capturing"
    )
    assert ("replay" in steps.log) == (failing != "steps")
    assert ("replay" in characters.log) == (failing == "steps")
    assert allocator.is_sound
    num_graphs = [event.num_graphs for event in h.of_type(emitted, e.StepTimes)]
    assert (max(n or 0 for n in num_graphs) > 0) == (failing != "steps")
    assert None not in num_graphs
