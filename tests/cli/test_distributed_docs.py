"""docs/distributed.md and the files beside it: the line of torchrun runs, and Slurm's script starts such lines."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from torch.distributed.run import get_args_parser

from tests.cli.program import DEADLINE_SECONDS, SMALL_MODEL

DOCS = Path(__file__).parents[2] / "docs"
TORCHRUN = (sys.executable, "-m", "torch.distributed.run")


def lines_of_torchrun() -> list[str]:
    """Return the lines of the page that start torchrun."""
    return re.findall(r"^torchrun .*", (DOCS / "distributed.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_line_of_torchrun_trains_with_two_processes(home: Path, tweets: Path) -> None:
    [line] = [line for line in lines_of_torchrun() if "--standalone" in line]
    words = shlex.split(re.sub(r"--max-steps \d+", "--max-steps 2", line))
    ended = subprocess.run(
        [*TORCHRUN, *words[1:], "--data", str(tweets), "--run-name", "two", *SMALL_MODEL],
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    config = json.loads((home / "runs" / "two" / "config.json").read_text(encoding="utf-8"))
    assert (config["world_size"], config["backend"]) == (2, "gloo")
    assert "two: 2 steps" in ended.stderr
    assert "[c10d]" not in ended.stderr


def parsed(words: list[str]) -> Any:
    """Return the arguments of torchrun, parsed by torchrun."""
    return get_args_parser().parse_args(words)


def test_torchrun_knows_the_options_of_the_line_for_several_machines() -> None:
    [line] = [line for line in lines_of_torchrun() if "--nnodes" in line]
    arguments = parsed(shlex.split(line)[1:])
    assert (arguments.nnodes, arguments.nproc_per_node, arguments.max_restarts) == ("2", "8", 3)
    assert (arguments.rdzv_backend, arguments.rdzv_endpoint) == ("c10d", "HOST:29400")
    assert (arguments.module, arguments.training_script) == (True, "tui")


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    """A folder with `srun`, which prints its arguments, and `scontrol`, which knows two machines."""
    folder = tmp_path / "stubs"
    folder.mkdir()
    for name, script in (("srun", "printf '%s\\n' \"$@\""), ("scontrol", "echo node-2; echo node-1")):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


def started_by_slurm(stubs: Path, user: Path) -> list[str]:
    """Return the words behind `srun` in Slurm's script."""
    environment = {
        "PATH": f"{stubs}:{os.environ['PATH']}",
        "HOME": str(user),
        "SLURM_JOB_NAME": "tweets",
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_JOB_NODELIST": "node-[1-2]",
    }
    script = DOCS / "tweetgen.sbatch"
    ended = subprocess.run(["bash", str(script)], env=environment, capture_output=True, text=True, check=True)
    return ended.stdout.splitlines()


def test_slurms_script_starts_a_torchrun_per_machine_and_resumes_when_submitted_again(
    stubs: Path, tmp_path: Path
) -> None:
    words = started_by_slurm(stubs, tmp_path)
    assert words[0] == "torchrun"
    arguments = parsed(words[1:])
    assert (arguments.nnodes, arguments.nproc_per_node, arguments.max_restarts) == ("2", "gpu", 3)
    assert (arguments.rdzv_endpoint, arguments.rdzv_id, arguments.training_script) == ("node-1:29400", "7", "tui")
    new_run = ["--run-name", "tweets", "--data", f"{tmp_path}/data/my.csv"]
    assert arguments.training_script_args == ["train", "--device", "cuda", *new_run]
    latest = tmp_path / "tweetgen" / "runs" / "tweets" / "checkpoints" / "latest.safetensors"
    latest.parent.mkdir(parents=True)
    latest.touch()
    resumed = parsed(started_by_slurm(stubs, tmp_path)[1:])
    assert resumed.training_script_args == ["train", "--device", "cuda", "--resume", "tweets"]


def test_the_container_has_the_packages_and_the_page_mounts_what_it_needs() -> None:
    file, page = ((DOCS / name).read_text(encoding="utf-8") for name in ("Containerfile", "distributed.md"))
    assert 'ENTRYPOINT ["tweetgen-tui"]' in file
    copied = [name for line in re.findall(r"^COPY (.*) /src.*", file, re.MULTILINE) for name in line.split()]
    build = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert set(build["targets"]["wheel"]["packages"]) <= set(copied)
    assert all((DOCS.parent / name).exists() for name in copied)
    for variable in ("TWEETGEN_HOME", "XDG_RUNTIME_DIR"):
        assert f'-v "${variable}:${variable}"' in page
        assert f"-e {variable}" in page
