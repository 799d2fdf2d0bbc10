"""`python -m tests.fuzz --seconds 60`: mutated input for every part of the program that reads untrusted input.

Exit code 1 if an input causes anything except a documented error, or exceeds its limit of time or memory. The input is
then saved in a file, and `--replay FILE` runs it again.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

from tests.fuzz import targets
from tests.fuzz.running import Broken, Target, drive, run_input

FACTORIES: tuple[Callable[[Path], Target], ...] = (
    *(targets.cache, targets.checkpoints, targets.journals, targets.model_folders, targets.readers, targets.settings),
    *(targets.messages, targets.socket, targets.text),
)
"""Functions that make a target, named as it; each may write into the folder."""
FOUND = Path("fuzz-found")
"""The folder of failing inputs."""


def main() -> int:
    """Run the command line and return the exit code."""
    factories = {make.__name__: make for make in FACTORIES}
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Try mutated input on the program.")
    parser.add_argument("--seconds", type=float, default=60, help="how long (60)")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)), help="seed of the inputs (random)")
    parser.add_argument("--target", action="append", choices=sorted(factories), help="only this one; may be repeated")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run the input in a file, named TARGET-...")
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        os.environ["TWEETGEN_HOME"] = folder
        names = arguments.target or sorted(factories)
        if arguments.replay is not None:
            names = [arguments.replay.name.split("-")[0]]
        chosen = [factories[name](Path(folder)) for name in names]
        try:
            if arguments.replay is not None:
                outcome, seconds = run_input(chosen[0], arguments.replay.read_bytes())
                print(f"{names[0]}: {outcome} ({seconds * 1000:.1f} ms)")
            else:
                _run(chosen, arguments.seconds, arguments.seed)
        except Broken as broken:
            traceback.print_exception(broken, file=sys.stderr)
            path = FOUND / f"{broken.target.name}-{zlib.crc32(broken.data):08x}"
            FOUND.mkdir(exist_ok=True)
            path.write_bytes(broken.data)
            print(f"\n{broken}\npython -m tests.fuzz --replay {path}", file=sys.stderr)
            return 1
    return 0


def _run(chosen: list[Target], seconds: float, seed: int) -> None:
    """Fuzz the targets for the given time, and print a line about each."""
    print(f"seed {seed}", flush=True)
    FOUND.mkdir(exist_ok=True)
    for driver in drive(chosen, seconds, seed, FOUND):
        speed = f"{driver.num_inputs / max(driver.seconds, 1e-9):,.0f} a second"
        slowest = f"the slowest in {driver.slowest_seconds * 1000:.0f} ms"
        print(
            f"{driver.target.name}: {driver.num_inputs:,} inputs, {speed}, {slowest}, {len(driver.outcomes)} outcomes"
        )
    (FOUND / "current").unlink()
    if not any(FOUND.iterdir()):
        FOUND.rmdir()


if __name__ == "__main__":
    sys.exit(main())
