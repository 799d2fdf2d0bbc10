"""The training step on CUDA and MPS: loss, gradient and update of a batch, without reading any value back.

A GPU is slow only when it waits: for Python between two kernels, for a batch, or for the host to read a number. So the
encoded corpus is on the device, which gathers its batches itself (`ResidentTweets`), padded to few shapes
(`bucket_length`); a step is recorded once per shape as a CUDA graph (`engine.compute.cuda_graphs`); and losses stay on
the device until a report reads many (`engine.compute.optimizer.LossBuffer`). The input is time-major, as in cuDNN,
which would transpose a batch-first one, and uses the weights of a single layer in place (`FlatParameters`), unless
there is an n-gram input (`widened_weight`).

A CUDA graph records numbers as constants, so the learning rate is a tensor. Nothing of autograd's graph outlives a step
(`torch.autograd.grad`): its nodes reference the stream that they were created on, which must be the recording one.
Dropout draws from the default CUDA generator, which every graph registers: a replay continues its sequence like an
eager step, and a checkpoint stores its state. That of cuDNN is not used (`run_gru`).

Everything but the recording itself also runs on a CPU, where the tests compare it with the readable reference,
`TextGenerator.forward` and autograd. Never used to train on a CPU.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from engine.compute.cuda_graphs import Backlog, CudaRecorder, GraphedSteps
from engine.compute.device import tensor_float_32
from engine.compute.memory import free_memory, is_out_of_memory
from engine.compute.optimizer import OptimizerStep
from engine.corpus.arrays import CorpusBatch, EncodedTweets
from engine.errors import DeviceMemoryError
from engine.model.gru import NO_ROW, TextGenerator, run_gru
from engine.model.parameters import FlatParameters
from engine.model.vocab import BOS, EOS, PAD

LOG = logging.getLogger(__name__)
NO_TWEET = -1
"""The row of an empty tweet, which is all padding."""


# The batch ------------------------------------------------------------------------------------------------------------


def bucket_length(length: int) -> int:
    """Return the padded length of a batch whose longest tweet has `length` targets.

    They are multiples of 8 up to 128, of 16 up to 256 and so on: padding adds less than an eighth (except to tweets
    under 64 characters), and tweets of up to 144 characters need 17 lengths.

    A CUDA graph has one shape, and cuDNN plans for one shape at a time. Padding does not change the result: it follows
    a tweet's end, so it affects no state of the tweet, and the loss counts no target that is padding.
    """
    next_power_of_two = 1 << (length - 1).bit_length()
    spacing = max(8, next_power_of_two // 16)
    return -(-length // spacing) * spacing


class ResidentTweets:
    """A corpus on a device, as its encoded characters: fifty thousand tweets take 4 MB as bytes.

    A batch is then uploaded as the rows of its tweets, a kilobyte, and padded by kernels that a CUDA graph includes.
    """

    def __init__(self, tweets: EncodedTweets, device: torch.device) -> None:
        """Copy the tweets to the device. Raises `DeviceMemoryError`."""
        token_ids = tweets.token_ids
        problem = ""
        try:
            if token_ids.dtype != np.uint8:  # torch has few kernels for longer unsigned numbers
                token_ids = token_ids.astype(np.int32)
            self._token_ids = torch.from_numpy(token_ids).to(device)
            self._offsets = torch.from_numpy(tweets.offsets).to(device)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            problem = f"The tweets, {tweets.token_ids.nbytes / 1e6:,.0f} MB, do not fit into the memory of {device}."
        if problem:  # outside of the `except`, whose traceback refers to what was copied
            raise DeviceMemoryError(problem, "Quit other programs that use it, or train on fewer or shorter tweets.")

    def gather(self, rows: Tensor, length: int) -> Tensor:
        """Return the tweets at `rows`, (B,) int64, as token ids of (length + 1, B): BOS, characters, EOS, PAD.

        The row `NO_TWEET` is all padding. A longer tweet than `length` - 1 is cut off. Waits for nothing and copies
        nothing from the host, so that it can be recorded.
        """
        is_empty = rows < 0  # (B,)
        rows = rows.clamp(min=0)
        starts = self._offsets[rows]  # (B,)
        lengths = (self._offsets[rows + 1] - starts).masked_fill(is_empty, -1)
        places = torch.arange(length, device=rows.device).unsqueeze(1)  # (T, 1)
        chars = self._token_ids[(starts + places).clamp(max=len(self._token_ids) - 1)].int()  # (T, B)
        targets = chars.masked_fill(places >= lengths, PAD).masked_fill(places == lengths, EOS)
        first = torch.full_like(targets[:1], BOS).masked_fill(is_empty, PAD)  # (1, B)
        return torch.cat([first, targets])  # (T + 1, B) int32


def are_those_of(tokens: Tensor, batch: CorpusBatch) -> bool:
    """Return whether gathered tokens, (T + 1, B) on a device, are a batch of the host's: BOS, its targets, padding."""
    found = tokens.t().cpu().numpy()  # (B, T + 1)
    padding = ((0, 0), (0, found.shape[1] - 1 - batch.num_columns))
    expected = np.pad(batch.targets, padding, constant_values=PAD)
    return bool((found[:, 0] == BOS).all()) and np.array_equal(found[:, 1:], expected)


