"""`FakeGpu`: a GPU that the checks take for a real one, on the CPU.

Only models that were moved to it take a device's path: their trainers run `DeviceStep`, their evaluations
`TextGenerator.forward`, their tweets `CharGraph`. All else is the program as it is, and so is what they are compared
with. `FakeRecorder` stands for CUDA graphs.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from engine.compute import cuda_graphs, gpu_step
from engine.compute.cuda_graphs import CudaRecorder
from engine.corpus.arrays import Batch, EncodedTweets
from engine.model.gru import TextGenerator
from engine.model.vocab import Vocab
from engine.training import evaluation
from engine.training import trainer as trainer_module
from engine.training.gpu_check.gpu import CheckedGpu
from engine.training.gpu_check.trial import Sizes
from tests.engine import helpers as h
from tests.engine.compute.gpu.device_steps import FailingRecorder, FakeRecorder, use_char_graphs, use_device_step

NOT_PERMITTED = "operation not permitted when stream is capturing"
NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory.")
HOST_READS = {"_local_scalar_dense", "is_nonzero", "nonzero", "masked_select"}
"""Operations that wait for a device: with a value of the host, or a result of unknown size."""
SIZES = Sizes(hidden_size=8, num_layers=1, batch_size=8, learning_rate=0.01, num_timed=6, num_repeated=14, num_joined=4)
LENGTHS = [*range(3, 8)] * 8 + [*range(8, 16)] + [*range(17, 23)] * 2
"""Characters of 60 tweets: batches of three padded lengths, most of them the shortest."""


def some_tweets() -> tuple[EncodedTweets, Vocab]:
    """Return tweets of these lengths, and their vocabulary."""
    return h.encoded([tweet[:length] for tweet, length in zip(h.small_tweets(), LENGTHS, strict=True)])


class OnFakeGpu(TextGenerator):
    """A model on the device."""

    can_be_recorded = True


class WaitsForbidden(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Raises what CUDA's debug mode raises where the host reads a value."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch imports its compiler, which takes seconds

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func._schema.name.removeprefix("aten::") in HOST_READS:
            raise RuntimeError("called a synchronizing CUDA operation")
        return func(*args, **(kwargs or {}))


class FakeGpu(CheckedGpu):
    """A device with graphs and bfloat16, or without either."""

    new_recorder: Callable[[], CudaRecorder] = FakeRecorder

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, has_graphs: bool = True, has_bfloat16: bool = True) -> None:
        """Let models that are moved here take a device's path."""
        self.device = torch.device("cpu")
        self.has_graphs, self.has_bfloat16 = has_graphs, has_bfloat16
        monkeypatch.setattr(cuda_graphs, "_FAILURES", {})
        use_device_step(monkeypatch, None, on=OnFakeGpu)
        use_char_graphs(monkeypatch, FakeRecorder(), on=OnFakeGpu)
        monkeypatch.setattr(trainer_module, "recorder_for", self._recorder_for)
        sound = evaluation._readers

        def readers(
            model: TextGenerator,
        ) -> AbstractContextManager[tuple[int, Callable[[list[Batch]], Iterable[float]]]]:
            if not isinstance(model, OnFakeGpu):
                return sound(model)
            return nullcontext((1, lambda parts: [float(evaluation._sum_by_forward(model, part)) for part in parts]))

        monkeypatch.setattr(evaluation, "_readers", readers)

    def _recorder_for(self, model: OnFakeGpu) -> CudaRecorder | None:
        if not self.has_graphs:
            return None
        return (
            type(self).new_recorder()
            if model.can_be_recorded
            else FailingRecorder(RuntimeError(NOT_PERMITTED), range(99))
        )

    def moved(self, model: TextGenerator) -> TextGenerator:
        moved = copy.deepcopy(model)
        moved.__class__ = OnFakeGpu
        return moved

    def facts(self) -> dict[str, str]:
        return {"gpu": "Fake GPU", "capability": "9.0", "torch": "2.13.0"}

    @contextmanager
    def waits_forbidden(self) -> Iterator[None]:
        with WaitsForbidden():  # type: ignore[no-untyped-call] # torch leaves it untyped
            yield

    def bytes_in_use(self) -> tuple[int, int]:
        """Return the bytes of all tensors that Python knows."""
        gc.collect()
        tensors = [each for each in gc.get_objects() if issubclass(type(each), Tensor)]
        storages = {each.data_ptr(): each for each in map(Tensor.untyped_storage, tensors)}
        total = sum(each.nbytes() for each in storages.values())
        return total, total

    @contextmanager
    def half_of_the_memory_for(self, work: Callable[[], object]) -> Iterator[None]:
        """Compute no more than half as many tweets at once as `work`."""
        sound, most = gpu_step.mean_loss, 0

        def counted(network: TextGenerator, tokens: Tensor, total_targets: Tensor) -> Tensor:
            nonlocal most
            most = max(most, tokens.shape[1])
            return sound(network, tokens, total_targets)

        def tight(network: TextGenerator, tokens: Tensor, total_targets: Tensor) -> Tensor:
            if tokens.shape[1] > most // 2:
                raise NO_MEMORY
            return sound(network, tokens, total_targets)

        with mock.patch.object(gpu_step, "mean_loss", counted):
            work()
        with mock.patch.object(gpu_step, "mean_loss", tight):
            yield

    def let_recordings_fail(self, model: TextGenerator) -> None:
        assert isinstance(model, OnFakeGpu)
        model.can_be_recorded = False
