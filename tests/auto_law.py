"""Fits the law of `engine.config.scaling` to the runs in docs/recipes.md again: `python -m tests.auto_law`.

Prints the constants, and by how many bits per character the law differs from each run. Exponents, lost steps and the
worth of an epoch are tried on a grid; the other three constants are then a linear least-squares problem.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.config.scaling import Law, Size

RECIPES = Path(__file__).parents[1] / "docs" / "recipes.md"
NUM_TRAIN_CHARS = 3_391_315
"""An epoch of the tweets that the runs were trained on."""
_GRID: dict[str, tuple[float, ...]] = {
    "size_power": (0.5, 0.8, 1.2, 2.0, 3.0),
    "chars_power": (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4),
    "lost_steps": tuple(range(60, 201, 20)),
    "lost_power": (1, 1.5, 2, 2.5, 3),
    "worth": (1.5, 2, 2.5, 3, 4),
}
_ROW = re.compile(r"^\| (\d+) \| (\d) \| (\d+) \| ([\d.]+) \| ([\d.]+) \| (\d\.\d+) \|$", re.MULTILINE)


class MeasuredRun(NamedTuple):
    """A row of the table."""

    size: Size
    batch_size: int
    num_chars: float
    bits: float

    def expected(self, law: Law) -> float:
        """Return the bits per character by a law."""
        return law.expected_bits(self.size, self.batch_size, self.num_chars, NUM_TRAIN_CHARS)


def measured_runs() -> list[MeasuredRun]:
    """Return the rows of the table "The law"."""
    _, _, section = RECIPES.read_text(encoding="utf-8").partition("\n## The law")
    return [
        MeasuredRun(Size(int(hidden), int(layers)), int(batch), 1e6 * float(millions), float(bits))
        for hidden, layers, batch, _, millions, bits in _ROW.findall(section.partition("\n## ")[0])
    ]


def differences(law: Law, runs: list[MeasuredRun]) -> npt.NDArray[np.float64]:
    """Return by how much a law is above each run, in bits per character."""
    return np.array([run.expected(law) - run.bits for run in runs])


def fit(runs: list[MeasuredRun]) -> Law:
    """Return the law with the least squares of its differences."""
    found = []
    for values in itertools.product(*_GRID.values()):
        shape = dict(zip(_GRID, map(float, values), strict=True))
        parts = [Law(least_bits=0.0, of_size=a, of_chars=b, **shape) for a, b in ((1.0, 0.0), (0.0, 1.0))]
        columns = [[1.0, *(run.expected(part) for part in parts)] for run in runs]
        constants, *_ = np.linalg.lstsq(np.array(columns), np.array([run.bits for run in runs]), rcond=None)
        least_bits, of_size, of_chars = map(float, constants)
        law = Law(least_bits=least_bits, of_size=of_size, of_chars=of_chars, **shape)
        found.append((float(np.square(differences(law, runs)).mean()), law))
    return min(found, key=lambda each: each[0])[1]


def main() -> None:
    """Print the law, and its difference from each run."""
    runs = measured_runs()
    law = fit(runs)
    print(law)
    for run, difference in zip(runs, differences(law, runs), strict=True):
        print(
            f"{run.size.num_layers} x {run.size.hidden_size}, batches of {run.batch_size}, "
            f"{run.num_chars / 1e6:g} million characters: {run.bits:.3f}, by the law {difference:+.3f}"
        )


if __name__ == "__main__":
    main()