_RESIDENT: WeakKeyDictionary[EncodedTweets, dict[torch.device, ResidentTweets]] = WeakKeyDictionary()


def resident_tweets(tweets: EncodedTweets, device: torch.device) -> ResidentTweets:
    """Return the copy of a corpus on a device, made the first time. Raises `DeviceMemoryError`."""
    copies = _RESIDENT.setdefault(tweets, {})
    if device not in copies:
        copies[device] = ResidentTweets(tweets, device)
    return copies[device]


# The step -------------------------------------------------------------------------------------------------------------


def bfloat16_copy(model: TextGenerator, flat: FlatParameters) -> tuple[TextGenerator, Tensor]:
    """Return a bfloat16 copy of a model, in training mode, and the buffer of its dense weights; draws no random number.

    It is for a step's products and states; weights and updates stay in float32. Autocast is no alternative: its cuDNN
    RNN runs in **float16**, whatever type was requested (`AutocastRNN.cpp` casts to `kHalf`), and gradients of a mean
    over thousands of characters underflow float16. bfloat16 has the range of float32, so no loss scaling is needed. The
    copy shares the table of an n-gram input with the model, in float32: a step reads a few of its rows, and only their
    sums are rounded.
    """
    network = copy.deepcopy(model).to(torch.bfloat16).train()
    network.ngram_input = model.ngram_input
    return network, flat.bind_copy(network)  # in the order that cuDNN's GRU needs, too


MAX_DIFFERENCE = 0.02
"""Largest relative difference between the losses of device and CPU: more than the rounding of bfloat16."""
_COMPARED_TWEETS = 8


