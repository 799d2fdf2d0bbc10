"""Several processes, *ranks*, that train one run. torchrun starts them, and starts all again where one is lost.

Each rank has a trainer with equal weights and its own part of each batch; gradients are summed over all. Rank 0, the
*leader*, is an ordinary session: clock, commands, files, evaluation and sampling are its own. The others, the *workers*
(`engine.session.worker`), execute its orders, JSON over a gloo group on which they listen without a time limit, as a
pause may last for days. Everything else has the limit of `Place.timeout_seconds`. All ranks execute the same orders one
after the other, so each collective of one has its counterpart on the others.

**`Steps` are a promise.** No rank leaves a step that was promised, since the others wait for its sum, on a GPU without
being able to look at anything else. One that can't compute contributes NaN, all skip the step, and the leader asks why
(`Ranks.promised`). So the leader promises no more than about `PROMISE_SECONDS`, and nothing beyond what is due.

Process groups are never destroyed: that would wait for ranks that are lost. A rank that has ended leaves its process.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import msgspec
import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import BroadcastOptions, GatherOptions, PrefixStore
from torch.distributed import ProcessGroup

from engine.checkpoints.checkpoint import Checkpoint
from engine.checkpoints.format import CheckpointInfo
from engine.compute.clocks import Phase
from engine.compute.device import available_cores
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, RunConfig, TrainingConfig
from engine.corpus.batches import Part
from engine.corpus.position import Position
from engine.corpus.training_data import KnownVocab, TrainingData, load_training_data
from engine.errors import DeviceError, DistributedError, RankLostError, TweetgenError, WeightsDifferError
from engine.progress import Stage
from engine.protocol import events
from engine.session.place import Place, Versions, connect, join_attempt
from engine.session.reporter import Reporter
from engine.session.state import RunState

LOG = logging.getLogger(__name__)
PROMISE_SECONDS = 0.05
MAX_STEPS = 200
AUTOSAVE_SECONDS = 20.0
"""Between saves of `latest`, unless the user set it: what is lost when one of many processes is lost."""
_NO_LIMIT = timedelta(days=3650)
_LAST_SECONDS = 5.0
"""How long the last save and the end of a run wait for the other ranks, which may be ending already."""
_POLL_SECONDS = 0.05
_PHASES_OF_A_STEP: tuple[Phase, ...] = ("data", "forward", "backward", "optimizer", "waiting")
_SOURCE = re.compile(r"^\[\S+\] ")
"""The place in gloo's source that its messages begin with."""
UpcomingRates = Callable[[int], list[float]]
"""Returns the learning rates of the next steps, at least one, up to a number, and none beyond what is due."""


# Orders and answers ---------------------------------------------------------------------------------------------------


class Order(msgspec.Struct, kw_only=True, tag_field="order", tag=True):
    """What the leader orders all workers to do next."""


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
    """Continue from this state; with `has_weights`, the trainer's comes with the next broadcasts."""

    training: TrainingConfig
    position: Position
    """Of the next batch, in batches of `training.batch_size`."""
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
    """What a rank answers. The leader's own is among them."""

    host: str = ""
    problem: str = ""
    """Why this rank can't go on."""
    hint: str = ""
    digest: str = ""
    """Of the tweets."""
    device: str = ""
    seconds: float = 0.0
    """Time since the last report, in which the rank was training."""
    waiting_seconds: float = 0.0
    """The part of it spent in sums over all ranks."""
    warnings: tuple[str, ...] = ()
    checksum: int = 0
    """Of the weights."""
    generator: bytes = b""
    """The state of the rank's random generator."""


_ORDERS = msgspec.json.Decoder(AnyOrder)
_ANSWERS = msgspec.json.Decoder(Answer)


