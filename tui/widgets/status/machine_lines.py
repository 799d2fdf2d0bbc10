"""What the machine does, as lines of text: what a step's time goes into, and how busy all is. Pure functions.

One column of lines, or two beside each other where there is room. The screen's own share is that of its thread, which
runs beside the training, so it is no part of a step's time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from engine.protocol.events import StepTimes
from engine.text import harmless
from tui.formatting.numbers import format_size, shortened
from tui.run.view import RunView
from tui.widgets.status.machine_reader import GpuReading, MachineReading
from tui.widgets.status.status_lines import Line, Piece, Tone, device_of

MIN_TWO_COLUMNS = 57
_GAP_CELLS = 3
_LABEL_CELLS, _TIME_CELLS, _PERCENT_CELLS = 11, 9, 7
_UNKNOWN = "–"
_BAR = "━"
_PARTS = ("data", "forward", "backward", "optimizer", "sampling", "evaluation", "saving")
_DEVICE_PARTS = ("data", "forward", "sampling", "evaluation", "saving")
"""A device's step is one whole, counted as forward."""


@dataclass(frozen=True, kw_only=True)
class ScreenCost:
    """What the screen itself takes."""

    core_share: float
    """Of one core, 0 to 1."""
    bytes_per_second: float | None
    """Written to the terminal; None where nobody counts them."""


def machine_lines(
    view: RunView, reading: MachineReading | None, cost: ScreenCost | None, width: int, height: int
) -> list[Line]:
    """Return what a step's time goes into and how busy the machine is, in as much detail as there is room for.

    `reading` and `cost` are None before the first.
    """
    times = _Times.of(view, cost)
    if width >= MIN_TWO_COLUMNS:
        left_cells = (width - _GAP_CELLS) // 2
        right = _figure_lines(view, reading, cost, width - _GAP_CELLS - left_cells, height)
        return _beside(times.lines(left_cells), right, left_cells + _GAP_CELLS)
    num_figures = len(_figure_lines(view, reading, cost, width, height))
    lines = times.lines(width)
    if len(lines) + num_figures > height:
        lines = times.packed_lines(width)
    figures = _figure_lines(view, reading, cost, width, height - len(lines))
    has_room = len(lines) + len(figures) < height
    return [*lines, *([()] if has_room else []), *figures]


def _beside(left: Sequence[Line], right: Sequence[Line], left_cells: int) -> list[Line]:
    """Return two columns as one."""
    lines: list[Line] = []
    for row in range(max(len(left), len(right))):
        first = left[row] if row < len(left) else ()
        gap = left_cells - sum(cell_len(piece.text) for piece in first)
        lines.append((*first, Piece(" " * gap, "label"), *right[row]) if row < len(right) else first)
    return lines


@dataclass(frozen=True, kw_only=True)
class _Times:
    """What the time of a step goes into."""

    step: str
    """The whole."""
    rate: str
    parts: tuple[tuple[str, float, float], ...]
    """Name, seconds a step, share of the whole."""

    @classmethod
    def of(cls, view: RunView, cost: ScreenCost | None) -> _Times:
        """Return those of the last half minute."""
        num_steps, seconds = sum(times.num_steps for times in view.times), sum(times.seconds for times in view.times)
        if not num_steps or seconds <= 0:
            return cls(step="measuring…" if view.phase == "training" else _UNKNOWN, rate="", parts=())
        is_on_device = view.started is not None and view.started.device != "cpu"
        told = {part: _total(view.times, part) for part in (_DEVICE_PARTS if is_on_device else _PARTS)}
        told["the rest"] = max(seconds - sum(told.values()), 0.0)
        if cost is not None:
            told["screen"] = cost.core_share * seconds
        return cls(
            step=_milliseconds(seconds / num_steps).rjust(_TIME_CELLS),
            rate=f"  {_rate(num_steps / seconds)}",
            parts=tuple(
                ("steps" if is_on_device and part == "forward" else part, value / num_steps, value / seconds)
                for part, value in told.items()
            ),
        )

    def _head(self, width: int) -> Line:
        """Return the line of the whole; the rate where it fits."""
        has_room = _LABEL_CELLS + cell_len(self.step + self.rate) <= width
        return _row("a step", (self.step, "strong"), (self.rate if has_room else "", "label"))

    def lines(self, width: int) -> list[Line]:
        """Return a line for each part, with its share as a bar."""
        return [self._head(width), *(_share_line(*part, width) for part in self.parts)]

    def packed_lines(self, width: int) -> list[Line]:
        """Return the parts in as few lines as they fit into, or one a line where none fits beside another."""
        lines: list[Line] = [self._head(width)]
        room = 0
        for name, seconds, _ in self.parts:
            entry = (Piece(f"{name} ", "label"), Piece(f"{_milliseconds(seconds)}  ", "value"))
            cells = sum(cell_len(piece.text) for piece in entry)
            if cells - 2 > room:
                lines.append(())
                room = width
            lines[-1] = (*lines[-1], *entry)
            room -= cells
        return lines


def _total(times: Sequence[StepTimes], part: str) -> float:
    """Return the seconds of a part."""
    return float(sum(getattr(each, f"{part}_seconds") for each in times))


def _rate(steps_per_second: float) -> str:
    """Return how many steps a second."""
    return f"{steps_per_second:.{0 if steps_per_second >= 10 else 1}f} a second"


