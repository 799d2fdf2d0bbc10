"""Version 1.0, as it is read for ever: its runs, its options, its fields of `--json`.

`tests/released/1.0/` is never written again. Its runs are those of version 1.0.0, made in `tests/released/1.0/` by

    tweetgen-tui train --data tweets.txt --run-name auto --from-scratch --embedding-size 8 --hidden-size 8 \
        --num-layers 2 --batch-size 8 --seed 7 --max-steps 200 --eval-every 50 --sample-every 50 --learning-rate 0.02 \
        --ngram-order 3 --dropout 0.1 --average-lag 0.1 --prime so --top-k 40 --min-p 0.02 --temperature-last \
        --avoid monday,rain --min-length 5 --best-of 2 --only-new
    tweetgen-tui train --data tweets.txt --run-name tutorial --preset tutorial --embedding-size 6 --hidden-size 8 \
        --seed 7 --max-steps 60 --eval-every 20 --sample-every 20

`options.txt` and `json.txt` are the lines of `options` and `json_fields`, and `figures.json` what `figures` returned.
What a later 1.x version adds is not in them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer.main
from typer.core import TyperArgument

from engine.protocol import events as e
from engine.protocol.codec import kinds_of
from tests.cli.program import Cli
from tests.readme import ROOT
from tui.cli.app import app

RELEASED = ROOT / "tests" / "released" / "1.0"
TWEETS = RELEASED / "tweets.txt"
RUNS = ("auto", "tutorial")
SHA256 = {
    "auto/latest": "d6be3088646dc00856fcdc4eb5c80ddd8020fdd18854deb1274443460ad2dc0e",
    "tutorial/latest": "f8f43f400cc9ef492916d912d340795b10165637f8ea478dc9f336c0d54e63f1",
}
NUM_STEPS = 5
TOLERANCE = 1e-4
"""Between machines, of losses and bits per character."""


def released(run: str) -> Path:
    """Return the checkpoint of a released run."""
    return RELEASED / "runs" / run / "checkpoints" / "latest.safetensors"


@pytest.fixture(autouse=True)
def _released_runs(home: Path) -> None:
    """Copy the released runs into the data folder of the test."""
    shutil.copytree(RELEASED / "runs", home / "runs", dirs_exist_ok=True)


def losses(cli: Cli, step: int, *options: str | Path) -> list[float]:
    """Return the losses of the steps that a run takes from a checkpoint of `step` on."""
    ended = cli("train", *options, "--data", TWEETS, "--max-steps", str(step + NUM_STEPS), "--json")
    assert ended.code == 0, ended.err
    steps = [event for event in ended.objects if event["event"] == "StepsFinished"]
    return [loss for event in steps for loss in event["train_losses"]]


def figures(cli: Cli, run: str) -> dict[str, Any]:
    """Return texts and figures of what each command reads from a released run."""
    name = f"{run}/latest"
    info = cli("checkpoints", "show", name, "--json").object
    evaluated = cli("evaluate", "--checkpoint", name, "--data", TWEETS, "--json").object
    tweets = cli("generate", "--checkpoint", name, "-n", "3", "--seed", "1", "--json").objects
    rows = cli("runs", "export", run).lines
    return {
        "version": info["versions"]["tweetgen-tui"],
        "tweets": [tweet["text"] for tweet in tweets],
        "rows of the journal": len(rows),
        "evaluate": [evaluated["bits_per_char"]],
        "generate": [tweet["bits_per_char"] for tweet in tweets],
        "resume": losses(cli, info["step"], "--resume", run),
        "branch": losses(cli, info["step"], "--checkpoint", released(run), "--run-name", f"{run}-branch"),
    }


@pytest.mark.parametrize("run", RUNS)
def test_a_run_of_version_1_0_samples_evaluates_resumes_and_branches_as_it_did_then(cli: Cli, run: str) -> None:
    assert hashlib.sha256(released(run).read_bytes()).hexdigest() == SHA256[f"{run}/latest"]
    recorded = json.loads((RELEASED / "figures.json").read_text(encoding="utf-8"))[run]
    for what, value in figures(cli, run).items():
        close = isinstance(value, list) and isinstance(value[0], float)
        assert value == (pytest.approx(recorded[what], abs=TOLERANCE) if close else recorded[what]), what


@pytest.mark.parametrize("run", RUNS)
def test_a_checkpoint_of_version_1_0_is_exported_and_imported_without_its_run(
    cli: Cli, run: str, elsewhere: Path
) -> None:
    for command in (("html", "page.html"), ("onnx", "model.onnx"), ("hub", "model", "--license", "mit")):
        kind, target, *options = command
        ended = cli("export", kind, released(run), elsewhere / target, *options)
        assert ended.code == 0, ended.err
        assert (elsewhere / target).exists()
    assert cli("checkpoints", "import", released(run), "--name", "file").code == 0
    assert cli("checkpoints", "import", elsewhere / "model", "--name", "folder").code == 0
    evaluated = [
        cli("evaluate", "--checkpoint", name, "--data", TWEETS, "--json").object for name in ("file", "folder")
    ]
    assert evaluated[0] == evaluated[1]


# What may only grow ---------------------------------------------------------------------------------------------------


def options(group: Any, path: str = "") -> Iterator[str]:
    """Yield each argument, option, and choice of an option, of a command and of those below it."""
    for parameter in group.params:
        if isinstance(parameter, TyperArgument):
            yield f"{path} {parameter.metavar} {'required' if parameter.required else 'optional'}".strip()
            continue
        metavar = (parameter.metavar or "").replace("\n", "")
        values = metavar.split("|") if "|" in metavar else ["" if parameter.is_flag else "VALUE"]
        for name in (*parameter.opts, *parameter.secondary_opts):
            yield from (f"{path} {name} {value}".strip() for value in values)
    for name, below in getattr(group, "commands", {}).items():
        yield from options(below, f"{path} {name}".strip())


COMMANDS = (
    "generate --seed 1",
    "evaluate --baselines --quality --count 20",
    "xray so",
    "checkpoints list",
    "checkpoints show first/best",
    "runs list",
    "data inspect TWEETS",
    "--version",
)
"""Commands that print objects with `--json`; `doctor` and `bench` are recorded by `test_doctor.py`."""


def json_fields(cli: Cli) -> Iterator[str]:
    """Yield each field of `--json`, with its type: of the commands with the run `first`, and of all events."""
    for line in COMMANDS:
        ended = cli(*line.replace("TWEETS", str(TWEETS)).split(), "--json")
        assert ended.code == 0, ended.err
        for printed in ended.objects:
            yield from _typed(f"`{line}`", printed)
    for kind in kinds_of(e.Event):
        if kind.is_recorded:
            schema = msgspec.json.schema(kind)
            yield from _declared(kind.__name__, schema, schema["$defs"])


MAPS = {"alphabet", "scripts", "versions"}
"""Fields whose keys are data, such as characters."""
_TYPES = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}


def _typed(path: str, value: Any) -> Iterator[str]:
    """Yield the fields below a value of JSON."""
    if not isinstance(value, dict) or path.rpartition(" ")[2] in MAPS:
        yield f"{path} {_TYPES[type(value)]}"
        return
    for name, below in value.items():
        yield from _typed(f"{path} {name}", below)


def _declared(path: str, schema: dict[str, Any], defined: dict[str, Any]) -> Iterator[str]:
    """Yield the fields below a JSON schema."""
    if "$ref" in schema:
        schema = defined[schema["$ref"].rpartition("/")[2]]
    kinds = [each.get("type", "enum") for each in schema.get("anyOf", [schema])]
    if "properties" not in schema:
        yield f"{path} {' or '.join(sorted({kind.replace('integer', 'number') for kind in kinds}))}"
    for name, below in schema.get("properties", {}).items():
        yield from _declared(f"{path} {name}", below, defined)


def test_no_option_argument_or_choice_of_version_1_0_is_gone() -> None:
    recorded = (RELEASED / "options.txt").read_text(encoding="utf-8").splitlines()
    assert set(recorded) - {*options(typer.main.get_command(app))} == set()


def test_no_field_of_json_of_version_1_0_is_gone_or_has_another_type(cli: Cli, trained: Path) -> None:
    recorded = (RELEASED / "json.txt").read_text(encoding="utf-8").splitlines()
    assert set(recorded) - {*json_fields(cli)} == set()
