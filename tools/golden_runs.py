"""The runs that `golden.py` makes in both checkouts: command lines, and what is done at which step.

The models are tiny, as kernels are compiled for each size: hidden sizes of 8 and 18, the second of which does not fill
a vector register evenly, and 64 and 256 in two layers, which are computed in whole tiles.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

Script = list[tuple[int | str, list[list[Any]]]]
"""What is done after which step or event, one after the other, as `golden_driver.py` describes it."""
KILLED = -9


@dataclass(frozen=True)
class Call:
    """One process of the program."""

    arguments: tuple[str, ...]
    script: Script | None = None
    """None: the program itself runs, not the driver."""
    exit_code: int = 0


@dataclass(frozen=True)
class Run:
    """Processes with one data folder, one after the other."""

    name: str
    calls: tuple[Call, ...]


def _tweets(who: str, does: str, what: str, count: int) -> list[str]:
    """Return distinct tweets of several lengths."""
    parts = product(what.split("/"), does.split("/"), who.split("/"))
    return [f"{a} {b} {c}{'!' * (len(a) % 3)}" for c, b, a in islice(parts, count)]


TWEETS = {
    "small.txt": _tweets(
        "the cat/@mia_k/my gran/our bus/a fox/Tom", "hugs/paints/finds/loves", "tea/a red kite/the moon :)/jam", 90
    ),
    "other.txt": _tweets("We/they/Zoë/you", "#want/need", "42 cakes/more tea/my 2 boats/a Quiz?/rain", 40),
}
"""The tweets of each file in the data folder. The second has characters that the first lacks."""

COMMON = "train --device cpu --threads 1 --precision float32"
TINY = f"{COMMON} --data small.txt --from-scratch --embedding-size 6 --hidden-size 8 --max-length 40"
TWO_LAYERS = (
    f"{COMMON} --data small.txt --from-scratch --embedding-size 10 --hidden-size 18 --num-layers 2 --dropout 0.25 "
    "--ngram-order 3 --average-lag 0.1 --max-grad-norm 0.2 --batch-size 12 --max-length 60"
)
TILES = (
    "train --device cpu --data small.txt --from-scratch --hidden-size 64 --num-layers 2 "
    "--dropout 0.2 --max-grad-norm 0.5 --batch-size 32 --eval-every 12 --sample-every 8 --max-steps 24"
)
NO_AUTOSAVE = "--autosave-seconds 100000"


def _plain(options: str) -> Call:
    """Return a process of the program that prints JSON."""
    return Call((*shlex.split(options), "--json"))


def _scripted(options: str, script: Script, exit_code: int = 0) -> Call:
    """Return a process of the driver."""
    return Call(tuple(shlex.split(options)), script, exit_code)


def _do(command: str, **fields: Any) -> list[Any]:  # noqa: ANN401 - JSON values
    """Return the action that sends a command."""
    return ["command", command, fields]


def _set(**settings: Any) -> list[Any]:  # noqa: ANN401 - JSON values
    """Return the action that changes settings."""
    return _do("ChangeSettings", settings=settings)


PAUSE, RESUME, STOP, STEP = _do("Pause"), _do("Resume"), _do("Stop"), _do("TakeStep")
STEERING: Script = [
    (4, [_set(learning_rate=0.02)]),
    (6, [_set(temperature=1.4, top_k=5)]),
    (8, [_set(batch_size=20)]),
    (10, [PAUSE, STEP, STEP, STEP, RESUME]),
    (
        16,
        [
            *(_do("SampleNow", prime="the "), _do("SampleNow"), _do("SampleLadder", seed=5)),
            *(_do("CompleteText", text="my gran ", draw=1), _do("ReadTweet", text="a fox loves jam")),
        ],
    ),
    (18, [PAUSE, _do("SaveCheckpoint", name="mid")]),
    ("CheckpointSaved name=mid weights_step=18", [RESUME]),
    (24, [_set(eval_every=9, sample_every=4)]),
    (30, [_do("Finish", on=True)]),
    (32, [_do("Finish", on=False)]),
    (36, [_do("LoadCheckpoint", name="mid", halves_rate=True)]),
    (40, [_set(steps_per_second=1.0)]),
    (44, [_set(steps_per_second=0.0)]),
    (46, [_set(max_steps=60)]),
    (48, [_set(batch_size=-1), _do("LoadCheckpoint", name="nothing"), STEP]),
    (52, [_set(prime="our ")]),
    (54, [PAUSE, _do("SampleNow"), RESUME]),
]

RUNS = (
    Run(
        "demanding",
        (
            _plain(
                f"{TWO_LAYERS} --run-name demanding --seed 1 --warmup-steps 12 --schedule cosine --weight-decay 0.05 "
                "--ngram-decay 0.5 --eval-every 15 --sample-every 7 --save-every 20 --keep-checkpoints 2 "
                "--autosave-seconds 1 --max-steps 70 --temperature 1.1 --top-p 0.95 --min-p 0.02 --temperature-last "
                "--best-of 2 --only-new --prime 'the '"
            ),
            _plain("generate --checkpoint demanding/best --seed 3 -n 3 --threads 1"),
            _plain("evaluate --checkpoint demanding/best --baselines --quality -n 20 --threads 1"),
        ),
    ),
    Run("steered", (_scripted(f"{TWO_LAYERS} --run-name steered --seed 2 --sample-every 6 --max-steps 90", STEERING),)),
    Run(
        "killed",
        (
            _scripted(
                f"{TWO_LAYERS} --run-name killed --seed 3 --eval-every 10 --sample-every 6 --max-steps 40 "
                f"{NO_AUTOSAVE}",
                [
                    (15, [PAUSE, _do("SaveLatest")]),
                    ("CheckpointSaved name=latest weights_step=15", [RESUME]),
                    (25, [["kill"]]),
                ],
                KILLED,
            ),
            _plain("train --resume killed --device cpu --threads 1"),
        ),
    ),
    Run(
        "stopped",
        (
            _scripted(f"{TWO_LAYERS} --run-name stopped --seed 4 --eval-every 10 --max-steps 40", [(23, [STOP])]),
            _plain("train --resume stopped --device cpu --threads 1"),
            _plain("train --resume stopped --device cpu --threads 1 --max-steps 60 --batch-size 20 --sample-every 9"),
        ),
    ),
    Run(
        "parts",
        (
            _scripted(
                f"{TWO_LAYERS} --run-name parts --seed 5 --eval-every 10 --max-steps 20",
                [("RunStarted", [["no memory", 3, 4, 30]])],
            ),
        ),
    ),
    Run(
        "diverging",
        (
            _scripted(
                f"{TWO_LAYERS} --run-name diverging --seed 6 --eval-every 10 --max-steps 40 {NO_AUTOSAVE}",
                [
                    (12, [_set(learning_rate=0.02), PAUSE, _do("SaveLatest")]),
                    ("CheckpointSaved name=latest weights_step=12", [RESUME]),
                    (18, [["poison"]]),
                    ("CheckpointLoaded name=diverging/latest", [["poison"]]),
                    ("CheckpointLoaded name=diverging/best", []),
                    (16, [PAUSE, _do("SaveLatest")]),
                    ("CheckpointSaved name=latest weights_step=16", [RESUME]),
                    (25, [["poison"]]),
                ],
            ),
        ),
    ),
    Run(
        "finish",
        (
            _scripted(
                f"{TINY} --run-name finish --seed 7 --eval-every 10 --max-steps 100", [(30, [_do("Finish", on=True)])]
            ),
        ),
    ),
    Run(
        "questions",
        (
            _scripted(
                f"{TWO_LAYERS} --run-name questions --seed 8 --max-steps 20",
                [
                    (12, [PAUSE]),
                    ("Paused", [_do("TraceText", text="the cat hugs", layer=1, own_from=4)]),
                    ("TextTraced", [_do("MeasureReach", text="the cat hugs", position=8)]),
                    ("ReachMeasured", [_do("ScoreUnits")]),
                    ("UnitsScored", [_do("HoldUnit", text="the cat hugs", layer=0, unit=3, value=0.5)]),
                    ("UnitHeld", [_do("MapEmbeddings")]),
                    ("EmbeddingsMapped", [_do("MeasureBaselines")]),
                    ("BaselinesMeasured is_complete=True", [_do("ShowBatch")]),
                    ("BatchShown", [_do("ShowBatch", shuffled=True)]),
                    ("BatchShown", [RESUME]),
                ],
            ),
        ),
    ),
    Run("tutorial", (_plain(f"{TINY} --preset tutorial --run-name tutorial --seed 9 --eval-every 20 --max-steps 60"),)),
    Run(
        "early",
        (_scripted(f"{COMMON} --embedding-size 6 --hidden-size 8 --run-name early --seed 19", [(1010, [STOP])]),),
    ),
    Run("overfit", (_plain(f"{TINY} --run-name overfit --seed 10 --overfit 3 --steps-per-second 0 --max-steps 120"),)),
    Run(
        "branch",
        (
            _plain(f"{TINY} --run-name first --seed 11 --max-steps 20"),
            _plain(f"{COMMON} --checkpoint first/latest --data other.txt --run-name branch --seed 12 --max-steps 40"),
        ),
    ),
    Run("tiles", (_plain(f"{TILES} --embedding-size 64 --run-name tiles --seed 13 --threads 1 --precision float32"),)),
    Run(
        "threads",
        (_plain(f"{TILES} --embedding-size 32 --run-name threads --seed 14 --threads 2 --precision float32"),),
    ),
    Run(
        "bfloat16",
        (_plain(f"{TILES} --embedding-size 48 --run-name bfloat16 --seed 15 --threads 1 --precision bfloat16"),),
    ),
    Run(
        "ranks", (_plain(f"{TWO_LAYERS} --run-name ranks --seed 16 --nproc-per-node 2 --eval-every 10 --max-steps 30"),)
    ),
    Run("warm", (_plain(f"{COMMON} --data small.txt --run-name warm --seed 17 --max-steps 12"),)),
    Run("alone", (_scripted("train --run-name alone --seed 18", [(8, [STOP])]),)),
)