# The connection -------------------------------------------------------------------------------------------------------


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
            orders = dist.new_group(backend="gloo", timeout=_NO_LIMIT)
        return cls(place, device, dist.group.WORLD, orders)  # type: ignore[arg-type]  # there is one now

    @property
    def backend(self) -> str:
        """What sums the gradients: nccl or gloo."""
        return "nccl" if self.device.type == "cuda" else "gloo"

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

    def tell(self, order: Order, seconds: float | None = None) -> None:
        """Give an order to all workers, which have `seconds`, by default the timeout, to hear it."""
        data = torch.frombuffer(bytearray(msgspec.json.encode(order)), dtype=torch.uint8)
        limit = timedelta(seconds=seconds or self.place.timeout_seconds)
        with rank_lost_errors("an order"):
            self._broadcast_order(torch.tensor([len(data)]), limit)
            self._broadcast_order(data, limit)

    def hear(self) -> AnyOrder:
        """Wait for the leader's next order, however long it pauses."""
        length = torch.zeros(1, dtype=torch.int64)
        with rank_lost_errors("an order"):
            self._broadcast_order(length, _NO_LIMIT)
            data = torch.empty(int(length), dtype=torch.uint8)
            self._broadcast_order(data, _NO_LIMIT)
        return _ORDERS.decode(data.numpy().tobytes())

    def _broadcast_order(self, tensor: Tensor, limit: timedelta) -> None:
        options = BroadcastOptions()
        options.rootRank, options.timeout = 0, limit
        self._orders.broadcast([tensor], options).wait()

    def answer(self, answer: Answer) -> None:
        """Answer the leader's last order; returns once it is received."""
        data = torch.frombuffer(bytearray(msgspec.json.encode(answer)), dtype=torch.uint8)
        options = GatherOptions()
        options.rootRank, options.timeout = 0, _NO_LIMIT
        with rank_lost_errors("an answer"):
            self._orders.gather([], [torch.tensor([len(data)])], options).wait()
            self._orders.send([data], 0, 0).wait()

    def answers(
        self, own: Answer, *, seconds: float | None = None, poll: Callable[[], None] | None = None
    ) -> list[Answer]:
        """Return the answers of all ranks to the last order, by rank; the leader's is its `own`.

        They have `seconds` to answer, by default the timeout. With `poll`, which is called meanwhile, there is no
        limit; what it raises is raised once all have answered, as no rank hears an order before.
        """
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.place.world_size)]
        options, stopped, found = GatherOptions(), None, [own]
        options.rootRank = 0
        options.timeout = _NO_LIMIT if poll else timedelta(seconds=seconds or self.place.timeout_seconds)
        with rank_lost_errors("an answer"):
            work = self._orders.gather([lengths], [lengths[0].clone()], options)
            while poll is not None and stopped is None and not work.is_completed():
                try:
                    poll()
                except Exception as error:  # noqa: BLE001 - raised below
                    stopped = error
                time.sleep(_POLL_SECONDS)
            work.wait()
            for rank in range(1, self.place.world_size):
                data = torch.empty(int(lengths[rank]), dtype=torch.uint8)
                self._orders.recv([data], rank, 0).wait(options.timeout)
                found.append(_ANSWERS.decode(data.numpy().tobytes()))
        if stopped is not None:
            raise stopped
        return found

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
        self.tell(order, _LAST_SECONDS)


def raise_problem(answers: Sequence[Answer]) -> None:
    """Raise `DistributedError` with the words of the first rank that can't go on, if any."""
    for rank, answer in enumerate(answers):
        if answer.problem:
            raise DistributedError(f"Rank {rank}: {answer.problem}", answer.hint)


def rank_generators(checkpoint: Checkpoint, device_type: str) -> dict[int, Tensor]:
    """Return the states of the workers' generators in a checkpoint, (bytes,) uint8 each, by rank."""
    prefix = f"generator.{device_type}."
    found = {name.removeprefix(prefix): state for name, state in checkpoint.tensors.items() if name.startswith(prefix)}
    return {int(rank): state for rank, state in found.items() if rank.isdecimal()}


# The leader -----------------------------------------------------------------------------------------------------------


