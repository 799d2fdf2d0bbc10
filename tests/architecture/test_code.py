"""Rules that each module keeps: late imports, no private name of Textual, JSON from outside decoded in known places."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path

from textual.message_pump import MessagePump

import tui

ROOT = Path(__file__).parents[2]

# Late imports ---------------------------------------------------------------------------------------------------------

STAGES = {
    "job control": "import tui.process.job_control",
    "the version": """
import contextlib, io, runpy
sys.argv[1:] = ["--version", "--json"]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    runpy.run_module("tui", run_name="__main__")
""",
    "the screen": """
import engine.checkpoints.catalog, engine.corpus.inspection, engine.session.startup.preflight
import tui.app.app, tui.run.engine_bridge, tui.lesson.progress
""",
    "the lesson": "import tui.app.lesson_app",
    "the weights": """
import torch
from pathlib import Path
from engine.checkpoints.checkpoint import load_checkpoint
from engine.compute.adamw import FusedAdamW
from engine.config.run import ModelConfig
from engine.model.flat_parameters import FlatParameters
from engine.model.gru import TextGenerator

sys.modules["torch._dynamo"] = None  # the import of PyTorch's compiler, which takes seconds, fails from now on
load_checkpoint(Path("assets/base.safetensors")).to_model(torch.device("cpu"))
for tied in (False, True):
    TextGenerator.without_weights(9, ModelConfig(embedding_size=8, hidden_size=8, tied_embeddings=tied))
model = TextGenerator(3, 2, 2)
flat = FlatParameters(model)
flat.dense_grads.fill_(1)
before = flat.weights.clone()
FusedAdamW(flat, 0.0).step(0.1, torch.tensor(False))
assert (flat.weights != before).any()
try:
    torch.optim.AdamW(model.parameters(), fused=True).step()
except ImportError as error:
    assert error.name == "torch._dynamo"
else:
    raise AssertionError("FusedAdamW is no longer needed: torch's own optimizer imports no compiler")
""",
}
NOT_YET = {
    "job control": ("torch", "numpy", "textual", "rich", "typer"),  # nothing that starts threads before it forks
    "the version": ("torch", "numpy", "textual", "pyarrow", "libipld", "httpx"),
    "the screen": (
        *("torch", "tui.screens.xray", "tui.widgets.xray", "tui.screens.lesson", "tui.app.lesson_app"),
        "engine.insight",
    ),
    "the lesson": ("torch",),
    "the weights": (),
}
"""What is not imported up to the end of a stage: packages, or modules with all below them."""


def test_heavy_libraries_are_imported_only_by_what_needs_them() -> None:
    program = "import json, sys\n" + "".join(
        f"{stage}\nprint(json.dumps(sorted(sys.modules)))\n" for stage in STAGES.values()
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    for stage, line in zip(STAGES, ended.stdout.splitlines(), strict=True):
        early = [
            module for module in json.loads(line) for name in NOT_YET[stage] if f"{module}.".startswith(f"{name}.")
        ]
        assert early == [], stage
    assert {"torch", "engine.compute.adamw", "tui.app.lesson_app"} <= set(json.loads(line))  # what is imported is seen


# Private names --------------------------------------------------------------------------------------------------------


@cache
def private_names(a_class: type) -> set[str]:
    """Return the private names that a class binds in its body and on objects."""
    [node] = ast.parse(textwrap.dedent(inspect.getsource(a_class))).body
    assert isinstance(node, ast.ClassDef)
    names = {each.name for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    for statement in node.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            names |= {each.id for each in ast.walk(statement) if isinstance(each, ast.Name)}
    names |= {
        each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
    }
    return {name for name in names if name.startswith("_") and not name.endswith("__")}


def test_no_widget_screen_or_app_overwrites_a_private_name_of_textual_which_would_fail_far_from_the_cause() -> None:
    modules = [each.name for each in pkgutil.walk_packages(tui.__path__, "tui.") if not each.name.endswith("__main__")]
    values = [value for name in modules for value in vars(importlib.import_module(name)).values()]
    classes = {each for each in values if inspect.isclass(each) and issubclass(each, MessagePump)}
    ours = [each for each in classes if each.__module__.startswith("tui.")]
    assert len(ours) > 40
    for our_class in ours:
        bases = [base for base in our_class.__mro__ if base.__module__.startswith("textual.")]
        theirs = set[str]().union(*map(private_names, bases))
        assert private_names(our_class) & theirs == set(), our_class


# JSON from outside ----------------------------------------------------------------------------------------------------

DECODES = re.compile(
    r"\bjson\.(?:loads?|JSONDecoder|decode|Decoder)\b|from (?:json|msgspec\.json) import"
    r"|\bcodec\.decode|codec import .*\bdecode(?:_tagged)?\b"
)
MAY_DECODE = {
    "engine/protocol/codec.py": "the only user of msgspec for events; its callers are below",
    "engine/protocol/events/__init__.py": "makes every string of an event harmless",
    "engine/protocol/commands/__init__.py": "never displayed; the run checks names, prime and numbers of a command",
    "engine/checkpoints/header.py": "the metadata, in which the info is still a text",
    "engine/checkpoints/metadata.py": "a checkpoint's info: made harmless where shown; its paths are opened",
    "engine/export/hub/read.py": "a model folder's settings and vocabulary: as a checkpoint's info",
    "engine/parallel/handshake.py": "the names and versions of the other ranks, which errors make harmless",
    "engine/parallel/leases.py": "the leader's leases: numbers, settings and paths to open",
    "engine/parallel/ranks.py": "the other ranks' replies; events and errors make their texts harmless",
    "engine/corpus/cache.py": "a corpus of cleaned tweets, under a checksum",
    "engine/baselines/cache.py": "numbers under a checksum; their names must be those expected",
    "engine/corpus/readers/json_files/json_values.py": "tweets, which are cleaned like those of every other format",
    "tui/cli/output/run_list.py": "number and backend of a run's processes; tables and `--json` make all text harmless",
    "tui/lesson/progress.py": "numbers only",
    "tui/process/torchrun.py": "the program's own order, as it would be given by options",
    "tui/remote/agent.py": "two numbers in a run's folder",
    "tui/remote/protocol.py": "makes every string of a message harmless",
    "tui/remote/view_codec.py": "a view whose strings came in by a message, and the JSON form of its own event",
}
"""Modules that decode JSON, by the reason why they may; any other reads with `engine.protocol.events.from_json`."""


def test_json_which_may_hold_hostile_text_is_decoded_only_by_the_listed_modules() -> None:
    files = [path for package in ("engine", "tui") for path in (ROOT / package).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in files if DECODES.search(path.read_text(encoding="utf-8"))}
    assert found == MAY_DECODE.keys()
