"""Stories of runs in text files, event by event."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.config.run import ModelConfig
from engine.protocol import codec
from engine.protocol import events as e
from tests import fakes
from tests.fakes import checkpoint_saved, eval_finished, run_started, steps_finished, tweet_sampled


def cases(name: str) -> dict[str, list[str]]:
    """Read `cases/NAME.txt`: a line "# name" and the lines of that case, but for comments behind "//"."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (Path(__file__).parent / "cases" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            assert line[2:] not in found, line
            found[line[2:]] = lines = []
        elif not line.startswith("// "):
            lines.append(line)
    return found


def stories(name: str) -> dict[str, list[e.Event]]:
    """Read cases with an event a line, as in a journal but for what is usual."""
    return {about: [*map(event_in, lines)] for about, lines in cases(name).items()}


def event_in(line: str) -> e.Event:
    name, _, changes = line.partition(" ")
    fields = json.loads(changes)
    if name == "StepsFinished":
        losses = fields.pop("losses", None) or [fields.pop("loss")] * fields.pop("count")
        return steps_finished(losses=losses, **fields)
    usual: dict[str, Any] = {"event": name, "elapsed_seconds": 1.0}
    if name in USUAL:
        usual = json.loads(codec.encode(USUAL[name](fields["step"])))
    changed = {key: usual[key] | value if isinstance(value, dict) else value for key, value in fields.items()}
    return e.from_json(json.dumps(usual | changed))


USUAL: dict[str, Callable[[int], e.Event]] = {
    "RunStarted": lambda step: run_started(step=step),
    "EvalFinished": lambda step: eval_finished(step, 2.0),
    "TweetSampled": lambda step: tweet_sampled("", step),
    "CheckpointSaved": checkpoint_saved,
    "CheckpointLoaded": lambda step: fakes.checkpoint_loaded(step, "calm"),
    "StepsThinned": lambda step: fakes.steps_thinned(step - 99, step),
    "StepTaken": fakes.step_taken,
    "TextCompleted": lambda _: fakes.text_completed("a"),
    "TweetRead": lambda _: fakes.tweet_read("a"),
    "RunFinished": fakes.run_finished,
    "RunFailed": fakes.run_failed,
    "SettingsChanged": fakes.settings_changed,
    "ModelChanged": lambda step: e.ModelChanged(step=step, elapsed_seconds=1.0, model=ModelConfig(), num_parameters=0),
}