class DeviceStep:
    """The whole training step of a model on its device. Not thread-safe."""

    def __init__(
        self,
        model: TextGenerator,
        flat: FlatParameters,
        optimizer_step: OptimizerStep,
        *,
        precision: str,
        recorder: CudaRecorder | None,
    ) -> None:
        """Use a model that stays on its device, and its buffers."""
        self._model = model
        self._flat = flat
        self._network: TextGenerator = model
        """The network that computes the loss: the model, or its copy in bfloat16."""
        self._rounded: Tensor | None = None
        """The copy's weights."""
        if precision == "bfloat16":
            self._network, self._rounded = bfloat16_copy(model, flat)
        self._optimizer_step = optimizer_step
        self._device = model.device
        self._learning_rate = torch.zeros((), device=self._device)
        self._total_targets = torch.ones((), device=self._device)
        self._may_record = recorder is not None
        self.graphs = GraphedSteps("steps", self._device, recorder)
        self._tweets: ResidentTweets | None = None
        self._backlog = Backlog() if self._device.type == "cuda" else None

    @property
    def num_graphs(self) -> int | None:
        """Number of CUDA graphs that replace the launch of a step's kernels; None where none are made."""
        return self.graphs.num_recorded if self._may_record else None

    def run(
        self,
        batch: CorpusBatch,
        batch_size: int,
        learning_rate: float,
        micro_batch_size: int | None,
        sum_over_ranks: Callable[[], None] | None = None,
    ) -> None:
        """Train on a batch, padded to `batch_size` tweets; returns before the device is done.

        It is computed in parts of at most `micro_batch_size` tweets; the graphs are discarded before another size. A
        non-finite loss or gradient changes nothing. `sum_over_ranks`, in all steps or in none, is called between
        gradient and update, which are recorded apart then. Raises `DeviceMemoryError` if the corpus does not fit.
        """
        is_alone = sum_over_ranks is None
        tweets = resident_tweets(batch.tweets, self._device)
        if tweets is not self._tweets:
            self.graphs.discard_all()  # they gather from other tweets
            self._tweets = tweets
        self._learning_rate.fill_(learning_rate)
        self._total_targets.fill_(batch.total_targets)
        if batch.num_targets:
            rows = np.pad(batch.rows, (0, max(0, batch_size - len(batch.rows))), constant_values=NO_TWEET)
            length = bucket_length(batch.total_columns)  # of the whole batch, so that all ranks record at the same step
            self.graphs.run(
                lambda rows: self._step(tweets, rows, length, micro_batch_size, with_update=is_alone),
                torch.from_numpy(rows),
                key=length,
                before_launch=self._reset_has_begun,
            )
            self._optimizer_step.has_begun = is_alone  # a replay of the update runs no Python that would set it
        else:
            self._flat.grads_and_loss.zero_()  # fewer tweets than ranks
        if sum_over_ranks is not None:
            sum_over_ranks()
            self.graphs.run(lambda _: self._update(), torch.empty(0), key="update")
        if self._backlog is not None:
            self._backlog.add_step()

    def _reset_has_begun(self) -> None:
        """Note that the step has changed nothing yet: its recording, also one that failed, has executed no kernel.

        So a graph that can't be launched, for lack of memory, is a step that can be repeated.
        """
        self._optimizer_step.has_begun = False

    def _step(
        self,
        tweets: ResidentTweets,
        rows: Tensor,
        length: int,
        micro_batch_size: int | None,
        *,
        with_update: bool = True,
    ) -> None:
        """Compute loss and gradient of the tweets at `rows` (B,) int64, padded to `length` targets.

        In nats per target of the whole step. `with_update`, then update the weights.
        """
        tokens = tweets.gather(rows, length)  # (T + 1, B)
        network, flat = self._refreshed_network(), self._flat
        size = micro_batch_size or tokens.shape[1]
        flat.grads_and_loss.zero_()
        with tensor_float_32(self._device, is_allowed=True):
            for first in range(0, tokens.shape[1], size):
                part = tokens[:, first : first + size]
                loss = mean_loss(network, part, self._total_targets)
                torch._foreach_add_(flat.views_of_grads, torch.autograd.grad(loss, list(network.parameters())))
                flat.loss.add_(loss.detach())
                if network.ngram_input is not None and flat.table is not None:
                    of_contexts = network.ngram_input.rows_of(part[:-1].t()).flatten()  # (3 * B * T,)
                    flat.table.touched.index_fill_(0, of_contexts, 1)
                    flat.table.touched[NO_ROW].zero_()
        if with_update:
            self._update()

    def _update(self) -> None:
        self._optimizer_step.run(self._learning_rate)

    def _refreshed_network(self) -> TextGenerator:
        """Return the network of the loss, with the current weights at the addresses that a CUDA graph has."""
        if self._rounded is not None:
            self._rounded.copy_(self._flat.dense_weights)
        return self._network

    def first_loss_problem(self, tweets: EncodedTweets) -> str:
        """Return a warning if the device has other tweets, or computes another loss of some, than the CPU; else empty.

        It computes them as in a step, the CPU by the readable model, both without dropout; no random number is drawn.
        Nothing else would show that a driver or a kernel is wrong but a worse loss. Without memory nothing is compared.
        Raises `DeviceMemoryError` if the corpus does not fit.
        """
        batch = tweets.batch(np.arange(min(len(tweets), _COMPARED_TWEETS)))
        inputs, targets = (torch.from_numpy(ids) for ids in (batch.inputs, batch.targets))  # (B, T)
        resident, network = resident_tweets(tweets, self._device), self._refreshed_network()
        was_training = network.training
        try:
            tokens = resident.gather(torch.from_numpy(batch.rows).to(self._device), bucket_length(batch.num_columns))
            network.eval()
            with torch.no_grad(), tensor_float_32(self._device, is_allowed=True):
                found = float(mean_loss(network, tokens, (tokens[1:] != PAD).sum()))
                logits, _ = copy.deepcopy(self._model).cpu().eval()(inputs)  # (B, T, V)
            expected = float(F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return ""
        finally:
            network.train(was_training)
        if not are_those_of(tokens, batch):
            problem = "has other tweets in its memory than the CPU"
        elif math.isfinite(expected) and not abs(found - expected) <= MAX_DIFFERENCE * expected:
            problem = (
                f"computes {found:.3f} nats per character in place of the CPU's {expected:.3f} for the same tweets"
            )
        else:
            return ""
        return (
            f"The GPU {problem}: its results can't be trusted. Update PyTorch and the GPU's driver, try --precision "
            "float32, or train with --device cpu."
        )


def mean_loss(network: TextGenerator, tokens: Tensor, total_targets: Tensor) -> Tensor:
    """Return the cross-entropy, () in nats, of the targets in `tokens` (T + 1, B) that are not padding.

    Divided by `total_targets`, () on the device: the targets of the whole step, of which this may be a part. Padding
    costs 0. The costs are summed apart: with a sum of its own, CUDA's `nll_loss` runs on 32 threads (ATen's `Loss.cu`).
    """
    rnn, chars, targets = network.rnn, tokens[:-1], tokens[1:].long()  # (T, B)
    inputs = network.embed(chars)  # (T, B, E)
    initial = inputs.new_zeros(rnn.num_layers, tokens.shape[1], rnn.hidden_size)
    if network.ngram_input is not None:
        candidate = network.ngram_input(chars.t()).transpose(0, 1).to(inputs.dtype)  # (T, B, H)
        inputs = torch.cat([inputs, candidate], dim=-1)  # (T, B, E + H)
    output, _ = run_gru(rnn, inputs, initial, batch_first=False)  # (T, B, H)
    logits = network.proj(network.dropout(output))  # (T, B, V)
    logits = logits if logits.dtype == torch.float64 else logits.float()
    costs = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD, reduction="none")  # (T * B,)
    return costs.sum() / total_targets


