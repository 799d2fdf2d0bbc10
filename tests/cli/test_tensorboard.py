"""`--tensorboard` and `runs export --format tensorboard`, with a TensorBoard server, kills, and their errors."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Launch
from tests.cli.program import ENDLESS_STEPS, SMALL_MODEL, Cli, assert_error_at_the_end, assert_two_line_error
from tests.e2e.journals import wait_for_steps
from tests.event_files import LOSS, scalars_in
from tests.waiting import wait_until
from tui.cli.options import to_run_config

FEW = (*SMALL_MODEL, "--max-steps", "20", "--eval-every", "10")


@pytest.fixture
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that does not exist yet, outside the data folder."""
    return tmp_path_factory.mktemp("tracked") / "logs"


class Server:
    """A TensorBoard of this folder."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        found = (re.search(r"http://localhost:\d+/", line) for line in process.stderr)
        self._url = next(match[0] for match in found if match)

    def get(self, path: str, **query: str) -> Any:
        address = f"{self._url}data/plugin/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address) as answer:  # noqa: S310 - its own address
            return json.load(answer)


@contextmanager
def serving(logs: Path) -> Iterator[Server]:
    """Start TensorBoard as its users do."""
    command = [sys.executable, "-m", "tensorboard.main", "--port", "0", "--reload_interval", "1", "--logdir", str(logs)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.kill()


def test_tensorboard_serves_the_scalars_texts_and_hyperparameters_of_a_run_and_its_export(
    cli: Cli, tweets: Path, logs: Path
) -> None:
    ended = cli("train", "--data", tweets, *FEW, "--sample-every", "10", "--run-name", "live", "--tensorboard", logs)
    assert ended.code == 0, ended.err
    assert cli("runs", "export", "live", "--format", "tensorboard", "--output", logs / "exported").code == 0
    runs = ("live", "exported/live")
    with serving(logs) as server:
        wait_until(lambda: set(server.get("scalars/tags")) == set(server.get("text/tags")) == set(runs))
        live, exported = (server.get("scalars/scalars", run=run, tag="val/bits_per_char") for run in runs)
        assert [point[1:] for point in live] == [point[1:] for point in exported]
        assert [step for _, step, _ in live] == [10, 20]
        [*_, last] = server.get("text/text", run="live", tag="samples")
        assert re.match(r"<p>temperature 0\.8, .*</p>\n<pre><code>", last["text"])
        query = {"allowedStatuses": ["STATUS_UNKNOWN"], "colParams": [], "startIndex": 0, "sliceSize": 9}
        [row] = server.get("hparams/session_groups", request=json.dumps(query))["sessionGroups"]
    assert row["hparams"]["model/hidden_size"] == 16
    assert "val/bits_per_char" in [metric["name"]["tag"] for metric in row["metricValues"]]


def test_a_killed_run_leaves_readable_events_and_a_resumed_one_continues_them(
    cli: Cli, launch: Launch, tweets: Path, logs: Path
) -> None:
    endless = (*SMALL_MODEL, "--max-steps", str(ENDLESS_STEPS), "--steps-per-second", "200")
    process = launch("train", "--data", tweets, *endless, "--run-name", "killed", "--tensorboard", logs)
    folder = logs / "killed"
    wait_until(lambda: folder.exists() and scalars_in(folder).get(LOSS), "no point is written")
    process.send(signal.SIGKILL)
    process.wait()
    before = [step for step, _ in scalars_in(folder)[LOSS]]
    assert before == list(range(1, before[-1] + 1))
    assert cli("train", "--resume", "killed", "--max-steps", "30", "--tensorboard", logs).code == 0
    assert [step for step, _ in scalars_in(folder)[LOSS]] == list(range(1, 31))


def test_a_run_in_the_background_writes_to_the_folder_as_seen_from_where_it_was_started(
    launch: Launch, tweets: Path, logs: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(logs.parent)
    options = ("--max-steps", str(ENDLESS_STEPS), "--run-name", "watched", "--tensorboard", "logs")
    assert launch("train", "--data", tweets, *SMALL_MODEL, *options, "--detach").wait().code == 0
    wait_for_steps(home, 10)
    wait_until(lambda: scalars_in(logs / "watched").get(LOSS), "no point is written")
    assert to_run_config({"tensorboard": "~/x"}).runtime.tensorboard == str(Path("~/x").expanduser())
    assert to_run_config({"tensorboard": "logs"}).runtime.tensorboard == str(logs)


def test_a_folder_that_can_not_be_written_is_an_error_before_anything_starts(
    cli: Cli, tweets: Path, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    ended = cli("train", "--data", tweets, *FEW, "--tensorboard", tmp_path / "file" / "logs")
    assert_two_line_error(ended, "file/logs can't be written", "another folder")
    assert list((home / "runs").iterdir()) == []


def test_a_folder_with_events_of_another_run_of_that_name_is_refused(cli: Cli, tweets: Path, logs: Path) -> None:
    run = ("train", "--data", tweets, *FEW, "--run-name", "taken", "--tensorboard", logs)
    (logs / "taken").mkdir(parents=True)
    (logs / "taken" / "events.out.tfevents.1.x").touch()
    assert_error_at_the_end(cli(*run), "has the events of another run", "--run-name")


def test_without_the_package_the_error_names_the_command_that_installs_it(
    cli: Cli, trained: Path, tweets: Path, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    for command in (
        ("train", "--data", tweets, *FEW, "--tensorboard", logs),
        ("runs", "export", "first", "--format", "tensorboard", "--output", logs),
    ):
        assert_two_line_error(cli(*command), "tensorboard, which is not installed", "pip install tensorboard")
    assert not logs.exists()


def test_the_export_needs_a_folder_and_replaces_event_files_only_with_force(
    cli: Cli, trained: Path, logs: Path
) -> None:
    export = ("runs", "export", "first", "--format", "tensorboard")
    assert_two_line_error(cli(*export), "writes to a folder", "--output DIR")
    ended = cli(*export, "--output", logs)
    assert (ended.code, ended.out) == (0, "")
    [wrote, thinned] = ended.error_lines
    assert wrote.startswith("wrote ")
    assert thinned == "No step is thinned."
    assert len(scalars_in(logs / "first")[LOSS]) == 40
    assert_two_line_error(cli(*export, "--output", logs), "first has event files already", "--force")
    assert cli(*export, "--output", logs, "--force").code == 0
    assert len(list((logs / "first").iterdir())) == 1
