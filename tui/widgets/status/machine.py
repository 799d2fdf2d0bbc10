"""How the time of a training step divides into its parts, and what the screen costs. Pure; never reads a clock.

The ranks of a run as lines of text: the device and the share of waiting of each. Pure.

The machine panel as lines of text: the time of a step, and the load of processor, memory and GPUs. Pure.

One column, or two side by side if there is room. Never reads the machine: see `machine_reader`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from engine.protocol.events import StepTimes
from engine.text import sanitize_line
from tui.run.view import RunView
from tui.text.cells import UNKNOWN, Line, Span, shortened
from tui.text.numbers import format_milliseconds, format_size
from tui.widgets.status.facts import device_text, num_ranks
from tui.widgets.status.machine_reader import GpuReading, MachineReading

LABEL_CELLS = 11
VALUE_CELLS, PERCENT_CELLS = 9, 7
_BAR = "━"
_PARTS = ("data", "forward", "backward", "optimizer", "waiting", "sampling", "evaluation", "saving")
_DEVICE_PARTS = ("data", "forward", "waiting", "sampling", "evaluation", "saving")
"""On a GPU the whole step is one part and counted as forward."""


@dataclass(frozen=True, kw_only=True)
class ScreenCost:
    """What the screen itself costs, as rates over an interval."""

    core_share: float
    """Share of one core, 0 to 1."""
    bytes_per_second: float | None
    """Written to the terminal; None if the driver counts no bytes."""


@dataclass(frozen=True)
class UsageCounters:
    """Counters of CPU time of the screen's thread, and of its output, at one moment."""

    seconds: float
    core_seconds: float
    num_bytes: int | None

    def cost_since(self, before: UsageCounters) -> ScreenCost | None:
        """Return the rates since `before`; None if no time has passed."""
        seconds = self.seconds - before.seconds
        if seconds <= 0:
            return None
        bytes_per_second = None
        if self.num_bytes is not None and before.num_bytes is not None:
            bytes_per_second = (self.num_bytes - before.num_bytes) / seconds
        core_share = (self.core_seconds - before.core_seconds) / seconds
        return ScreenCost(core_share=min(core_share, 1.0), bytes_per_second=bytes_per_second)


@dataclass(frozen=True, kw_only=True)
class StepPart:
    """One part of a step."""

    name: str
    seconds: float
    """Per step."""
    percent: int
    """Of the step; rounded so that all parts add up to 100."""


@dataclass(frozen=True, kw_only=True)
class StepBreakdown:
    """Average times of the last half minute."""

    step: str
    """Time of a whole step."""
    rate: str
    parts: tuple[StepPart, ...]
    num_graphs: int | None = None
    """CUDA graphs that replace steps; None on a device without graphs."""

    @classmethod
    def of(cls, view: RunView) -> StepBreakdown:
        """Return the breakdown for a view; before the first measurement, the time of a whole step without its parts."""
        num_steps, seconds = sum(times.num_steps for times in view.times), sum(times.seconds for times in view.times)
        if not num_steps or seconds <= 0:
            steps, seconds = view.step - view.paced_from_step, view.elapsed_seconds - view.paced_from_seconds
            return cls._whole(steps, seconds, {})
        is_on_device = view.started is not None and view.started.device != "cpu"
        totals = {part: _total(view.times, part) for part in (_DEVICE_PARTS if is_on_device else _PARTS)}
        if num_ranks(view) == 1:
            del totals["waiting"]
        totals["other"] = max(seconds - sum(totals.values()), 0.0)
        if is_on_device:
            totals = {"steps" if part == "forward" else part: value for part, value in totals.items()}
        return replace(cls._whole(num_steps, seconds, totals), num_graphs=view.times[-1].num_graphs)

    @classmethod
    def _whole(cls, num_steps: int, seconds: float, totals: dict[str, float]) -> StepBreakdown:
        """Return the breakdown of some steps that took `seconds` together."""
        if num_steps <= 0 or seconds <= 0:
            return cls(step="no step yet", rate="", parts=())
        percents = rounded_percents(list(totals.values()))
        return cls(
            step=format_milliseconds(seconds / num_steps).rjust(VALUE_CELLS),
            rate=f"  {_rate(num_steps / seconds)}",
            parts=tuple(
                StepPart(name=name, seconds=value / num_steps, percent=percent)
                for (name, value), percent in zip(totals.items(), percents, strict=True)
            ),
        )

    def _head(self, width: int) -> Line:
        """Return the line of the whole step, with the rate if it fits."""
        has_room = LABEL_CELLS + cell_len(self.step + self.rate) <= width
        return row("step", (self.step, "strong"), (self.rate if has_room else "", "label"))

    def _graphs(self) -> list[tuple[str, str]]:
        """Return name and value of the number of graphs, where there can be any."""
        return [] if self.num_graphs is None else [("CUDA graphs", f"{self.num_graphs:,}")]

    def lines(self, width: int) -> list[Line]:
        """Return a line per part: time, share, bar."""
        return [
            self._head(width),
            *(share_line(part.name, format_milliseconds(part.seconds), part.percent, width) for part in self.parts),
            *(row(name, (count.rjust(VALUE_CELLS), "value")) for name, count in self._graphs()),
        ]

    def packed_lines(self, width: int) -> list[Line]:
        """Return as many parts per line as fit, with their shares only."""
        facts = [*((part.name, f"{part.percent} %") for part in self.parts), *self._graphs()]
        lines: list[Line] = [self._head(width)]
        room = 0
        for name, value in facts:
            segments = (Span(f"{name} ", "label"), Span(f"{value}  ", "value"))
            cells = sum(cell_len(segment.text) for segment in segments)
            if cells - 2 > room:
                lines.append(())
                room = width
            lines[-1] = (*lines[-1], *segments)
            room -= cells
        return lines