def threads_of_a_rank(num_ranks: int) -> int:
    """Return the CPU threads of each of several ranks on this machine: its share of the cores, at least one."""
    return max(1, available_cores() // num_ranks)


def config_of_leader(config: RunConfig, ranks: Ranks, info: CheckpointInfo | None) -> RunConfig:
    """Return the config of a shared run: a rank's share of the cores as threads, and more frequent saves.

    `info` is the checkpoint that the run continues from, which has the user's choice of that interval, too.
    """
    default = TrainingConfig.autosave_seconds
    is_open = info is None or info.training.autosave_seconds == default
    threads = config.runtime.threads or threads_of_a_rank(ranks.place.local_world_size)
    return replace(
        config,
        runtime=replace(config.runtime, threads=threads),
        settings={"autosave_seconds": AUTOSAVE_SECONDS, **config.settings} if is_open else config.settings,
    )


def load_for_all(
    ranks: Ranks | None, config: CorpusConfig, known: KnownVocab | None, on_stage: Callable[[Stage], None]
) -> TrainingData:
    """Load the tweets, on all ranks at the same time: from the same tweets, all have the same vocabulary.

    Raises `DistributedError` where theirs are others.
    """
    if ranks is None:
        return load_training_data(config, known, on_stage)
    ranks.tell(Begin(corpus=config, known=known))
    try:
        data = load_training_data(config, known, on_stage)
    except BaseException:
        ranks.answers(Answer(), poll=lambda: None)  # no rank hears an order before it has answered
        raise
    stage = Stage("waiting for the other processes to read the tweets")
    own, *others = ranks.answers(Answer(digest=data.corpus.digest), poll=lambda: on_stage(stage))
    for rank, answer in enumerate(others, start=1):
        if answer.problem:
            words = f"Rank {rank} on {answer.host} can't read the tweets: {answer.problem}"
            raise DistributedError(words, answer.hint)
        if answer.digest != own.digest:
            raise DistributedError(
                f"The tweets of rank {rank} on {answer.host} are not those of rank 0 on {ranks.place.host}.",
                "Copy the same files, of the same names, to each machine.",
            )
    return replace(data, part=Part(ranks.place.rank, ranks.place.world_size))


class Leader:
    """Rank 0's side of a run that several processes train. Used by the session's thread only."""

    def __init__(self, ranks: Ranks, state: RunState, reporter: Reporter) -> None:
        self._ranks = ranks
        self._state = state
        self._reporter = reporter
        self._num_steps = 1
        """Of the next promise, by the time that those of the last one took."""
        self._told: tuple[object, object] = (None, None)
        """The trainer and the batches that the workers have."""
        self._verified_at: tuple[object, int] = (None, -1)

    @contextmanager
    def promised(self, upcoming: UpcomingRates) -> Iterator[Sequence[float]]:
        """Promise the next steps to all ranks. The block takes one for each of the learning rates, and nothing else."""
        trainer = self._state.trainer
        self._sync()
        rates = upcoming(self._num_steps)
        began = time.perf_counter()
        self._ranks.tell(Steps(rates=tuple(rates)))
        with self._ranks.promised(len(rates), trainer.summed):
            yield rates
        seconds = (time.perf_counter() - began) / len(rates)
        self._num_steps = max(1, min(MAX_STEPS, round(PROMISE_SECONDS / max(seconds, 1e-6)), 2 * len(rates)))
        if trainer.skipped_in_a_row:
            self.verify()  # a rank that can't compute says why

    def report_times(self, times: Mapping[str, float]) -> None:
        """Emit how the ranks shared the time since the last report, and their warnings.

        `times` are the fields of the leader's own `StepTimes`.
        """
        answers = self._ask(
            Report(),
            Answer(
                host=self._ranks.place.host,
                device=str(self._state.runtime.device),
                seconds=sum(times[f"{phase}_seconds"] for phase in _PHASES_OF_A_STEP),
                waiting_seconds=times["waiting_seconds"],
            ),
        )
        shares = [min(each.waiting_seconds / max(each.seconds, 1e-9), 1.0) for each in answers]
        self._reporter.emit(
            events.RanksMeasured,
            waiting_shares=tuple(round(share, 4) for share in shares),
            devices=tuple(each.device for each in answers),
            hosts=tuple(each.host for each in answers),
        )

    def verify(self, *, is_last: bool = False) -> None:
        """Compare the weights of all ranks before they are saved, and collect the states of their generators.

        Raises `WeightsDifferError`, and `DistributedError` where a rank can't go on. Before the last save of a run, a
        lost rank is no error, unless SIGTERM ends the run: then the rank is the reason of the signal, and all are to
        start again.
        """
        state, is_terminated = self._state, self._ranks.is_terminated
        here = state.trainer, state.step
        if self._verified_at == here and not (is_last and is_terminated):
            return
        try:
            seconds = _LAST_SECONDS if is_last else None
            own, *others = self._ask(Report(checksum=True), Answer(checksum=state.trainer.checksum()), seconds)
        except RankLostError:
            if not is_last or is_terminated:
                raise
            LOG.warning("a rank did not report before the last save", exc_info=True)
            state.rank_generators = {}  # a resume seeds them by step: those of an earlier save are no better
            return
        for rank, answer in enumerate(others, start=1):
            if answer.checksum != own.checksum:
                raise WeightsDifferError(
                    f"The weights of rank {rank} on {answer.host} differ from those of rank 0 at step "
                    f"{state.step:,}; its device may be faulty, or of another type, which rounds differently.",
                    "The run goes back to its latest checkpoint.",
                )
        self._verified_at = here
        if state.model_config.dropout > 0:
            states = [torch.frombuffer(bytearray(answer.generator), dtype=torch.uint8) for answer in others]
            state.rank_generators = dict(enumerate(states, start=1))

    def _ask(self, report: Report, own: Answer, seconds: float | None = None) -> list[Answer]:
        """Return the answers of all ranks to a report, after emitting their warnings. Raises their problem."""
        self._sync()
        self._ranks.tell(report, seconds)
        answers = self._ranks.answers(own, seconds=seconds)
        for rank, answer in enumerate(answers):
            for message in answer.warnings:
                self._reporter.emit(events.Warned, message=f"Rank {rank} on {answer.host}: {message}")
        raise_problem(answers)
        return answers

    def _sync(self) -> None:
        """Send the workers the settings, the position and, with a new trainer, its weights, if any has changed."""
        state, ranks = self._state, self._ranks
        trainer, batches = self._told
        if trainer is state.trainer and batches is state.batches:
            return
        has_weights = trainer is not state.trainer
        if has_weights:
            model, precision = state.model_config, state.runtime.precision
            ranks.tell(Build(model=model, training=state.training, precision=precision))
            raise_problem(ranks.answers(Answer()))
        generators = [state.rank_generators.get(rank) for rank in range(ranks.place.world_size)]
        ranks.tell(
            Sync(
                training=state.training,
                position=state.batches.position,
                step=state.step,
                has_weights=has_weights,
                generators=tuple(b"" if each is None else bytes(each.numpy()) for each in generators),
            )
        )
        self._told = state.trainer, state.batches
        if has_weights:
            state.trainer.broadcast_state(ranks.broadcast_)
