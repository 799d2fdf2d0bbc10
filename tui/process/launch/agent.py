"""Torch's elastic agent: starts the ranks, monitors them, and starts all again when one fails. Imports torch.

Its own log lines and warnings go to a file: the terminal is the leader's.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

_ENVIRONMENT = {
    "TORCH_CPP_LOG_LEVEL": "FATAL",
    # the leader hosts the store that the ranks share: it survives the launcher, and the run is saved
    "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
}
_HOST = "localhost"


def run_agent(command: Sequence[str], num_ranks: int, *, max_restarts: int, logs: Path) -> dict[int, int]:
    """Run `command` as `num_ranks` processes; return the exit codes of those that failed, none if all ended with 0.

    The leader inherits this process's standard streams; the output of the others goes to `logs`. They are started
    again up to `max_restarts` times. On any thread but the main one, whose signals it would handle. Raises whatever
    torch raises if it can't start them.
    """
    os.environ.update(_ENVIRONMENT)
    logs.mkdir(exist_ok=True)

    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    _log_to(logs / "agent.log")
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=num_ranks,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint=f"{_HOST}:0",
        local_addr=_HOST,
        max_restarts=max_restarts,
        logs_specs=DefaultLogsSpecs(str(logs), redirects=dict.fromkeys(range(1, num_ranks), Std.ALL)),
    )
    program, *arguments = command
    try:
        elastic_launch(config, program)(*arguments)
    except ChildFailedError as error:
        return {rank: failure.exitcode for rank, failure in error.failures.items()}
    return {}


def _log_to(path: Path) -> None:
    """Write the errors that this process logs to a file, and nothing else to anywhere."""
    for name, logger in logging.root.manager.loggerDict.items():
        if name.partition(".")[0] == "torch" and isinstance(logger, logging.Logger):
            logger.handlers.clear()  # torch's own write to stderr
            logger.propagate = True
    logging.captureWarnings(capture=True)
    handler = logging.FileHandler(path)
    handler.setLevel(logging.ERROR)
    logging.root.addHandler(handler)
