"""Measures by how many bits per character a run beside the one that `auto` chooses is better: the regret of its choice.

    python -m tests.auto_regret --data FILE --seconds 60,180,600

For each budget, `auto` runs first; then its neighbours: its model with half and twice the batch size, and with its own
batch size from the first step on; and the next smaller and larger model, in the batches that `auto` chooses for it. The
figure is that of all validation tweets at the end of the run. Runs take turns, `--rounds` times; use an otherwise idle
machine.

`ONEDNN_MAX_CPU_ISA=AVX512_CORE` in the environment hides AMX and bfloat16 of the processor, and
`ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16` AMX alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from engine.config.scaling import SIZES, Size
from engine.protocol.events import RunFinished, RunStarted
from engine.sampling.bench import machine_info
from engine.storage.folders import find_run
from engine.storage.journal import read_journal

Options = Mapping[str, int]
"""Command-line options of a run, in addition to those of `auto`."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A run that has ended."""

    bits: float
    """Bits per character on all validation tweets."""
    chars: int
    """Characters that it was trained on."""
    started: RunStarted

    @property
    def chosen(self) -> str:
        """The size of its model, its batches and how they were computed."""
        model, training = self.started.model, self.started.training
        first = f", {training.first_batch_size} at first" if training.first_batch_size else ""
        threads = f"{self.started.num_threads} thread{'s' if self.started.num_threads > 1 else ''}"
        return (
            f"{model.num_layers} x {model.hidden_size}, batches of {training.batch_size}{first}, "
            f"rate {training.learning_rate:.2g}, {self.started.precision}, {threads}"
        )


def run(name: str, data: Path, seconds: float, options: Options) -> Outcome:
    """Train and evaluate as a user would."""
    line = ["train", "--data", data, "--max-seconds", seconds, "--run-name", name]
    line += [word for option, value in options.items() for word in (f"--{option}", value)]
    program = [sys.executable, "-m", "tui"]
    subprocess.run([*program, *map(str, line)], check=True, capture_output=True)
    evaluate = [*program, "evaluate", "--checkpoint", f"{name}/latest", "--json"]
    figures = json.loads(subprocess.run(evaluate, check=True, capture_output=True).stdout)
    events = list(read_journal(find_run(name).journal_path))
    [started] = [event for event in events if isinstance(event, RunStarted)]
    [finished] = [event for event in events if isinstance(event, RunFinished)]
    return Outcome(bits=figures["bits_per_char"], chars=finished.total_chars, started=started)


def neighbours(chosen: RunStarted) -> dict[str, Options]:
    """Return the options of the runs beside the chosen one, by what is changed."""
    model, batch_size = chosen.model, chosen.training.batch_size
    own = {"hidden-size": model.hidden_size, "num-layers": model.num_layers}
    found: dict[str, Options] = {
        "batches half as large": {**own, "batch-size": batch_size // 2},
        "batches twice as large": {**own, "batch-size": 2 * batch_size},
    }
    if chosen.training.first_batch_size:
        found["no smaller batches at first"] = {**own, "batch-size": batch_size}
    place = SIZES.index(Size(model.hidden_size, model.num_layers))
    for size in SIZES[max(0, place - 1) : place + 2]:
        if size != SIZES[place]:
            words = f"{size.num_layers} x {size.hidden_size}"
            found[words] = {"hidden-size": size.hidden_size, "num-layers": size.num_layers}
    return found


def table(seconds: float, outcomes: Mapping[str, list[Outcome]]) -> str:
    """Return the rows of a budget, the best first, and its regret."""
    bits = {words: median(each.bits for each in own) for words, own in outcomes.items()}
    lines = [f"{seconds:g} s"]
    for words in sorted(bits, key=lambda each: bits[each]):
        own = outcomes[words]
        chars = median(each.chars for each in own) / 1e6
        single = ", ".join(f"{each.bits:.3f}" for each in own)
        lines.append(f"  {bits[words]:.3f} ({single})  {chars:5.1f} million  {words}: {own[0].chosen}")
    return "\n".join([*lines, f"  regret: {bits['auto'] - min(bits.values()):.3f} bits"])


def main() -> None:
    """Run all, and print a table for each budget as it is complete."""
    parser = argparse.ArgumentParser(prog="python -m tests.auto_regret", description="Measure the regret of `auto`.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", default="60,180,600", help="the budgets, separated by commas")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each; figures are medians")
    options = parser.parse_args()
    print(json.dumps(machine_info(torch.device("cpu"))), flush=True)
    for seconds in map(float, options.seconds.split(",")):
        with tempfile.TemporaryDirectory() as home:
            os.environ["TWEETGEN_HOME"] = home
            first = run("auto-0", options.data, seconds, {})
            variants: dict[str, Options] = {"auto": {}, **neighbours(first.started)}
            outcomes = {words: [first] if words == "auto" else [] for words in variants}
            for number in range(options.rounds):
                for place, (words, added) in enumerate(variants.items()):
                    if (words, number) != ("auto", 0):
                        outcomes[words].append(run(f"run-{number}-{place}", options.data, seconds, added))
        print(table(seconds, outcomes), flush=True)


if __name__ == "__main__":
    main()
