"""The machine panel: its lines as text, its readings, and that it opens, measures and closes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.protocol import events
from tests.fakes import FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import DEADLINE_SECONDS, Stage, screen_text, shows, wait_until
from tui.app.app import TweetgenApp
from tui.run.reducer import apply
from tui.run.view import RunView
from tui.widgets.status.lines import plain
from tui.widgets.status.machine_lines import machine_lines
from tui.widgets.status.machine_panel import MachinePanel
from tui.widgets.status.machine_reader import GpuReading, MachineReader, MachineReading
from tui.widgets.status.step_breakdown import ScreenCost

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
        "screen       0.50 ms    2 %",
        "",
        "CPU cores  0.9, system 1.4 of 2",
        "memory     812 MB, system 5.1 of 16 GB",
        "terminal   1.2 kB/s",
        "device     cpu float32, 1 thread",
        "threads    15 in this process",
    ]


def test_before_the_first_measurement_values_are_dashes() -> None:
    view = apply(RunView(), run_started())
    assert plain(machine_lines(view, None, None, 38, 18)).splitlines() == [
        "step       measuring…",
        "",
        "terminal   –",
        "device     cpu float32, 1 thread",
    ]
    first = replace(READING, process_cores=None, machine_cores=None, process_bytes=None, num_threads=None)
    assert "CPU cores  –, system – of 2" in text_of(training(), first)


def test_a_gpu_shows_utilization_memory_power_and_temperature_as_far_as_known() -> None:
    with_gpu = replace(READING, gpus=(gpu(), gpu(1, power_watts=None, utilization=None, temperature_celsius=None)))
    lines = text_of(training("cuda:0"), with_gpu, width=46)
    assert "GPU 0   93 %  12/80 GB  420 W  61 °C" in lines
    assert "GPU 1  12/80 GB  NVIDIA H100" in lines


@given(st.integers(20, 130), st.integers(8, 30), st.integers(0, 9), st.booleans())
def test_every_line_fits_a_panel_of_at_least_27_cells(
    width: int, height: int, num_gpus: int, is_on_device: bool
) -> None:
    reading = replace(READING, gpus=tuple(map(gpu, range(num_gpus))))
    view = training("cuda:0" if is_on_device else "cpu")
    for line in machine_lines(view, reading, COST, width, height):
        assert cell_len(plain([line])) <= max(width, 27)


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


async def opened(app: TweetgenApp, reader: FakeReader) -> MachinePanel:
    await shows(app, "hello there")
    panel = app.screen.query_one(MachinePanel)
    panel._open_reader = lambda _: reader
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
        await pilot.press("h")
        await wait_until(lambda: "812 MB" not in screen_text(app), "the panel's end")
        await shows(app, "hello there")


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


def test_the_machine_is_read_for_the_process_that_trains() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        ours, theirs = MachineReader().read(), MachineReader(other.pid).read()
        assert theirs.process_bytes is not None
        assert ours.process_bytes is not None
        assert theirs.process_bytes < ours.process_bytes / 2
        assert theirs.num_threads == 1
        other.communicate(b"\n")
