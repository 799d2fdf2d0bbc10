"""The runs of the lesson, in a data folder of their own, so that they are not among the user's: `lesson` and `overfit`.

`lesson` is continued the next time; `overfit` is replaced whenever it is started.
"""

from __future__ import annotations

import shutil

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig
from engine.errors import StorageError
from engine.storage.files import is_locked, storage_errors
from engine.storage.folders import folder_of_run
from tui.process.local import OnStage, Session, open_training_session

MAIN, OVERFIT = "lesson", "overfit"
"""The names of the runs."""
OVERFIT_ROW = 200
"""The row of the tutorial."""
EVAL_EVERY = 100
_RUNTIME = RuntimeConfig(device="cpu", precision="float32", threads=1)
"""Fast enough for small models, without a measurement at the start."""


def main_config(*, is_new: bool = False) -> RunConfig:
    """Return the config of the run `lesson`: continued where it was saved, unless a new one `is_new`."""
    if not is_new and folder_of_run(MAIN).checkpoint_path("latest").exists():
        return RunConfig(resume=MAIN, runtime=_RUNTIME)
    settings = {
        "embedding_size": 64,
        "hidden_size": 64,
        "eval_every": EVAL_EVERY,
        "eval_tweets": 500,
        "sample_every": 0,
    }
    return RunConfig(preset="tutorial", settings=settings, run_name=MAIN, runtime=_RUNTIME)


def overfit_config() -> RunConfig:
    """Return the config of a run on one tweet, with the sizes and the learning rate of the tutorial's part (c)."""
    # slow enough to watch: the loss is below 0.07 bits after some 110 steps
    settings = {"learning_rate": 0.001, "eval_every": 0, "sample_every": 4, "steps_per_second": 8.0}
    return RunConfig(
        preset="tutorial",
        settings=settings,
        corpus=CorpusConfig(overfit=OVERFIT_ROW),
        run_name=OVERFIT,
        runtime=_RUNTIME,
    )


def open_lesson_session(config: RunConfig, on_stage: OnStage) -> Session:
    """Remove the run that a new one replaces, and open a session. Called on the run's thread.

    Raises `StorageError` where another process trains that run.
    """
    if config.run_name is not None:
        run = folder_of_run(config.run_name)
        if is_locked(run.journal_path):
            raise StorageError("Another process trains the model of the lesson.", "End it, then open the lesson again.")
        with storage_errors(run.path):
            if run.path.exists():
                shutil.rmtree(run.path)
    return open_training_session(config, on_stage)
