"""The machine panel: its lines as text, its readings, and that it opens, measures and closes."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from engine.protocol import events
from tests.fakes import FakeSession, ranks_measured, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import DEADLINE_SECONDS, Stage, screen_text, shows, wait_until
from tests.waiting import wait_until as poll_until
from tui.run.fold import fold
from tui.run.view import RunView
from tui.text.cells import plain
from tui.widgets.panels import Pace, Panels
from tui.widgets.status import side_panel
from tui.widgets.status.machine import UsageCounters, machine_lines
from tui.widgets.status.machine_reader import MachineReader, MachineReading, MeasuredRun
from tui.widgets.status.side_panel import SidePanel

NAMES = ("data", "forward", "backward", "optimizer", "sampling", "evaluation", "saving")
DURATIONS = (0.02, 0.6, 1.0, 0.1, 0.04, 0.2, 0.0)
SECONDS: dict[str, Any] = dict(zip((f"{name}_seconds" for name in NAMES), DURATIONS, strict=True))
TIMES = events.StepTimes(step=100, elapsed_seconds=2.0, num_steps=100, seconds=2.0, **SECONDS)
COST = ["2.5 % of a core", "1.2 kB/s"]
READING = MachineReading(
    process_cores=0.93,
    machine_cores=1.4,
    num_cores=2,
    process_bytes=812_000_000,
    used_bytes=5_100_000_000,
    total_bytes=16_000_000_000,
    num_threads=15,
    gpus=(),
)


class FakeNvmlError(Exception):
    """As pynvml.NVMLError."""


def fake_nvml(*, has_driver: bool = True) -> Any:
    """Return a driver with three GPUs: one reports all values, one few, one is lost."""

    def answering(figure: object, num_answering: int = 1) -> Callable[..., object]:
        def answer(handle: int = 0, *_: object) -> object:
            if handle >= num_answering:
                raise FakeNvmlError("Not Supported")
            return figure

        return answer

    return SimpleNamespace(
        NVMLError=FakeNvmlError,
        NVML_TEMPERATURE_GPU=0,
        nvmlInit=answering(None, num_answering=1 if has_driver else 0),
        nvmlDeviceGetCount=answering(3),
        nvmlDeviceGetHandleByIndex=lambda number: answering(number, 2)(number),
        nvmlDeviceGetName=answering("NVIDIA H100", 2),
        nvmlDeviceGetMemoryInfo=answering(SimpleNamespace(total=80_000_000_000, used=12_100_000_000), 2),
        nvmlDeviceGetUtilizationRates=answering(SimpleNamespace(gpu=93)),
        nvmlDeviceGetPowerUsage=answering(419_600),
        nvmlDeviceGetTemperature=answering(61),
    )


def training(device: str = "cpu", times: events.StepTimes = TIMES) -> RunView:
    return fold(RunView(), [run_started(device=device), times])


def training_together(num_ranks: int, num_hosts: int = 1, device: str = "cuda") -> RunView:
    """Return a run of several processes, the last of which is the slowest."""
    started = run_started(device=device, world_size=num_ranks, backend="nccl")
    ranks = ranks_measured((0.01 * (num_ranks - rank) for rank in range(num_ranks)), num_hosts, device)
    return fold(RunView(), [started, structs.replace(TIMES, waiting_seconds=0.2), ranks])


def text_of(view: RunView, reading: MachineReading | None = READING, width: int = 38, height: int = 18) -> str:
    return plain(machine_lines(view, reading, COST if reading else [], width, height))


STARTED = fold(RunView(), [run_started()])
AT_ITS_FIRST_STEPS = fold(STARTED, [steps_finished(1, [4.5, 4.2, 4.0], elapsed_seconds=0.06)])
NO_LOAD_YET = replace(READING, process_cores=None, machine_cores=None)
UNREADABLE = replace(READING, process_cores=None, process_bytes=None, num_threads=None)
GPUS = MachineReader(import_module=lambda _: fake_nvml()).read().gpus
TWO = replace(READING, num_processes=2)
CASES: dict[str, Callable[[], str]] = {
    "one process": lambda: text_of(training()),
    "a replay": lambda: text_of(replace(training(), is_replay=True)),
    "no run yet": lambda: text_of(RunView(), None),
    "no step yet": lambda: text_of(STARTED, None),
    "the first steps, before a load is known": lambda: text_of(AT_ITS_FIRST_STEPS, NO_LOAD_YET),
    "values that can't be read": lambda: text_of(training(), UNREADABLE),
    "GPUs, one of which reports little": lambda: text_of(training("cuda:0"), replace(READING, gpus=GPUS), width=46),
    "CUDA graphs": lambda: text_of(training("cuda", structs.replace(TIMES, num_graphs=12))),
    "CUDA graphs in a small panel": lambda: text_of(training("cuda", structs.replace(TIMES, num_graphs=0)), height=9),
    "2 ranks": lambda: text_of(training_together(2, device="cpu"), TWO, height=24),
    "2 ranks in two columns": lambda: text_of(training_together(2), width=78, height=12),
    "2 ranks in a small panel, with shorter parts": lambda: text_of(training_together(2), TWO, width=40, height=15),
    "4 ranks of 2 machines": lambda: text_of(training_together(4, num_hosts=2), width=46, height=30),
    "6 ranks side by side": lambda: text_of(training_together(6), width=40, height=17),
    "64 ranks, the slowest": lambda: text_of(training_together(64, num_hosts=8), width=40, height=17),
}


def test_the_panel_shows_parts_of_a_step_load_and_ranks_as_recorded(snapshot: SnapshotAssertion) -> None:
    assert "\n\n".join(f"# {name}\n{text()}" for name, text in CASES.items()) == snapshot


def test_without_nvidias_library_or_a_driver_there_are_no_gpus() -> None:
    def no_such_module(name: str) -> ModuleType:
        raise ModuleNotFoundError(name)

    assert MachineReader(import_module=no_such_module).read().gpus == ()
    assert MachineReader(import_module=lambda _: fake_nvml(has_driver=False)).read().gpus == ()


@given(st.lists(st.floats(0, 10), min_size=6, max_size=6), st.floats(0.001, 20))
def test_the_shares_of_the_parts_add_up_to_100_percent_even_if_the_parts_overlap(
    seconds: list[float], whole: float
) -> None:
    parts: dict[str, Any] = dict(zip(SECONDS, seconds, strict=False))
    lines = text_of(training(times=structs.replace(TIMES, seconds=whole, **parts))).splitlines()
    percents = [int(line.partition("ms")[2].split()[0]) for line in lines if line.count(" %") and " ms " in line]
    assert len(percents) == 8
    assert sum(percents) == 100


def test_the_screen_costs_at_most_a_whole_core_and_nothing_before_an_interval() -> None:
    before = UsageCounters(seconds=5.0, core_seconds=1.0, num_bytes=100)
    assert before.cost_since(before) == []
    cost = UsageCounters(seconds=6.0, core_seconds=2.01, num_bytes=300).cost_since(before)
    assert cost == ["100.0 % of a core", "200 B/s"]


@given(st.integers(20, 130), st.integers(8, 30), st.integers(0, 9), st.integers(1, 100), st.booleans())
def test_every_line_fits_a_panel_of_at_least_28_cells(
    width: int, height: int, num_gpus: int, num_ranks: int, is_on_device: bool
) -> None:
    reading = replace(READING, gpus=GPUS[:1] * num_gpus)
    view = training("cuda:0" if is_on_device else "cpu") if num_ranks == 1 else training_together(num_ranks, 3)
    lines = machine_lines(view, reading, COST, width, height)
    assert all(cell_len(plain([line])) <= max(width, 28) for line in lines)
    if num_ranks > 1:
        without_ranks = machine_lines(replace(view, ranks=None), reading, COST, width, height)
        assert len(lines) <= max(len(without_ranks), height)


class FakeReader:
    """Returns the same reading, the first time without cores as a `MachineReader`; records runs and threads."""

    def __init__(self) -> None:
        self.runs: list[MeasuredRun] = []
        self.threads: list[threading.Thread] = []
        self.may_read = threading.Event()
        self.may_read.set()

    def open(self, run: MeasuredRun) -> FakeReader:
        self.runs.append(run)
        return self

    def read(self) -> MachineReading:
        self.threads.append(threading.current_thread())
        assert self.may_read.wait(DEADLINE_SECONDS)
        return READING if len(self.threads) > 1 else NO_LOAD_YET


SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), TIMES, tweet_sampled("hello there", 100))


async def test_h_opens_the_panel_which_has_all_values_at_once_reads_on_another_thread_and_never_blocks_the_screen(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restarted leader is measured in place of the old one; a driver may hang."""
    reader = FakeReader()
    monkeypatch.setattr(side_panel, "MachineReader", reader.open)
    async with stage.running(FakeSession(SCRIPT, run_started(world_size=2, backend="gloo"))) as (app, pilot, _):
        await shows(app, "hello there")
        await wait_until(lambda: app.summary_view.times, "the times")
        panel = app.screen.query_one(SidePanel)
        assert (panel.region.area, reader.threads) == (0, [])
        with monkeypatch.context() as without_ticks:
            without_ticks.setattr(Pace, "is_due", lambda *_, **__: False)
            app.screen.query_one(Panels).action_machine()
            await shows(app, "20.0 ms", "backward", "812 MB", "0.9, system 1.4 of 2", "of a core")
            assert "–" not in plain(panel.lines)
            assert len(reader.threads) == 2
        await wait_until(lambda: len(reader.threads) >= 3, "a further reading")
        assert threading.current_thread() not in reader.threads
        await pilot.press("h", "h")
        await wait_until(lambda: "812 MB" not in screen_text(app), "the panel's end")
        await shows(app, "hello there")
        for pid in (7, 7, 8):
            panel.host_pid = pid
            panel.measure()
            await wait_until(lambda: panel._worker is not None and panel._worker.is_finished, "the reading")
        assert reader.runs[1:] == [MeasuredRun(7, has_ranks=True), MeasuredRun(8, has_ranks=True)]
        num_before = len(reader.threads)
        reader.may_read.clear()
        await pilot.press("h")
        await shows(app, "20.0 ms")
        for _ in range(3):
            panel.measure()
        await wait_until(lambda: len(reader.threads) > num_before, "the reading")
        assert len(reader.threads) == num_before + 1
        await pilot.press("ctrl+c")
        await wait_until(lambda: not app.is_running, "the end")
        reader.may_read.set()


