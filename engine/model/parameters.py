"""`FlatParameters`, the parameters of a model as views of one buffer; their `WeightAverage`; and `InferenceWeights`.

On one buffer for the weights and another for their gradients, norm, update, average, cast to another precision and the
sum over several processes are one operation each. The gradient's buffer has one more element, the loss, so that both
are summed at once.

The table of an `NgramInput`, of which a step touches few rows, comes last, after the *dense* parameters: norm, AdamW
and the cast exclude it. The gradient's buffer also counts how often each row is touched, so that after a sum over
processes each knows the rows of all. **The gradient of a row whose count is zero is zero.**

    weights          dense (D,)   table (1 + R, H)
    grads_and_loss   dense (D,)   table (1 + R, H)   touched (1 + R,)   loss (1,)

**Layout.** cuDNN uses the weights of a GRU in place only if they start their storage, in cuDNN's own order
(`try_get_weight_buf` in ATen's `cudnn/RNN.cpp`); `nn.GRU.flatten_parameters` has laid them out so when the model was
moved to the GPU. So that block comes first, as it is. As layers are computed one by one (`run_gru`), that holds for a
GRU of one layer; torch copies the weights of several in each call, 3.5 MB for each of 384 units, which takes
microseconds of a step of milliseconds. Each other parameter starts at a multiple of `ALIGNMENT`. Elements between
parameters are zero, and so are their gradients: no operation changes them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from engine.model.gru import TABLE_NAME, TextGenerator

ALIGNMENT = 64
"""In elements: a cache line of a CPU, or an aligned load of a GPU, in each precision."""
ROW = 1024
"""The number of dense elements is a multiple, see `grad_norm`."""


@dataclass(frozen=True)
class Table:
    """The buffers of an `NgramInput`."""

    weight: Tensor  # (1 + R, H)
    grad: Tensor  # (1 + R, H)
    touched: Tensor  # (1 + R,): how often a place of the step has each row


class FlatParameters:
    """The buffers of one model. Two of the same model share them."""

    @torch.no_grad()
    def __init__(self, model: TextGenerator) -> None:
        """Move the parameters of a model on its device, and their gradients, unless they are views of a buffer."""
        named = dict(model.named_parameters())  # tied parameters occur once
        parameters = list(named.values())
        self._names = list(named)
        self._shapes = [parameter.shape for parameter in parameters]
        table = None if model.ngram_input is None else model.ngram_input.weight
        num_rows, num_in_table = (0, 0) if table is None else (len(table), table.numel())
        weights = _common_buffer(parameters)
        if weights is None:
            self._offsets, size = _layout(model, parameters)
            weights = parameters[0].new_zeros(size)
            self._move(parameters, weights)
        else:
            self._offsets = [int(parameter.storage_offset()) for parameter in parameters]
        self.weights: Tensor = weights  # (P,)
        self.num_dense = len(weights) - num_in_table  # D
        grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
        both = _common_buffer(grads) if len(grads) == len(parameters) else None
        self.grads_and_loss: Tensor = weights.new_zeros(len(weights) + num_rows + 1) if both is None else both
        """Gradient (P,), the counts of touched rows, and the loss; what several processes sum."""
        grads_of_all, touched, [self.loss] = self.grads_and_loss.split_with_sizes([len(weights), num_rows, 1])
        self.dense_weights, self.dense_grads = weights[: self.num_dense], grads_of_all[: self.num_dense]  # (D,)
        self.table = None
        """None without an `NgramInput`."""
        if table is not None:
            self.table = Table(self.views(weights)[TABLE_NAME], self.views(grads_of_all)[TABLE_NAME], touched)
        self.views_of_grads = list(self.views(grads_of_all).values())
        """Each parameter's `grad`, in the order of `model.parameters()`."""
        for parameter, grad in zip(parameters, self.views_of_grads, strict=True):
            parameter.grad = grad

    def views(self, buffer: Tensor) -> dict[str, Tensor]:
        """Return the part of each parameter, by name and in its shape, of a buffer (P,) or (D,) of this layout."""
        places = zip(self._names, self._offsets, self._shapes, strict=True)
        return {
            name: buffer[start : start + shape.numel()].view(shape)
            for name, start, shape in places
            if start < len(buffer)
        }

    @torch.no_grad()
    def bind_copy(self, copy: TextGenerator) -> Tensor:
        """Move the parameters of a copy of the model, in any precision, to a buffer of the same layout; return it.

        A table that the copy shares with the model stays where it is, and the buffer is (D,).
        """
        parameters = list(copy.parameters())
        shares_table = self.table is not None and parameters[-1].data_ptr() == self.table.weight.data_ptr()
        buffer = parameters[0].new_zeros(self.num_dense if shares_table else len(self.weights))
        self._move(parameters[:-1] if shares_table else parameters, buffer)
        return buffer

    def grad_norm(self) -> Tensor:
        """Return the Euclidean norm of the dense gradient, ().

        By rows: one long sum in float32 loses up to four digits, and depends on the number of threads.
        """
        norm: Tensor = torch.linalg.vector_norm(torch.linalg.vector_norm(self.dense_grads.view(-1, ROW), dim=1))
        return norm

    def checksum(self) -> int:
        """Return a number that depends on the bits and the place of each weight; waits for the device.

        Each weight's bits are mixed with its index by MurmurHash3's finalizer, a bijection: one changed weight always
        changes the sum.
        """
        bits = self.weights.view(torch.int32)
        mixed = torch.arange(len(bits), dtype=torch.int32, device=bits.device).mul_(-1640531535).bitwise_xor_(bits)
        for shift, factor in ((16, -2048144789), (13, -1028477387)):
            shifted = (mixed >> shift).bitwise_and_((1 << 32 - shift) - 1)  # without copies of the sign
            mixed.bitwise_xor_(shifted).mul_(factor)
        return int(mixed.sum(dtype=torch.int64))

    def _move(self, parameters: Sequence[nn.Parameter], buffer: Tensor) -> None:
        """Make parameters views of a buffer, with the same values."""
        for parameter, view in zip(parameters, self.views(buffer).values(), strict=True):
            parameter.data = view.copy_(parameter)


