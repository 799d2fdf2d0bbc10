"""`Ranks`: the connection of this process to the other ranks; the leader's orders, and the answers to them."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import ClassVar

import msgspec
import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import PrefixStore, Work
from torch.distributed import ProcessGroup

from engine.compute.device import Runtime, available_cores
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, TrainingConfig
from engine.corpus.training_data import KnownVocab
from engine.errors import DeviceError, RankLostError, TweetgenError
from engine.model.gru import TextGenerator
from engine.protocol.progress import BatchCursor
from engine.session.ranks.place import TIMEOUT_VARIABLE, Place, Versions, connect, join_attempt
from engine.training.trainer import Trainer

_NO_LIMIT = 10 * 365 * 86_400.0
_POLL_SECONDS = 0.05
_UNUSED_TAG = 1
"""No message has it: those of orders and answers have tag 0."""
_SOURCE = re.compile(r"^\[\S+\] | This is typically caused by .*")
"""The place in gloo's source that its messages begin with, and the advice that they end with."""


# Orders and answers ---------------------------------------------------------------------------------------------------


class Order(msgspec.Struct, kw_only=True, tag_field="order", tag=True):
    """An order of the leader to all workers."""


class Begin(Order):
    """Read the tweets. Answered with their digest."""

    corpus: CorpusConfig
    known: KnownVocab | None
    """The vocabulary that the one of the run starts with; None: a new one of the tweets."""


class Build(Order):
    """Make a new trainer. Answered, before a broadcast for which a rank without memory for it would be missing."""

    model: ModelConfig
    training: TrainingConfig
    precision: str


class Sync(Order):
    """Continue from this state; with `has_weights`, broadcasts of the trainer's follow."""

    training: TrainingConfig
    position: BatchCursor
    """The position of the next batch, in batches of `training.batch_size`."""
    step: int
    has_weights: bool
    generators: tuple[bytes, ...] = ()
    """The state of each rank's random generator, by rank; an empty one is to be seeded by rank and step."""


class Steps(Order):
    """Take a step for each learning rate."""

    rates: tuple[float, ...]


class Report(Order):
    """Answer with what happened since the last report; with `checksum`, also that of the weights, and the generator."""

    checksum: bool = False


class End(Order):
    """End: in order, or with the problem that the run has failed with."""

    problem: str = ""
    hint: str = ""


AnyOrder = Begin | Build | Sync | Steps | Report | End


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A rank's answer to an order; the leader answers its own, too."""

    host: str = ""
    problem: str = ""
    """Why this rank can't go on."""
    hint: str = ""
    digest: str = ""
    """The digest of the tweets."""
    device: str = ""
    seconds: float = 0.0
    """Time since the last report, in which the rank was training."""
    waiting_seconds: float = 0.0
    """The part of it spent in sums over all ranks."""
    warnings: tuple[str, ...] = ()
    checksum: int = 0
    """The checksum of the weights."""
    generator: bytes = b""
    """The state of the rank's random generator."""


_ORDERS = msgspec.json.Decoder(AnyOrder)
_ANSWERS = msgspec.json.Decoder(Answer)


# The connection -------------------------------------------------------------------------------------------------------


def named(ranks: Collection[int]) -> str:
    """Return the numbers of some ranks as words: "rank 1", "ranks 1 and 2"."""
    *first, last = map(str, sorted(ranks))
    return f"ranks {', '.join(first)} and {last}" if first else f"rank {last}"


@contextmanager
def rank_lost_errors(what: str) -> Iterator[None]:
    """Turn an error of torch's communication into a `RankLostError`."""
    try:
        yield
    except RuntimeError as error:
        detail = _SOURCE.sub("", str(error).partition("\n")[0])
        raise RankLostError(f"Another process of the run ended or hangs: {what} failed. {detail}".strip()) from error


