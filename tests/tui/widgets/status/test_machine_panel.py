"""The machine panel: its lines as text, its readings, and that it opens, measures and closes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.protocol import events
from tests.fakes import FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import DEADLINE_SECONDS, Stage, screen_text, shows, wait_until
from tui.app.app import TweetgenApp
from tui.run.reducer import apply
from tui.run.view import RunView
from tui.terminal.frame_pacing import FramePacing
from tui.widgets.panels import Panels
from tui.widgets.status.lines import plain
from tui.widgets.status.machine_lines import machine_lines
from tui.widgets.status.machine_reader import GpuReading, MachineReader, MachineReading, MeasuredRun
from tui.widgets.status.side_panel import SidePanel
from tui.widgets.status.step_breakdown import ScreenCost, UsageCounters

TIMES = events.StepTimes(
    step=100,
    elapsed_seconds=2.0,
    num_steps=100,
    seconds=2.0,
    data_seconds=0.02,
    forward_seconds=0.6,
    backward_seconds=1.0,
    optimizer_seconds=0.1,
    sampling_seconds=0.04,
    evaluation_seconds=0.2,
    saving_seconds=0.0,
)
COST = ScreenCost(core_share=0.025, bytes_per_second=1234.0)
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


def gpu(number: int = 0, **changes: Any) -> GpuReading:
    reading = GpuReading(
        number=number,
        name="NVIDIA H100",
        utilization=0.93,
        used_bytes=12_100_000_000,
        total_bytes=80_000_000_000,
        power_watts=419.6,
        temperature_celsius=61,
    )
    return replace(reading, **changes)


def training(device: str = "cpu", times: events.StepTimes = TIMES) -> RunView:
    return apply(apply(RunView(), run_started(device=device)), times)


def training_together(num_ranks: int, num_hosts: int = 1, device: str = "cuda") -> RunView:
    """Return a run of several processes, the last of which is the slowest."""
    view = apply(RunView(), run_started(device=device, world_size=num_ranks, backend="nccl"))
    view = apply(view, replace(TIMES, waiting_seconds=0.2))
    measured = events.RanksMeasured(
        step=100,
        elapsed_seconds=2.0,
        waiting_shares=tuple(0.01 * (num_ranks - rank) for rank in range(num_ranks)),
        devices=tuple(f"{device}:{rank}" for rank in range(num_ranks)),
        hosts=tuple(f"node-{rank * num_hosts // num_ranks}" for rank in range(num_ranks)),
    )
    return apply(view, measured)


def text_of(view: RunView, reading: MachineReading | None = READING, width: int = 38, height: int = 18) -> list[str]:
    return plain(machine_lines(view, reading, COST, width, height)).splitlines()


def test_a_column_shows_the_parts_of_a_step_and_the_load_of_the_machine() -> None:
    assert text_of(training()) == [
        "step         20.0 ms  50 steps/s",
        "data         0.20 ms    1 %",
        "forward      6.00 ms   30 % ━━━",
        "backward     10.0 ms   50 % ━━━━━",
        "optimizer    1.00 ms    5 %",
        "sampling     0.40 ms    2 %",
        "evaluation   2.00 ms   10 % ━",
        "saving       0.00 ms    0 %",
        "other        0.40 ms    2 %",
        "",
        "CPU cores  0.9, system 1.4 of 2",
        "memory     812 MB, system 5.1/16 GB",
        "screen     2.5 % of a core, 1.2 kB/s",
        "device     cpu float32, 1 thread",
        "threads    15 in this process",
    ]


def test_a_replay_shows_the_parts_of_a_step_and_the_device_but_no_load_of_another_machine() -> None:
    lines = text_of(replace(training(), is_replay=True))
    assert lines[8:] == ["other        0.40 ms    2 %", "", "device     cpu float32, 1 thread"]


def test_before_the_first_measurement_the_step_has_its_time_and_the_loads_are_blank() -> None:
    assert "device" in plain(machine_lines(RunView(), None, None, 38, 18)).splitlines()
    view = apply(RunView(), run_started())
    assert plain(machine_lines(view, None, None, 38, 18)).splitlines() == [
        "step       no step yet",
        "",
        "CPU cores",
        "memory",
        "screen",
        "device     cpu float32, 1 thread",
        "threads",
    ]
    view = apply(view, steps_finished(1, [4.5, 4.2, 4.0], elapsed_seconds=0.06))
    first = replace(READING, process_cores=None, machine_cores=None)
    lines = plain(machine_lines(view, first, COST, 38, 18)).splitlines()
    assert lines[:4] == ["step         20.0 ms  50 steps/s", "", "CPU cores", "memory     812 MB, system 5.1/16 GB"]


def test_values_that_can_not_be_read_are_dashes() -> None:
    lines = text_of(training(), replace(READING, process_cores=None, process_bytes=None, num_threads=None))
    assert "CPU cores  –, system 1.4 of 2" in lines
    assert "memory     –, system 5.1/16 GB" in lines
    assert not any(line.startswith("threads") for line in lines)


@given(st.lists(st.floats(0, 10), min_size=6, max_size=6), st.floats(0.001, 20))
def test_the_shares_of_the_parts_add_up_to_100_percent_even_if_the_parts_overlap(
    seconds: list[float], whole: float
) -> None:
    names = ("data", "forward", "backward", "optimizer", "sampling", "evaluation")
    parts: dict[str, Any] = {f"{name}_seconds": value for name, value in zip(names, seconds, strict=True)}
    lines = text_of(training(times=replace(TIMES, seconds=whole, **parts)))
    percents = [int(line.partition("ms")[2].split()[0]) for line in lines if line.count(" %") and " ms " in line]
    assert len(percents) == 8
    assert sum(percents) == 100


def test_the_screen_costs_at_most_a_whole_core_and_nothing_before_an_interval() -> None:
    before = UsageCounters(seconds=5.0, core_seconds=1.0, num_bytes=100)
    assert before.cost_since(before) is None
    cost = UsageCounters(seconds=6.0, core_seconds=2.01, num_bytes=300).cost_since(before)
    assert cost == ScreenCost(core_share=1.0, bytes_per_second=200.0)


def test_a_gpu_shows_utilization_memory_power_and_temperature_as_far_as_known() -> None:
    with_gpu = replace(READING, gpus=(gpu(), gpu(1, power_watts=None, utilization=None, temperature_celsius=None)))
    lines = text_of(training("cuda:0"), with_gpu, width=46)
    assert "GPU 0   93 %  12/80 GB  420 W  61 °C" in lines
    assert "GPU 1  12/80 GB  NVIDIA H100" in lines


def test_several_processes_add_the_part_of_waiting_and_a_line_for_each() -> None:
    reading = replace(READING, num_processes=2)
    lines = text_of(training_together(2, device="cpu"), reading, height=24)
    assert lines[5] == "waiting      2.00 ms    9 % ━"
    assert lines[-5:] == [
        "threads    15 in 2 processes",
        "",
        "rank          device  waits",
        "0              cpu:0    2 %",
        "1              cpu:1    1 %",
    ]
    assert not any("wait" in line or "rank" in line for line in text_of(training(), height=24))


def test_a_small_panel_shortens_the_parts_of_a_step_for_the_ranks() -> None:
    lines = text_of(training_together(2), replace(READING, num_processes=2), width=40, height=15)
    assert lines[1] == "data 1 %  steps 30 %  waiting 10 %"
    assert lines[-1] == "1             cuda:1    1 %"


def test_ranks_of_several_machines_name_theirs() -> None:
    lines = text_of(training_together(4, num_hosts=2), width=46, height=30)
    assert lines[-2:] == ["2             cuda:2    2 % node-1", "3             cuda:3    1 % node-1"]


def test_ranks_that_do_not_fit_are_listed_side_by_side_from_the_slowest() -> None:
    lines = text_of(training_together(64, num_hosts=8), width=40, height=17)
    assert lines[-5:] == [
        "12 of 64 ranks, slowest first",
        "63   1 %   62   2 %   61   3 %",
        "60   4 %   59   5 %   58   6 %",
        "57   7 %   56   8 %   55   9 %",
        "54  10 %   53  11 %   52  12 %",
    ]
    assert text_of(training_together(6), width=40, height=17)[-3:] == [
        "waits by rank, slowest first",
        " 5   1 %    4   2 %    3   3 %",
        " 2   4 %    1   5 %    0   6 %",
    ]


def test_ranks_are_shown_in_the_shorter_of_two_columns() -> None:
    lines = text_of(training_together(2), width=78, height=12)
    assert [line[40:].strip() for line in lines[-4:]] == [
        "",
        "rank          device  waits",
        "0             cuda:0    2 %",
        "1             cuda:1    1 %",
    ]


@given(st.integers(20, 130), st.integers(8, 30), st.integers(0, 9), st.integers(1, 100), st.booleans())
def test_every_line_fits_a_panel_of_at_least_28_cells(
    width: int, height: int, num_gpus: int, num_ranks: int, is_on_device: bool
) -> None:
    reading = replace(READING, gpus=tuple(map(gpu, range(num_gpus))))
    view = training("cuda:0" if is_on_device else "cpu") if num_ranks == 1 else training_together(num_ranks, 3)
    lines = machine_lines(view, reading, COST, width, height)
    assert all(cell_len(plain([line])) <= max(width, 28) for line in lines)
    if num_ranks > 1:
        without_ranks = machine_lines(replace(view, ranks=None), reading, COST, width, height)
        assert len(lines) <= max(len(without_ranks), height)


def no_such_module(name: str) -> ModuleType:
    raise ModuleNotFoundError(name)


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


def test_unknown_values_of_a_gpu_are_none_and_without_library_or_driver_there_are_no_gpus() -> None:
    reading = MachineReader(import_module=lambda _: fake_nvml()).read()
    assert reading.gpus == (gpu(), gpu(1, utilization=None, power_watts=None, temperature_celsius=None))
    assert MachineReader(import_module=no_such_module).read().gpus == ()
    assert MachineReader(import_module=lambda _: fake_nvml(has_driver=False)).read().gpus == ()


class FakeReader:
    """Returns the same reading; records the threads of the calls."""

    def __init__(self, wait: Callable[[], object] = lambda: None) -> None:
        self.threads: list[threading.Thread] = []
        self._wait = wait

    def read(self) -> MachineReading:
        self.threads.append(threading.current_thread())
        self._wait()
        return READING


SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), TIMES, tweet_sampled("hello there", 100))


async def opened(app: TweetgenApp, reader: FakeReader) -> SidePanel:
    await shows(app, "hello there")
    panel = app.screen.query_one(SidePanel)
    panel._open_reader = lambda *_: reader
    return panel


async def test_h_opens_and_closes_the_panel_which_reads_on_another_thread(stage: Stage) -> None:
    app, reader = stage.app(FakeSession(SCRIPT)), FakeReader()
    async with app.run_test(size=(80, 24)) as pilot:
        panel = await opened(app, reader)
        assert (panel.region.area, reader.threads) == (0, [])
        await pilot.press("h")
        await shows(app, "20.0 ms", "backward", "CPU cores", "812 MB")
        await wait_until(lambda: len(reader.threads) >= 2, "a second reading")
        assert threading.current_thread() not in reader.threads
        await pilot.press("h", "h")
        await wait_until(lambda: "812 MB" not in screen_text(app), "the panel's end")
        await shows(app, "hello there")


class FirstReader(FakeReader):
    """Has no cores in its first reading, as a `MachineReader`."""

    def read(self) -> MachineReading:
        reading = super().read()
        return reading if len(self.threads) > 1 else replace(reading, process_cores=None, machine_cores=None)


async def test_an_opened_panel_has_all_values_without_another_tick(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FramePacing, "is_due", lambda *_, **__: False)
    app, reader = stage.app(FakeSession(SCRIPT)), FirstReader()
    async with app.run_test(size=(80, 24)):
        panel = app.screen.query_one(SidePanel)
        panel._open_reader = lambda *_: reader
        await wait_until(lambda: app.summary_view.times, "the times")
        app.screen.query_one(Panels).action_machine()
        await shows(app, "backward", "812 MB", "0.9, system 1.4 of 2", "of a core")
        assert "–" not in plain(panel.lines)


async def test_a_driver_that_hangs_does_not_block_the_screen(stage: Stage) -> None:
    may_go_on = threading.Event()
    app, reader = stage.app(FakeSession(SCRIPT)), FakeReader(lambda: may_go_on.wait(DEADLINE_SECONDS))
    async with app.run_test(size=(80, 24)) as pilot:
        panel = await opened(app, reader)
        await pilot.press("h")
        await shows(app, "20.0 ms")
        for _ in range(3):
            panel.measure(app.summary_view)
        await wait_until(lambda: reader.threads, "the reading")
        assert len(reader.threads) == 1
        await pilot.press("ctrl+c")
        await wait_until(lambda: not app.is_running, "the end")
        may_go_on.set()


async def test_a_leader_that_was_restarted_is_measured_in_place_of_the_old_one(stage: Stage) -> None:
    app, reader = stage.app(FakeSession(SCRIPT, run_started(world_size=2, backend="gloo"))), FakeReader()
    async with app.run_test(size=(80, 24)):
        panel = await opened(app, reader)
        measured: list[MeasuredRun] = []

        def open_reader(run: MeasuredRun) -> FakeReader:
            measured.append(run)
            return reader

        panel._open_reader = open_reader
        for pid in (7, 7, 8):
            panel.measure(app.summary_view, pid)
            await wait_until(lambda: panel._worker is not None and panel._worker.is_finished, "the reading")
    assert measured == [MeasuredRun(7, has_ranks=True), MeasuredRun(8, has_ranks=True)]


def test_all_ranks_of_this_machine_are_measured_but_no_other_child_of_their_launcher() -> None:
    rank = "MASTER_ADDR=::1 MASTER_PORT={} exec sleep 1000 &"
    script = "".join(f"({rank.format(port)}) " for port in (29400, 29400, 29500)).replace("&)", ") &")
    with subprocess.Popen(["/bin/sh", "-c", f"{script} sleep 1000 & wait"], start_new_session=True) as launcher:
        try:
            children = started_children(launcher.pid, 4)
            leader = next(child.pid for child in children if child.environ().get("MASTER_PORT") == "29400")
            reading = MachineReader(MeasuredRun(leader, has_ranks=True)).read()
            one = MachineReader(MeasuredRun(leader)).read()
            no_rank = MachineReader(MeasuredRun(launcher.pid, has_ranks=True)).read()
        finally:
            os.killpg(launcher.pid, signal.SIGKILL)
    assert (reading.num_processes, reading.num_threads) == (2, 2)
    assert no_rank.num_processes == 1
    assert reading.process_bytes is not None
    assert one.process_bytes is not None
    assert reading.process_bytes > 1.5 * one.process_bytes


def started_children(pid: int, count: int) -> list[psutil.Process]:
    """Return the children of a shell, once all of them have replaced themselves by `sleep`."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        children: list[psutil.Process] = psutil.Process(pid).children()
        if [child.name() for child in children] == ["sleep"] * count:
            return children
        assert time.monotonic() < deadline, children
        time.sleep(0.01)


def test_the_machine_is_read_for_the_process_that_trains() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        ours, theirs = MachineReader().read(), MachineReader(MeasuredRun(other.pid)).read()
        assert theirs.process_bytes is not None
        assert ours.process_bytes is not None
        assert theirs.process_bytes < ours.process_bytes / 2
        assert theirs.num_threads == 1
        other.communicate(b"\n")
