"""The machine panel as lines of text: the time of a step, and the load of processor, memory and GPUs. Pure.

One column, or two side by side if there is room. Never reads the machine: see `machine_reader`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from engine.text import sanitize_line
from tui.formatting.numbers import format_size, shortened
from tui.run.view import RunView
from tui.widgets.status.lines import UNKNOWN, Line, LineSegment
from tui.widgets.status.machine_reader import GpuReading, MachineReading
from tui.widgets.status.rank_lines import rank_lines
from tui.widgets.status.step_breakdown import LABEL_CELLS, ScreenCost, StepBreakdown, row
from tui.widgets.status.view_text import device_text

MIN_TWO_COLUMNS = 57
_GAP_CELLS = 3


def machine_lines(
    view: RunView, reading: MachineReading | None, cost: ScreenCost | None, width: int, height: int
) -> list[Line]:
    """Return the lines in as much detail as fits. `reading` and `cost` are None before the first measurement."""
    breakdown = StepBreakdown.of(view)
    if width >= MIN_TWO_COLUMNS:
        left_cells = (width - _GAP_CELLS) // 2
        left = breakdown.lines(left_cells)
        right = _load_lines(view, reading, cost, width - _GAP_CELLS - left_cells, height)
        shorter, cells = (left, left_cells) if len(left) < len(right) else (right, width - _GAP_CELLS - left_cells)
        ranks = rank_lines(view, cells, height - len(shorter) - 1)
        shorter += [(), *ranks] if ranks else []
        return _side_by_side(left, right, left_cells + _GAP_CELLS)
    lines, ranks = breakdown.lines(width), rank_lines(view, width, height)
    if len(lines) + len(_load_lines(view, reading, cost, width, height)) + len(ranks) > height:
        lines = breakdown.packed_lines(width)
        room = height - len(lines) - len(_load_lines(view, reading, cost, width, 0))
        ranks = rank_lines(view, width, min(room, height // 3))
    load = _load_lines(view, reading, cost, width, height - len(lines) - len(ranks))
    return _separated([lines, load, ranks], height)


def _separated(groups: Sequence[list[Line]], height: int) -> list[Line]:
    """Return the lines of all groups, an empty line before each as long as there is room for it."""
    room = height - sum(map(len, groups))
    lines: list[Line] = []
    for group in groups:
        if group and lines and room > 0:
            lines.append(())
            room -= 1
        lines += group
    return lines


def _side_by_side(left: Sequence[Line], right: Sequence[Line], left_cells: int) -> list[Line]:
    lines: list[Line] = []
    for number in range(max(len(left), len(right))):
        first = left[number] if number < len(left) else ()
        gap = left_cells - sum(cell_len(segment.text) for segment in first)
        lines.append((*first, LineSegment(" " * gap, "label"), *right[number]) if number < len(right) else first)
    return lines


def _load_lines(
    view: RunView, reading: MachineReading | None, cost: ScreenCost | None, width: int, height: int
) -> list[Line]:
    """Return processor, memory, GPUs, screen, device and threads; only as many GPUs as fit beside the rest.

    Of a replay only the device: the journal has no load of the machine that trained.
    """
    if view.is_replay:
        return [_value_line("device", _device_values(view), width - LABEL_CELLS)]
    before, after = list(_processor_rows(reading)), list(_process_rows(view, reading, cost))
    gpus = () if reading is None else reading.gpus
    room = max(height - len(before) - len(after), 0)
    num_shown = len(gpus) if len(gpus) <= room else max(room - 1, 0)
    gpu_lines = [_gpu_line(gpu, width) for gpu in gpus[:num_shown]]
    if num_shown < len(gpus):
        more = f"{len(gpus) - num_shown}{' more' if num_shown else ''}, in a larger window"
        gpu_lines.append(_value_line("GPUs", [more], width - LABEL_CELLS))
    before_lines, after_lines = (
        [_value_line(label, values, width - LABEL_CELLS) for label, *values in rows] for rows in (before, after)
    )
    return [*before_lines, *gpu_lines, *after_lines]


def _value_line(label: str, values: Sequence[str], width: int) -> Line:
    """Return the values that fit into `width` cells, each whole; only the first is truncated."""
    text = shortened(values[0], width) if values else ""
    for value in values[1:]:
        if cell_len(f"{text}, {value}") <= width:
            text = f"{text}, {value}"
    return row(label, (text, "value"))


def _processor_rows(reading: MachineReading | None) -> Iterator[tuple[str, ...]]:
    """Yield label and values of processor and memory: the processes that train, then the whole system.

    The cores are blank before a second reading: a load is measured over the interval between two.
    """
    if reading is None or (reading.process_cores is None and reading.machine_cores is None):
        yield ("CPU cores",)
    else:
        system = f"system {_cores(reading.machine_cores)} of {reading.num_cores}"
        yield "CPU cores", _cores(reading.process_cores), system
    if reading is None:
        yield ("memory",)
    else:
        system = f"system {_gigabytes(reading.used_bytes)}/{_gigabytes(reading.total_bytes)} GB"
        yield "memory", _memory(reading.process_bytes), system


def _process_rows(view: RunView, reading: MachineReading | None, cost: ScreenCost | None) -> Iterator[tuple[str, ...]]:
    """Yield label and values of the screen's cost, the device and threads."""
    yield "screen", *(_screen_values(cost) if cost is not None else ())
    yield "device", *_device_values(view)
    if reading is None:
        yield ("threads",)
    elif reading.num_threads is not None:
        processes = "this process" if reading.num_processes == 1 else f"{reading.num_processes} processes"
        yield "threads", f"{reading.num_threads} in {processes}"