def recorder_for(model: TextGenerator) -> CudaRecorder | None:
    """Return a recorder for the steps of a model; None on a device without CUDA graphs."""
    return CudaRecorder(model.device) if model.device.type == "cuda" else None


# The trial of bfloat16 ------------------------------------------------------------------------------------------------


LENGTHS = (8, 144)
"""Characters per tweet; torch also chooses cuDNN's algorithm by them."""


def supported_precision(model: TextGenerator, batch_size: int, precision: str) -> str:
    """Return `precision`, or "float32" if a step of this model on its device fails in bfloat16.

    cuDNN chooses an algorithm by the sizes of GRU and batch, and not all of them have bfloat16 (pytorch/pytorch#54307
    is open for half precision); what is missing is an error of the first step. Versions alone do not show it.
    Draws no random number. A step that does not fit the memory shows nothing: bfloat16 needs less of it than float32.
    """
    if precision != "bfloat16" or model.device.type == "cpu":
        return precision
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        try:
            for length in LENGTHS:
                _compute_gradient(model, batch_size, length)
        except RuntimeError as error:
            LOG.warning("the model can't be trained in bfloat16", exc_info=True)
            precision = "bfloat16" if is_out_of_memory(error) else "float32"
    free_memory(model.device)
    return precision


def _compute_gradient(model: TextGenerator, batch_size: int, length: int) -> None:
    """Compute the gradient of a batch in bfloat16."""
    network = copy.deepcopy(model).to(torch.bfloat16).train()
    tokens = torch.full((length + 1, batch_size), EOS, dtype=torch.int32, device=model.device)
    torch.autograd.grad(mean_loss(network, tokens, torch.ones((), device=model.device)), list(network.parameters()))