def row(label: str, *values: tuple[str, str]) -> Line:
    """Return a label, padded, and the values after it."""
    return (Span(label.ljust(LABEL_CELLS), "label"), *(Span(text, tone) for text, tone in values))


def _total(times: Sequence[StepTimes], part: str) -> float:
    return float(sum(getattr(each, f"{part}_seconds") for each in times))


def _rate(steps_per_second: float) -> str:
    return f"{steps_per_second:.{0 if steps_per_second >= 10 else 1}f} steps/s"


def rounded_percents(values: Sequence[float]) -> list[int]:
    """Return each value's percentage of their sum, as integers that add up to 100 (method of the largest remainder)."""
    total = sum(values)
    exact = [100 * value / total for value in values]
    percents = [math.floor(percent) for percent in exact]
    by_remainder = sorted(range(len(values)), key=lambda number: percents[number] - exact[number])
    for number in by_remainder[: 100 - sum(percents)]:
        percents[number] += 1
    return percents


def share_line(name: str, value: str, percent: int, width: int, note: str = "") -> Line:
    """Return name, value, percentage and bar, or a note in place of the bar."""
    shown = shortened(value, VALUE_CELLS).rjust(VALUE_CELLS)
    room = max(width - LABEL_CELLS - VALUE_CELLS - PERCENT_CELLS - 1, 0)
    bar = _BAR * min(round(percent / 100 * room), room)
    end: tuple[str, str] = (f" {shortened(note, room)}", "label") if note else (f" {bar}", "good")
    return row(name, (shown, "value"), (f"{percent} %".rjust(PERCENT_CELLS), "label"), end)


_NUMBER_CELLS, _ENTRY_CELLS, _GAP_CELLS = 2, 8, 3


@dataclass(frozen=True)
class _Rank:
    number: int
    waiting_share: float
    """Share of the time, 0 to 1."""
    device: str
    host: str

    @property
    def waiting_percent(self) -> int:
        return round(100 * self.waiting_share)


def rank_lines(view: RunView, width: int, height: int) -> list[Line]:
    """Return a heading and a line per rank; where they do not fit, several ranks per line, the slowest first.

    The slowest rank waits least. Without several ranks, or before they are measured, there are no lines.
    """
    ranks = _ranks_of(view)
    if not ranks or height < 2:
        return []
    if len(ranks) >= height:
        return _packed_lines(sorted(ranks, key=lambda rank: rank.waiting_share), width, height)
    has_hosts = len({rank.host for rank in ranks}) > 1
    heading = row("rank", ("device".rjust(VALUE_CELLS) + "waits".rjust(PERCENT_CELLS), "label"))
    return [
        heading,
        *(
            share_line(str(rank.number), rank.device, rank.waiting_percent, width, rank.host if has_hosts else "")
            for rank in ranks
        ),
    ]


def _ranks_of(view: RunView) -> list[_Rank]:
    if view.ranks is None:
        return []
    columns = zip(view.ranks.waiting_shares, view.ranks.devices, view.ranks.hosts, strict=False)
    return [
        _Rank(number, share, sanitize_line(device), sanitize_line(host))
        for number, (share, device, host) in enumerate(columns)
    ]


def _packed_lines(ranks: list[_Rank], width: int, height: int) -> list[Line]:
    """Return number and share of as many ranks as fit below a heading, side by side."""
    per_line = max((width + _GAP_CELLS) // (_ENTRY_CELLS + _GAP_CELLS), 1)
    shown = ranks[: per_line * (height - 1)]
    heading = "waits by rank" if len(shown) == len(ranks) else f"{len(shown)} of {len(ranks)} ranks"
    lines: list[Line] = [(Span(shortened(f"{heading}, slowest first", width), "label"),)]
    for first in range(0, len(shown), per_line):
        line: Line = ()
        for rank in shown[first : first + per_line]:
            number = f"{rank.number}".rjust((_GAP_CELLS if line else 0) + _NUMBER_CELLS)
            percent = f"{rank.waiting_percent} %".rjust(_ENTRY_CELLS - _NUMBER_CELLS)
            line = (*line, Span(number, "label"), Span(percent, "value"))
        lines.append(line)
    return lines


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
        lines.append((*first, Span(" " * gap, "label"), *right[number]) if number < len(right) else first)
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
    segments = [Span(text, "label")]
    width -= cell_len(text)
    for value in _gpu_values(gpu):
        width -= 2 + cell_len(value)
        if width < 0:
            break
        segments.append(Span(f"  {value}", "value"))
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
