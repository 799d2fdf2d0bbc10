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

from tests.fuzz import files, messages
from tests.fuzz.running import Broken, Driver, Target, drive, run_input

FACTORIES: tuple[Callable[[Path], Target], ...] = (
    *(files.cache, files.checkpoints, files.journals, files.model_folders, files.readers, files.settings),
    *(messages.messages, messages.socket, messages.text),
)
"""Functions that make a target, named as it; each may write into the folder."""


def main() -> int:
    """Run the command line and return the exit code."""
    factories = {make.__name__: make for make in FACTORIES}
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Try mutated input on the program.")
    parser.add_argument("--seconds", type=float, default=60, help="how long (60)")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)), help="seed of the inputs (random)")
    parser.add_argument("--target", action="append", choices=sorted(factories), help="only this one; may be repeated")
    parser.add_argument("--save-to", type=Path, default=Path("fuzz-found"), help="for failing inputs (fuzz-found)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run the input in a file, named TARGET-...")
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        os.environ["TWEETGEN_HOME"] = folder
        names = arguments.target or sorted(factories)
        if arguments.replay is not None:
            names = [arguments.replay.name.split("-")[0]]
        targets = [factories[name](Path(folder)) for name in names]
        try:
            if arguments.replay is not None:
                outcome, seconds = run_input(targets[0], arguments.replay.read_bytes())
                print(f"{names[0]}: {outcome} ({seconds * 1000:.1f} ms)")
                return 0
            return _run(targets, arguments)
        except Broken as broken:
            return _report(broken, arguments.save_to)


def _run(targets: list[Target], arguments: argparse.Namespace) -> int:
    """Fuzz the targets for the given time."""
    print(f"seed {arguments.seed}", flush=True)
    arguments.save_to.mkdir(parents=True, exist_ok=True)
    drivers = drive(targets, arguments.seconds, arguments.seed, arguments.save_to)
    (arguments.save_to / "current").unlink()
    if not any(arguments.save_to.iterdir()):
        arguments.save_to.rmdir()
    _print_table(drivers)
    return 0


def _report(broken: Broken, folder: Path) -> int:
    """Save an input that broke a property, and print the command to replay it."""
    traceback.print_exception(broken, file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{broken.target.name}-{zlib.crc32(broken.data):08x}"
    path.write_bytes(broken.data)
    print(f"\n{broken}\npython -m tests.fuzz --replay {path}", file=sys.stderr)
    return 1


def _print_table(drivers: list[Driver]) -> None:
    """Print the number of inputs, the rate and the outcomes of each target."""
    print(f"{'target':<14} {'inputs':>10} {'per second':>11} {'outcomes':>9} {'slowest ms':>11}")
    for driver in drivers:
        rate = driver.num_inputs / max(driver.seconds, 1e-9)
        counts = f"{driver.num_inputs:>10,} {rate:>11,.0f} {len(driver.outcomes):>9,}"
        print(f"{driver.target.name:<14} {counts} {driver.slowest_seconds * 1000:>11.0f}")
    print(f"{'all':<14} {sum(driver.num_inputs for driver in drivers):>10,}")


if __name__ == "__main__":
    sys.exit(main())
