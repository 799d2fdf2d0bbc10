"""`ResidentTweets`: the encoded corpus on a GPU, from which the device itself cuts its batches.

A batch is then uploaded as the rows of its tweets, a kilobyte, and padded by kernels that a CUDA graph includes. Fifty
thousand tweets take 4 MB as bytes, and a copy is shared by all trainers of a device.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from engine.corpus.encoded_tweets import EncodedTweets
from engine.errors import DeviceMemoryError
from engine.memory import is_out_of_memory
from engine.model.vocab import BOS, EOS, PAD

_SMALL_TYPES: dict[type[np.generic], type[np.generic]] = {np.uint8: np.uint8, np.uint16: np.int32}
"""Type on the device by type on the host: torch has few kernels for uint16."""


class ResidentTweets:
    """A corpus on a device."""

    def __init__(self, tweets: EncodedTweets, device: torch.device) -> None:
        """Copy the tweets to the device. Raises `DeviceMemoryError`."""
        device_type = _SMALL_TYPES.get(tweets.token_ids.dtype.type, np.int64)
        problem = ""
        try:
            self._token_ids = torch.from_numpy(tweets.token_ids.astype(device_type, copy=False)).to(device)
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


_RESIDENT: WeakKeyDictionary[EncodedTweets, dict[torch.device, ResidentTweets]] = WeakKeyDictionary()


def resident_tweets(tweets: EncodedTweets, device: torch.device) -> ResidentTweets:
    """Return the copy of a corpus on a device, made the first time. Raises `DeviceMemoryError`."""
    copies = _RESIDENT.setdefault(tweets, {})
    if device not in copies:
        copies[device] = ResidentTweets(tweets, device)
    return copies[device]