def num_bytes(reading: MachineReading) -> int:
    assert reading.process_bytes is not None
    return reading.process_bytes


@pytest.mark.ci
def test_the_process_that_trains_or_all_ranks_of_this_machine_are_measured_and_no_other_process() -> None:
    rank = "MASTER_ADDR=::1 MASTER_PORT={} exec sleep 1000 &"
    script = "".join(f"({rank.format(port)}) " for port in (29400, 29400, 29500)).replace("&)", ") &")
    with subprocess.Popen(["/bin/sh", "-c", f"{script} sleep 1000 & wait"], start_new_session=True) as launcher:
        try:
            children = psutil.Process(launcher.pid).children
            poll_until(lambda: [child.name() for child in children()] == ["sleep"] * 4, "four processes")
            leader = next(child.pid for child in children() if child.environ().get("MASTER_PORT") == "29400")
            both = MachineReader(MeasuredRun(leader, has_ranks=True)).read()
            one = MachineReader(MeasuredRun(leader)).read()
            no_rank = MachineReader(MeasuredRun(launcher.pid, has_ranks=True)).read()
        finally:
            os.killpg(launcher.pid, signal.SIGKILL)
    ours = MachineReader().read()
    assert (one.num_threads, one.num_processes, no_rank.num_processes) == (1, 1, 1)
    assert (both.num_processes, both.num_threads) == (2, 2)
    assert 1.5 * num_bytes(one) < num_bytes(both) < num_bytes(ours) / 2
