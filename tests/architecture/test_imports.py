"""Heavy libraries are imported late: `sys.modules` of one interpreter that starts more and more of the program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
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