class Ranks:
    """Sums, broadcasts, orders and answers among all ranks. Each method raises `RankLostError`. For one thread."""

    LAST_SECONDS: ClassVar = 5.0
    """How long the last save and the end of a run wait for the other ranks, which may be ending already."""

    def __init__(self, place: Place, device: torch.device, data: ProcessGroup, orders: ProcessGroup) -> None:
        """Compute on `device`, whose tensors the group `data` sums; orders and answers are tensors of the CPU."""
        self.place = place
        self.device = device
        self.num_sums = 0
        self.waiting_seconds = 0.0
        """Time spent in sums so far; on a GPU, in queueing them."""
        self.is_terminated = False
        """Whether this process has received SIGTERM, which torchrun sends at the end of all, and where one is lost."""
        self._data = data
        self._orders = orders
        self._threads = ThreadPoolExecutor(place.world_size, thread_name_prefix="rank")
        """One for each other rank, and one to wait for all of them; idle between two transfers."""

    @classmethod
    def join(cls, place: Place, find_device: Callable[[], torch.device], versions: Versions) -> Ranks:
        """Join the other ranks, with the device that `find_device` returns.

        Raises `DistributedError` where they do not join, have other versions, or have no device.
        """
        store, problem, device = connect(place), None, torch.device("cpu")
        try:
            device = find_device()
        except DeviceError as error:  # the leader ends all with it
            problem = error
        attempt = join_attempt(store, place, versions, problem)
        if device.type == "cuda":
            torch.cuda.set_device(device)
        with rank_lost_errors("joining"):
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
                store=PrefixStore(f"tweetgen/{attempt}", store),
                rank=place.rank,
                world_size=place.world_size,
                timeout=timedelta(seconds=place.timeout_seconds),
            )
            orders = dist.new_group(backend="gloo", timeout=timedelta(seconds=_NO_LIMIT))
        return cls(place, device, dist.group.WORLD, orders)  # type: ignore[arg-type]  # there is one now

    @property
    def backend(self) -> str:
        """The library that sums the gradients: nccl or gloo."""
        return "nccl" if self.device.type == "cuda" else "gloo"

    @property
    def share_of_cores(self) -> int:
        """The CPU threads of each rank on this machine: its share of the cores, at least one."""
        return max(1, available_cores() // self.place.local_world_size)

    def sum_(self, tensor: Tensor) -> None:
        """Replace a tensor, on the device, by the sum over all ranks: the same bits on each. A GPU only queues it."""
        began = time.perf_counter()
        with rank_lost_errors("a sum over all ranks"):
            self._data.allreduce([tensor]).wait()
        self.num_sums += 1
        self.waiting_seconds += time.perf_counter() - began

    def broadcast_(self, tensor: Tensor) -> None:
        """Replace a tensor, on the device, by the leader's."""
        with rank_lost_errors("a broadcast"):
            self._data.broadcast(tensor, 0).wait()

    def send_order(self, order: Order, seconds: float | None = None) -> None:
        """Send an order to all workers, which have `seconds`, by default the timeout, to receive it.

        A worker that ends is lost at once, whatever the others do.
        """
        self._send(range(1, self.place.world_size), order, seconds or self.place.timeout_seconds)

    def receive_order(self) -> AnyOrder:
        """Wait for the leader's next order, however long it pauses."""
        return _ORDERS.decode(self._receive([0], _NO_LIMIT)[0])

    def send_answer(self, answer: Answer) -> None:
        """Answer the leader's last order; returns once it is received."""
        self._send([0], answer, _NO_LIMIT)

    def receive_answers(
        self, own: Answer, *, seconds: float | None = None, poll: Callable[[], None] | None = None
    ) -> list[Answer]:
        """Return the answers of all ranks to the last order, by rank; the leader's is its `own`.

        They have `seconds` to answer, by default the timeout. With `poll`, which is called meanwhile, there is no
        limit; what it raises is raised once all have answered, as no rank receives an order before. A rank that ends
        before it has answered is lost at once, whatever the others do.
        """
        others = range(1, self.place.world_size)
        if poll is None:
            received = self._receive(others, seconds or self.place.timeout_seconds)
        else:
            answers = self._threads.submit(self._receive, others, _NO_LIMIT)
            try:
                while not answers.done():
                    poll()
                    wait([answers], _POLL_SECONDS)
            finally:
                received = answers.result()
        return [own, *map(_ANSWERS.decode, received)]

    def _send(self, ranks: Collection[int], message: Order | Answer, seconds: float) -> None:
        """Send a message to some ranks: its length, then its bytes."""
        data = torch.frombuffer(bytearray(msgspec.json.encode(message)), dtype=torch.uint8)
        for tensor in (torch.tensor([len(data)]), data):
            self._transfer(self._orders.send, dict.fromkeys(ranks, tensor), seconds, "An order was not received by")

    def _receive(self, ranks: Collection[int], seconds: float) -> list[bytes]:
        """Return the next message of each of some ranks."""
        lengths = {rank: torch.zeros(1, dtype=torch.int64) for rank in ranks}
        self._transfer(self._orders.recv, lengths, seconds, "No answer from")
        messages = {rank: torch.empty(int(length), dtype=torch.uint8) for rank, length in lengths.items()}
        self._transfer(self._orders.recv, messages, seconds, "No answer from")
        return [each.numpy().tobytes() for each in messages.values()]

    def _transfer(
        self, transfer: Callable[..., Work], tensors: Mapping[int, Tensor], seconds: float, what_is_late: str
    ) -> None:
        """Send or receive a tensor for each rank.

        Raises `RankLostError`, at the first connection that fails or once the time is over, that names the ranks:
        those of failed connections, or those without a transfer, after the words `what_is_late`.
        """
        works, deadline = dict[int, Work](), time.monotonic() + seconds
        for rank, tensor in tensors.items():
            with rank_lost_errors(f"the connection to rank {rank}"):
                works[rank] = transfer([tensor], rank, 0)
        errors = self._errors_of(works, seconds, deadline)
        if errors and time.monotonic() >= deadline:
            hint = "Look at their output: they may hang."
            if seconds == self.place.timeout_seconds:
                hint += f" {TIMEOUT_VARIABLE} sets the seconds."
            raise RankLostError(f"{what_is_late} {named(errors)} within {seconds:g} s.", hint)
        if errors:
            with rank_lost_errors(f"the connection to {named(errors)}"):
                raise next(iter(errors.values()))

    def _errors_of(self, works: Mapping[int, Work], seconds: float, deadline: float) -> dict[int, BaseException]:
        """Wait until all transfers are complete or one fails; return the errors by rank, if it is late those of all.

        gloo can't be asked whether a transfer is complete (torch 2.13: `Work.is_completed` stays false), only be waited
        for, so a thread waits for each of several. A wait that times out closes all connections, but does not fail
        transfers that are complete by then; so once one has failed, a wait for what is never sent ends the others. A
        second wait for the same transfer could take its completion away from the thread, which would wait on.
        """
        limit = timedelta(seconds=seconds + 0.001)  # gloo rounds down to milliseconds, and 0 is no limit
        if len(works) == 1:  # without the time that handing it to a thread takes
            [(rank, work)] = works.items()
            try:
                work.wait(limit)
            except RuntimeError as error:
                return {rank: error}
            return {}
        waits = {rank: self._threads.submit(work.wait, limit) for rank, work in works.items()}
        done, others = wait(waits.values(), return_when=FIRST_EXCEPTION)
        errors = {rank: found for rank, each in waits.items() if each in done and (found := each.exception())}
        if not errors:
            return {}
        is_late = time.monotonic() >= deadline
        for rank in [rank for rank, each in waits.items() if each in others]:
            with suppress(RuntimeError):
                self._orders.recv([torch.empty(1)], rank, _UNUSED_TAG).wait(timedelta(milliseconds=1))
        wait(others)
        return {rank: found for rank, each in waits.items() if (found := each.exception())} if is_late else errors

    @contextmanager
    def promised(self, num_steps: int, summed: Tensor) -> Iterator[None]:
        """Take the steps that were promised in the block; if it fails, contribute NaN to the sums that are left.

        `summed` is the buffer that each step sums.
        """
        owed = self.num_sums + num_steps
        try:
            yield
        except RankLostError:
            raise
        except BaseException as error:
            with rank_lost_errors(f"a step ({error})"):
                while self.num_sums < owed:
                    self.sum_(summed.fill_(math.nan))
                summed[-1].item()  # a GPU has only queued the sums, and this process may end next
            raise

    def end(self, problem: TweetgenError | None = None) -> None:
        """Let the workers end: in order, or with the problem of the run, after which none is to start again."""
        order = End() if problem is None else End(problem=problem.message, hint=problem.hint)
        self.send_order(order, self.LAST_SECONDS)


def make_trainer(model: TextGenerator, training: TrainingConfig, runtime: Runtime, ranks: Ranks | None) -> Trainer:
    """Return a trainer of a model on its device, whose gradients are summed over all ranks, if there are others."""
    if ranks is None:
        return Trainer(model, training, runtime)
    return Trainer(model, training, runtime, world_size=ranks.place.world_size, sum_over_ranks=ranks.sum_)
