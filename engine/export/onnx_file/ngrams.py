"""The n-gram input (`engine.model.gru`) in ONNX's operators. Needs the package `onnx`.

`NgramInput.rows_of` searches int64 codes in a sorted list. ONNX has no such search, and OpenVINO computes int64 in 32
bits on a CPU (openvino#35823). The graph has a hash table instead, whose numbers fit in int32, and compares the ids:

* The *key* of a context is its ids plus 1, (4,), with zeros before them if it is shorter. `PAD` is 1 in a key.
* Rows are sorted by the hash of their keys. `starts` has the first row of each hash.
* A lookup compares the key with those of the next W rows, W the most rows that share a hash. At most one is equal.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from engine.export.onnx_file.builder import GraphBuilder
from engine.model.gru import NO_ROW, NgramInput
from engine.model.vocab import EMPTY_WINDOW, ID_BITS, LONGEST, NUM_IDS, ORDERS, appended

_Ints = npt.NDArray[np.int32]
_HASH_FACTORS: Final = np.array([7919, 6997, 5309, 3571], dtype=np.int32)
"""Of the ids in a key: primes below 2^13, so that the sum of four products with ids up to 2^16 is below 2^31."""
_END: Final = int(np.iinfo(np.int64).max)
"""The end of a slice that goes up to the last element."""


class HashTable:
    """The rows of an `NgramInput` by the hash of their keys."""

    def __init__(self, ngrams: NgramInput) -> None:
        """Sort the rows; row `NO_ROW` stays the first."""
        keys = _keys_of(ngrams.contexts.numpy())
        self.num_hashes = 2 * len(keys) + 1
        hashes = (keys * _HASH_FACTORS).sum(axis=1) % self.num_hashes
        counts = np.bincount(hashes, minlength=self.num_hashes)
        order = np.argsort(hashes, kind="stable")
        self.width = int(counts.max())
        """W, the number of rows that a lookup compares."""
        self.starts: _Ints = (1 + np.cumsum(counts) - counts).astype(np.int32)  # (number of hashes,)
        # zeros, which no lookup has as a key, in row `NO_ROW` and after the last one
        self.keys: _Ints = np.pad(keys[order], ((1, self.width), (0, 0)))  # (1 + R + W, 4)
        self.weight = ngrams.weight.detach().numpy()[np.concatenate([[NO_ROW], 1 + order])]  # (1 + R, H)


def _keys_of(contexts: npt.NDArray[np.int64]) -> _Ints:
    """Return the keys of codes, (R, 4). A code has as many ids as its last one that is not `PAD`."""
    shifts = ID_BITS * np.arange(LONGEST)[::-1]
    ids = contexts[:, None] >> shifts & NUM_IDS - 1  # (R, 4): zeros after a shorter context
    lengths = np.where(ids, np.arange(1, LONGEST + 1), 0).max(axis=1)
    keys = np.zeros_like(ids, dtype=np.int32)
    for order in ORDERS:
        keys[lengths == order, LONGEST - order :] = 1 + ids[lengths == order, :order]
    return keys


def add_ngram_input(builder: GraphBuilder, ngrams: NgramInput, vocab_size: int) -> str:
    """Add the nodes from `token_ids_by_time` (T, B) and `before` (B, 3) to the input of the candidate, (T, B, H).

    Adds the output `before_out` too.
    """
    before = builder.add("Transpose", ["before"], "before_by_time", perm=[1, 0])  # (3, B)
    ids = builder.add("Concat", [before, "token_ids_by_time"], "ids_with_before", axis=0)  # (3 + T, B)
    last = [builder.integers("before_out.start", [1 - LONGEST]), builder.integers("before_out.end", [_END])]
    builder.add("Slice", [ids, *last], "before_out_by_time")  # (3, B)
    builder.add("Transpose", ["before_out_by_time"], "before_out", perm=[1, 0])
    table = HashTable(ngrams)
    keys = _add_keys(builder, ids, vocab_size)
    rows = _add_lookup(builder, table, keys)
    weight = builder.weights("ngram_input.weight", table.weight)
    each = builder.add("Gather", [weight, rows], "ngram_rows_of_orders")  # (T, B, 3, H)
    return builder.add("ReduceSum", [each, builder.integers("ngram_input.axis", [2])], "ngram_input", keepdims=0)


def _add_keys(builder: GraphBuilder, ids: str, vocab_size: int) -> str:
    """Add the keys of the contexts of two, three and four characters at each one, (T, B, 3, 4)."""
    of_symbols = 1 + appended(np.full(vocab_size, EMPTY_WINDOW), np.arange(vocab_size))  # UNK's, if beyond the limit
    table = builder.weights("ngram_input.ids_in_keys", of_symbols.astype(np.int32))
    in_keys = builder.add("Gather", [table, ids], "ngram_ids")  # (3 + T, B)
    axes = builder.integers("ngram_ids.axes", [2, 3])
    in_keys = builder.add("Unsqueeze", [in_keys, axes], "ngram_ids_as_columns")  # (3 + T, B, 1, 1)
    columns = []
    for first in range(LONGEST):
        start = builder.integers(f"ngram_column_{first}.start", [first])
        end = builder.integers(f"ngram_column_{first}.end", [first + 1 - LONGEST or _END])
        columns.append(builder.add("Slice", [in_keys, start, end], f"ngram_column_{first}"))  # (T, B, 1, 1)
    longest = builder.add("Concat", columns, "ngram_longest_key", axis=3)  # (T, B, 1, 4)
    is_used = np.stack([np.arange(LONGEST) >= LONGEST - order for order in ORDERS]).astype(np.int32)  # (3, 4)
    return builder.add("Mul", [longest, builder.weights("ngram_key.is_used", is_used)], "ngram_key")


def _add_lookup(builder: GraphBuilder, table: HashTable, keys: str) -> str:
    """Add the row of each key, (T, B, 3), `NO_ROW` if it is not in the table."""
    last_axis = builder.integers("ngram_lookup.last_axis", [-1])
    before_last = builder.integers("ngram_lookup.before_last_axis", [-2])
    factors = builder.weights("ngram_hash.factors", _HASH_FACTORS)
    products = builder.add("Mul", [keys, factors], "ngram_hash_products")
    sums = builder.add("ReduceSum", [products, last_axis], "ngram_hash_sum")  # (T, B, 3, 1)
    num_hashes = builder.weights("ngram_hash.number", np.int32(table.num_hashes))
    hashes = builder.add("Mod", [sums, num_hashes], "ngram_hash")
    starts = builder.weights("ngram_input.starts", table.starts)
    start = builder.add("Gather", [starts, hashes], "ngram_first_row")  # (T, B, 3, 1)
    offsets = builder.weights("ngram_candidates.offsets", np.arange(table.width, dtype=np.int32))
    rows = builder.add("Add", [start, offsets], "ngram_candidates")  # (T, B, 3, W)
    candidates = builder.add("Gather", [builder.weights("ngram_input.keys", table.keys), rows], "ngram_candidate_keys")
    key = builder.add("Unsqueeze", [keys, before_last], "ngram_key_of_candidates")  # (T, B, 3, 1, 4)
    are_equal = builder.add("Equal", [candidates, key], "ngram_ids_are_equal")  # (T, B, 3, W, 4)
    are_equal = builder.add("Cast", [are_equal], "ngram_ids_are_equal_as_int", to=TensorProto.INT32)
    is_found = builder.add("ReduceMin", [are_equal], "ngram_is_found", axes=[-1], keepdims=0)  # (T, B, 3, W)
    found = builder.add("Mul", [rows, is_found], "ngram_found_rows")
    return builder.add("ReduceSum", [found, last_axis], "ngram_row", keepdims=0)
