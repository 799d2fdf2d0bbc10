"""The check of two ranks for `tweetgen-tui doctor --gpu`: two processes have the losses of one, and equal weights.

The processes are real, and join, sum and step as those of a run; only torchrun is left out: this process serves the
store on which they meet. On a machine with two GPUs each has one, and NCCL sums; else both compute on the CPU, by gloo.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import NoReturn

import torch
from torch.distributed import TCPStore

from engine.compute.device import Runtime
from engine.config.run import TrainingConfig
from engine.corpus.arrays import EncodedTweets
from engine.corpus.batches import ALL, BatchStream, Part
from engine.errors import RankLostError
from engine.model.gru import TextGenerator
from engine.protocol.progress import BatchCursor
from engine.session.ranks.connection import Ranks, make_trainer
from engine.session.ranks.place import Place
from engine.storage.log import versions_of
from engine.training.gpu_check.trial import NUM_STEPS, Finding, difference

LOSSES = 1e-2
"""Largest relative difference from the losses of one process, whose sums have another order."""
WORLD_SIZE = 2
_MAX_SECONDS = 180.0
"""For both processes to import torch, join and take their steps."""
_HOST = "localhost"


@dataclass(frozen=True)
class Learned:
    """Losses and weights of one process."""

    losses: list[float]
    checksum: int
    """Checksum of the weights after the last step."""


@dataclass(frozen=True, kw_only=True)
class SharedTraining:
    """A training that one process takes alone, or several share."""

    tweets: EncodedTweets
    vocab_size: int
    device_type: str
    hidden_size: int = 128
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(batch_size=32, max_grad_norm=1.0))

    def device(self, rank: int = 0) -> torch.device:
        """Return the device of a rank."""
        return torch.device("cpu") if self.device_type == "cpu" else torch.device(self.device_type, rank)

    def learn(self, ranks: Ranks | None = None) -> Learned:
        """Take the steps, alone or as one of the ranks."""
        device, part, num_threads = self.device(), ALL, torch.get_num_threads()
        if ranks is not None:
            device, part = ranks.device, Part(ranks.place.rank, ranks.place.world_size)
            num_threads = min(num_threads, ranks.share_of_cores)
        torch.manual_seed(0)
        model = TextGenerator(self.vocab_size, self.hidden_size, self.hidden_size).to(device)
        runtime = Runtime(device=device, precision="float32", num_threads=num_threads)
        torch.set_num_threads(num_threads)
        trainer = make_trainer(model, self.training, runtime, ranks)
        batches = BatchStream(self.tweets, self.training.batch_size, seed=0, position=BatchCursor(), part=part)
        for _ in range(NUM_STEPS):
            trainer.step(next(batches), self.training.learning_rate)
        return Learned(trainer.drain_report().train_losses, trainer.flat.checksum())


def device_type_for_two_ranks() -> str:
    """Return the type of the devices: the GPUs where there are enough, else the CPU."""
    return "cuda" if torch.cuda.device_count() >= WORLD_SIZE else "cpu"


def check_two_ranks(training: SharedTraining) -> Finding:
    """Let two processes share the steps, and compare them with this process."""
    ranks, alone = _learned_by_ranks(training), training.learn()
    worst = max(difference(each.losses, alone.losses) for each in ranks)
    are_equal = len({each.checksum for each in ranks}) == 1
    backend = "gloo on the CPU" if training.device_type == "cpu" else "NCCL on two GPUs"
    numbers = {"losses": alone.losses, "losses_of_ranks": [each.losses for each in ranks], "worst": worst}
    figure = f"{backend}: {worst:.1e} from the losses of one process, weights {'are equal' if are_equal else 'differ'}"
    return Finding(figure, numbers, is_right=worst <= LOSSES and are_equal)


def _learned_by_ranks(training: SharedTraining) -> list[Learned]:
    """Start the processes; return the losses and weights of each, by rank. Raises `RankLostError` where one fails."""
    store = TCPStore(_HOST, 0, is_master=True, wait_for_workers=False)
    context, deadline = multiprocessing.get_context("spawn"), time.monotonic() + _MAX_SECONDS
    found, connections, processes = dict[int, Learned](), list[Connection](), []
    try:
        for rank in range(WORLD_SIZE):
            place = Place(rank=rank, local_rank=rank, world_size=WORLD_SIZE, local_world_size=WORLD_SIZE)
            here, there = context.Pipe()
            process = context.Process(target=_learn_as_rank, args=(there, training, place, store.port), daemon=True)
            process.start()
            there.close()
            connections.append(here)
            processes.append(process)
        while len(found) < WORLD_SIZE:
            unanswered = [each for rank, each in enumerate(connections) if rank not in found]
            ready = wait(unanswered, max(0.0, deadline - time.monotonic()))
            if not ready:
                raise RankLostError(f"A rank has not answered within {_MAX_SECONDS:g} s.")
            rank = connections.index(ready[0])  # type: ignore[arg-type] # it is one of them
            answer: Learned | str = "it has ended"
            with suppress(EOFError):
                answer = connections[rank].recv()
            if isinstance(answer, str):
                raise RankLostError(f"Rank {rank} has failed: {answer}")
            found[rank] = answer
    finally:
        for process in processes:
            process.kill()
            process.join()
    return [found[rank] for rank in sorted(found)]


def _learn_as_rank(connection: Connection, training: SharedTraining, place: Place, port: int) -> NoReturn:
    """Join the other rank and send the losses and weights of this one, or its error; never returns.

    An end in order would wait for the other rank, and so does torch where that is lost: the parent kills this one, or
    has ended itself.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ctrl+c reaches all processes: without a traceback of each
    parent = threading.Thread(target=_exit_with_parent, args=(connection,))
    parent.start()
    # torch's names for a store that another process serves, as torchrun does
    os.environ.update(MASTER_ADDR=_HOST, MASTER_PORT=str(port), TORCHELASTIC_USE_AGENT_STORE="True")
    answer: Learned | str
    try:
        versions = versions_of("tweetgen-tui", "torch", "numpy")
        answer = training.learn(Ranks.join(place, lambda: training.device(place.rank), versions))
    except Exception as error:  # noqa: BLE001 - the parent reports it
        answer = f"{type(error).__name__}: {error}"
    connection.send(answer)
    while True:
        parent.join()


def _exit_with_parent(connection: Connection) -> None:
    """End this process once the other end of the connection is closed; nothing is ever sent from there."""
    with suppress(EOFError, OSError):
        connection.recv()
    os._exit(0)