def _common_buffer(tensors: Sequence[Tensor]) -> Tensor | None:
    """Return the storage that all tensors share, as one tensor; None if they have several."""
    first = tensors[0]
    if any(each.untyped_storage().data_ptr() != first.untyped_storage().data_ptr() for each in tensors):
        return None
    return first.new_empty(0).set_(first.untyped_storage())


def _layout(model: TextGenerator, parameters: Sequence[nn.Parameter]) -> tuple[list[int], int]:
    """Return the offset of each parameter, and the number of elements; the table is the last parameter."""
    recurrent = list(model.rnn.parameters())
    dense = list(parameters) if model.ngram_input is None else list(parameters[:-1])
    offsets: dict[nn.Parameter, int] = {}
    end = 0
    if (block := _common_buffer(recurrent)) is not None:
        offsets, end = {weight: int(weight.storage_offset()) for weight in recurrent}, len(block)
    for parameter in dense:
        if parameter not in offsets:
            offsets[parameter] = -(-end // ALIGNMENT) * ALIGNMENT
            end = offsets[parameter] + parameter.numel()
    end = -(-end // ROW) * ROW
    if model.ngram_input is not None:
        offsets[model.ngram_input.weight] = end
        end += model.ngram_input.weight.numel()
    return [offsets[parameter] for parameter in parameters], end


TABLE_INTERVAL = 8
"""Steps between two updates of a table's average; 1 up to that step."""


class WeightAverage:
    """A moving average of a model's weights, for evaluation and sampling.

    At a constant learning rate the weights oscillate around a minimum of the loss, and their mean is closer to it than
    any of them. So the averaged model is always about as good as one whose learning rate has been annealed, while
    training itself is unaffected.

    The weights after step s count in proportion to s^gamma, a power function (Karras et al. 2024, arXiv:2312.02696):
    after step t,

        average += (1 - (1 - 1 / t)^(gamma + 1)) * (weights - average)

    The mean age of the averaged weights is t / (gamma + 2) steps, a constant share of all steps, the `lag`. So the
    average needs no horizon that depends on the length of the run.

    An n-gram table is several times as large as the other weights, and a step changes little of it. So it is included
    every `TABLE_INTERVAL` steps only, as if it had not changed in between: n such updates are one with
    (1 - n / t)^(gamma + 1).
    """

    def __init__(self, model: TextGenerator, lag: float) -> None:
        """Start from a copy of the weights; 0 < `lag` < 0.5."""
        flat = FlatParameters(model)
        self.model = copy.deepcopy(model).requires_grad_(requires_grad=False).eval()
        self.weights = flat.bind_copy(self.model)
        """All averages, in the layout of the model's `FlatParameters`."""
        self._exponent = 1 / lag - 1
        self._dense, self._dense_average = flat.dense_weights, self.weights[: flat.num_dense]
        self._table = None if flat.table is None else flat.table.weight
        self._table_average = flat.views(self.weights).get(TABLE_NAME)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Include the weights after `step`, counted from 1; never waits for the device."""
        self._dense_average.lerp_(self._dense, self._share(step, 1))
        if self._table is not None and self._table_average is not None:
            num_steps = 1 if step <= TABLE_INTERVAL else TABLE_INTERVAL
            if step % num_steps == 0:
                self._table_average.lerp_(self._table, self._share(step, num_steps))

    def _share(self, step: int, num_steps: int) -> float:
        """Return the share of the weights after the last `num_steps` steps in the average after `step`."""
        return 1 - float((1 - num_steps / step) ** self._exponent)


class InferenceLayer:
    """The weights of one GRU layer at the time of the copy; transposed copies are made on first use."""

    def __init__(self, rnn: nn.GRU, number: int) -> None:
        weight_ih, weight_hh, bias_ih, bias_hh = (weight.detach() for weight in rnn.all_weights[number])
        self.weight_ih = weight_ih.clone() if number else weight_ih  # (3H, E or H): r z n
        self.weight_hh = weight_hh.clone()  # (3H, H): r z m
        self._number, self._size = number, rnn.hidden_size
        gates = 2 * rnn.hidden_size
        self.bias = torch.cat([bias_ih[:gates] + bias_hh[:gates], bias_hh[gates:], bias_ih[gates:]])  # (4H,)

    @cached_property
    def weight_hh_t(self) -> Tensor:
        """`weight_hh` transposed, (H, 3H), contiguous: faster in products with many rows."""
        return self.weight_hh.t().contiguous()

    @cached_property
    def weight_ih_t(self) -> Tensor:
        """`weight_ih` transposed, (E or H, 3H); contiguous, except in the first layer, which uses it only once."""
        return self.weight_ih.t().contiguous() if self._number else self.weight_ih.t()

    def write_input(self, inputs: Tensor, columns: Tensor) -> Tensor:
        """Write the input's part of `r z m n`, biases included, to `columns` (M, 4H) and return these.

        `inputs` (M, E or H).
        """
        gates, new = 2 * self._size, 3 * self._size
        columns.copy_(self.bias)
        columns[:, :gates].addmm_(inputs, self.weight_ih_t[:, :gates])
        columns[:, new:].addmm_(inputs, self.weight_ih_t[:, gates:])
        return columns


class InferenceWeights:
    """A copy of a model's weights, laid out for a forward pass without gradient and dropout.

    The first layer's input is one of V characters, so its product and all biases form a table, and reading a character
    is a lookup. The input of a step has the columns `r z m n` of `engine.compute.cpu.layers`: a row of the table, with
    those of an n-gram input added to `n`, or the result of `write_input`, plus one product with the state.
    """

    @torch.no_grad()
    def __init__(self, model: TextGenerator) -> None:
        """Copy the weights; the contexts of an n-gram input never change."""
        self.layers = [InferenceLayer(model.rnn, number) for number in range(model.rnn.num_layers)]
        self.hidden_size = model.rnn.hidden_size
        embedded = model.embed.weight.detach()
        self.table = self.layers[0].write_input(embedded, embedded.new_empty(len(embedded), 4 * self.hidden_size))
        """Inputs of the first layer by character, (V, 4H)."""
        self.proj_weight = model.proj.weight.detach().clone()  # (V, H)
        self.proj_bias = model.proj.bias.detach().clone()  # (V,)
        ngrams = model.ngram_input
        self.ngrams = None if ngrams is None else (ngrams.contexts, ngrams.weight.detach().clone())
        """Contexts (R,) and the table (1 + R, H) of an n-gram input."""

    @cached_property
    def proj_weight_t(self) -> Tensor:
        """`proj_weight` transposed, (H, V), contiguous: faster in products with many rows."""
        return self.proj_weight.t().contiguous()
