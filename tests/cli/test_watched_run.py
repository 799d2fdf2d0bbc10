"""A run in a process of its own that saves at fixed moments; its program is a shell script here."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bench.first_words import MOMENTS
from engine.errors import TweetgenError
from engine.protocol import events
from engine.protocol.commands import Command, SaveCheckpoint
from engine.protocol.stage import no_progress
from engine.storage.folders import RunFolder, cache_folder
from tests.fakes import run_started, steps_finished
from tests.waiting import wait_until
from tui.cli import watched_run
from tui.cli.watched_run import watch_run


class AskingBridge:
    """A bridge to the script: a file in the folder "asked" for each checkpoint asked for."""

    def __init__(self, folder: RunFolder) -> None:
        self._asked = folder.path.parents[1] / "asked"
        for path in (self._asked, self._asked.with_name("checkpoints")):
            path.mkdir()

    def connect(self) -> None:
        """Do nothing."""

    def leave(self) -> None:
        """Do nothing."""

    def send(self, command: Command) -> None:
        assert isinstance(command, SaveCheckpoint)
        (self._asked / str(command.name)).touch()


def wait_for_a_step(output: watched_run._Output, _: float) -> None:
    """Stand in for the time: wait until the run has taken a step or has ended."""
    wait_until(lambda: output.first_step_at is not None or output.is_over.is_set())


@pytest.fixture(autouse=True)
def _no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_run, "RemoteBridge", AskingBridge)
    monkeypatch.setattr(watched_run, "_wait", wait_for_a_step)


@pytest.fixture
def run_home(tmp_path: Path) -> Path:
    """The empty data folder of a run."""
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def program(folder: Path, *lines: events.Event) -> str:
    """Return a script that prints these events, and its arguments to a file, and saves until it is terminated.

    It ignores interrupts, as a program does that a script has started in the background.
    """
    printed = "\n".join(map(events.to_json, lines))
    saved = events.to_json(
        events.CheckpointSaved(
            step=1, elapsed_seconds=1.0, name="NAME", path="NAME", bits_per_char=None, weights_step=1
        )
    )
    path = folder / "program"
    path.write_text(
        f"""#!/bin/sh
trap "" INT
trap "exit 0" TERM
echo "$TWEETGEN_HOME" "$@" > {folder}/asked
cat << 'END'
{printed}
END
while sleep 0.05; do
    for name in $(ls -v "$TWEETGEN_HOME/asked"); do
        rm "$TWEETGEN_HOME/asked/$name"
        touch "$TWEETGEN_HOME/checkpoints/$name.safetensors"
        sed "s/NAME/$name/" << 'END'
{saved}
END
    done
done
""",
        encoding="utf-8",
    )
    path.chmod(0o700)
    return str(path)


def test_each_moment_after_the_first_step_has_a_checkpoint(tmp_path: Path, run_home: Path, home: Path) -> None:
    python = program(tmp_path, run_started(), steps_finished(1, [4.0]))
    watched = watch_run(["--data", "my.csv"], 61.0, run_home, no_progress, python)
    assert [*watched.checkpoints] == [*MOMENTS, 61.0]
    assert watched.checkpoints[2.5] == run_home / "checkpoints/after-2.5.safetensors"
    assert None not in watched.checkpoints.values()
    assert watched.first_step_seconds > 0
    asked = (tmp_path / "asked").read_text(encoding="utf-8")
    assert asked == f"{run_home} -P -m tui train --json --run-name watched --data my.csv\n"


def test_the_run_has_the_users_corpus_cache(tmp_path: Path, run_home: Path, home: Path) -> None:
    python = program(tmp_path, run_started(), steps_finished(1, [4.0]))
    watch_run([], 60.0, run_home, no_progress, python)
    assert (run_home / "cache").resolve() == cache_folder().resolve()


def test_a_run_that_fails_is_an_error_with_its_hint(tmp_path: Path, run_home: Path, home: Path) -> None:
    failed = events.RunFailed(step=0, elapsed_seconds=0.0, title="Data", detail="No tweets.", hint="Give some.")
    with pytest.raises(TweetgenError, match="No tweets") as raised:
        watch_run([], 60.0, run_home, no_progress, program(tmp_path, failed))
    assert raised.value.hint == "Give some."


def test_a_run_without_a_step_is_an_error(
    tmp_path: Path, run_home: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_run, "_wait", lambda _output, _until: None)
    with pytest.raises(TweetgenError, match="took no step in 60 s"):
        watch_run([], 60.0, run_home, no_progress, program(tmp_path, run_started()))


def test_a_command_that_is_refused_is_an_error_with_its_two_lines(tmp_path: Path, run_home: Path, home: Path) -> None:
    path = tmp_path / "program"
    path.write_text(
        "#!/bin/sh\nprintf 'tweetgen-tui: No such file.\\nCheck the path.\\n' >&2\nexit 1\n", encoding="utf-8"
    )
    path.chmod(0o700)
    with pytest.raises(TweetgenError, match=r"^No such file\.$") as raised:
        watch_run([], 60.0, run_home, no_progress, str(path))
    assert raised.value.hint == "Check the path."


def test_a_run_that_does_not_end_is_killed_and_an_error(
    tmp_path: Path, run_home: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_run, "_STOP_SECONDS", 0.0)
    path = Path(program(tmp_path, run_started(), steps_finished(1, [4.0])))
    path.write_text(path.read_text(encoding="utf-8").replace("exit 0", ":"), encoding="utf-8")
    with pytest.raises(TweetgenError, match="did not end within 0 s"):
        watch_run([], 60.0, run_home, no_progress, str(path))