def _milliseconds(seconds: float) -> str:
    """Return a time to three digits or so."""
    return f"{1000 * seconds:.{2 if seconds < 0.01 else 1 if seconds < 1 else 0}f} ms"


def _share_line(name: str, seconds: float, share: float, width: int) -> Line:
    """Return a part of a step: how long it takes, its share, and that as a bar."""
    percent = f"{100 * share:.0f} %".rjust(_PERCENT_CELLS)
    bar_cells = max(width - _LABEL_CELLS - _TIME_CELLS - _PERCENT_CELLS - 1, 0)
    bar = _BAR * min(round(share * bar_cells), bar_cells)
    return _row(name, (_milliseconds(seconds).rjust(_TIME_CELLS), "value"), (percent, "label"), (f" {bar}", "good"))


def _row(label: str, *values: tuple[str, Tone]) -> Line:
    """Return a label and what stands behind it."""
    return (Piece(label.ljust(_LABEL_CELLS), "label"), *(Piece(text, tone) for text, tone in values))


def _figure_lines(
    view: RunView, reading: MachineReading | None, cost: ScreenCost | None, width: int, height: int
) -> list[Line]:
    """Return how busy the machine is, the most important first; of the GPUs as many as fit beside all else."""
    busy, others = list(_busy_figures(reading)), list(_other_figures(view, reading, cost))
    gpus = () if reading is None else reading.gpus
    room = max(height - len(busy) - len(others), 0)
    num_shown = len(gpus) if len(gpus) <= room else max(room - 1, 0)
    gpu_lines = [_gpu_line(gpu, width) for gpu in gpus[:num_shown]]
    if num_shown < len(gpus):
        more = f"{len(gpus) - num_shown}{' more' if num_shown else ''}, in a larger window"
        gpu_lines.append(_figure_line("GPUs", [more], width - _LABEL_CELLS))
    busy_lines, other_lines = (
        [_figure_line(label, values, width - _LABEL_CELLS) for label, *values in figures] for figures in (busy, others)
    )
    return [*busy_lines, *gpu_lines, *other_lines]


def _figure_line(label: str, values: Sequence[str], width: int) -> Line:
    """Return as many of the values as fit, each whole; the first may be shortened."""
    text = shortened(values[0], width)
    for value in values[1:]:
        if cell_len(f"{text}, {value}") <= width:
            text = f"{text}, {value}"
    return _row(label, (text, "value"))


def _busy_figures(reading: MachineReading | None) -> Iterator[tuple[str, ...]]:
    """Yield label and values of processor and memory, of this process and of all."""
    if reading is not None:
        all_cores = f"all {_cores(reading.machine_cores)} of {reading.num_cores}"
        yield "cores busy", _cores(reading.process_cores), all_cores
        all_memory = f"all {_gigabytes(reading.used_bytes)} of {_gigabytes(reading.total_bytes)} GB"
        yield "memory", _memory(reading.process_bytes), all_memory


def _other_figures(view: RunView, reading: MachineReading | None, cost: ScreenCost | None) -> Iterator[tuple[str, ...]]:
    """Yield label and values of what goes to the terminal, and of what the run is computed on."""
    rate = None if cost is None else cost.bytes_per_second
    yield "terminal", _UNKNOWN if rate is None else f"{format_size(round(rate))}/s"
    yield "device", *harmless(device_of(view)).split(", ")
    if reading is not None and reading.num_threads is not None:
        yield "threads", f"{reading.num_threads} in this process"


def _cores(cores: float | None) -> str:
    return _UNKNOWN if cores is None else f"{cores:.1f}"


def _memory(num_bytes: int | None) -> str:
    if num_bytes is None:
        return _UNKNOWN
    return f"{num_bytes / 1e6:.0f} MB" if num_bytes < 9.995e8 else f"{_gigabytes(num_bytes)} GB"


def _gigabytes(num_bytes: int | None) -> str:
    if num_bytes is None:
        return _UNKNOWN
    return f"{num_bytes / 1e9:.1f}" if num_bytes < 9.95e9 else f"{num_bytes / 1e9:.0f}"


def _gpu_line(gpu: GpuReading, width: int) -> Line:
    """Return a GPU: use, memory, power, temperature, name, each whole where it fits."""
    text = f"GPU {gpu.number}"
    pieces = [Piece(text, "label")]
    width -= cell_len(text)
    for entry in _gpu_entries(gpu):
        width -= 2 + cell_len(entry)
        if width < 0:
            break
        pieces.append(Piece(f"  {entry}", "value"))
    return tuple(pieces)


def _gpu_entries(gpu: GpuReading) -> Iterator[str]:
    """Yield what a GPU tells, the most important first."""
    if gpu.use is not None:
        yield f"{100 * gpu.use:.0f} %".rjust(5)
    if gpu.used_bytes is not None and gpu.total_bytes is not None:
        yield f"{_gigabytes(gpu.used_bytes)}/{_gigabytes(gpu.total_bytes)} GB"
    if gpu.power_watts is not None:
        yield f"{gpu.power_watts:.0f} W"
    if gpu.temperature_celsius is not None:
        yield f"{gpu.temperature_celsius} °C"
    if gpu.name:
        yield harmless(gpu.name)