def _device_values(view: RunView) -> list[str]:
    return [] if view.started is None else sanitize_line(device_text(view)).split(", ")


def _screen_values(cost: ScreenCost) -> Iterator[str]:
    """Yield the processor time of the screen, which is no part of a step, and its output to the terminal."""
    yield f"{100 * cost.core_share:.1f} % of a core"
    if cost.bytes_per_second is not None:
        yield f"{format_size(round(cost.bytes_per_second))}/s"


def _cores(cores: float | None) -> str:
    return UNKNOWN if cores is None else f"{cores:.1f}"


def _memory(num_bytes: int | None) -> str:
    if num_bytes is None:
        return UNKNOWN
    return f"{num_bytes / 1e6:.0f} MB" if num_bytes < 9.995e8 else f"{_gigabytes(num_bytes)} GB"


def _gigabytes(num_bytes: int | None) -> str:
    if num_bytes is None:
        return UNKNOWN
    return f"{num_bytes / 1e9:.1f}" if num_bytes < 9.95e9 else f"{num_bytes / 1e9:.0f}"


def _gpu_line(gpu: GpuReading, width: int) -> Line:
    """Return the values of a GPU that fit, each whole."""
    text = f"GPU {gpu.number}"
    segments = [LineSegment(text, "label")]
    width -= cell_len(text)
    for value in _gpu_values(gpu):
        width -= 2 + cell_len(value)
        if width < 0:
            break
        segments.append(LineSegment(f"  {value}", "value"))
    return tuple(segments)


def _gpu_values(gpu: GpuReading) -> Iterator[str]:
    """Yield utilization, memory, power, temperature and name, as far as known."""
    if gpu.utilization is not None:
        yield f"{100 * gpu.utilization:.0f} %".rjust(5)
    if gpu.used_bytes is not None and gpu.total_bytes is not None:
        yield f"{_gigabytes(gpu.used_bytes)}/{_gigabytes(gpu.total_bytes)} GB"
    if gpu.power_watts is not None:
        yield f"{gpu.power_watts:.0f} W"
    if gpu.temperature_celsius is not None:
        yield f"{gpu.temperature_celsius} °C"
    if gpu.name:
        yield sanitize_line(gpu.name)
