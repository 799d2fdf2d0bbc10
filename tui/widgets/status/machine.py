"""The group about the machine as lines of text: the parts of a step, the ranks, the load, and what the screen costs.

Pure: never reads the machine (see `machine_reader`) or a clock. One column, or two side by side if there is room.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from engine.text import sanitize_line
from tui.run.view import RunView
from tui.text.cells import UNKNOWN, Line, Span, cell_len, packed, padded, shortened
from tui.text.numbers import format_milliseconds, format_size
from tui.widgets.status.facts import device_text, num_ranks
from tui.widgets.status.machine_reader import GpuReading, MachineReading

_LABEL_CELLS, _VALUE_CELLS, _PERCENT_CELLS = 11, 9, 7
_GAP_CELLS, _MIN_TWO_COLUMNS = 3, 57
_RANK_CELLS = 8
_BETWEEN = Span("  ", "value")
_PARTS = ("data", "forward", "backward", "optimizer", "waiting", "sampling", "evaluation", "saving")
_DEVICE_PARTS = ("data", "forward", "waiting", "sampling", "evaluation", "saving")
"""On a GPU the whole step is one part and counted as forward."""


@dataclass(frozen=True)
class UsageCounters:
    """Counters of CPU time of the screen's thread, and of its output, at one moment."""

    seconds: float
    core_seconds: float
    num_bytes: int | None
    """Written to the terminal; None if the driver counts no bytes."""

    def cost_since(self, before: UsageCounters) -> list[str]:
        """Return share of a core and bytes per second since `before`, as text; nothing if no time has passed."""
        seconds = self.seconds - before.seconds
        if seconds <= 0:
            return []
        texts = [f"{100 * min((self.core_seconds - before.core_seconds) / seconds, 1.0):.1f} % of a core"]
        if self.num_bytes is not None and before.num_bytes is not None:
            texts.append(f"{format_size(round((self.num_bytes - before.num_bytes) / seconds))}/s")
        return texts


def machine_lines(
    view: RunView, reading: MachineReading | None, cost: Sequence[str], width: int, height: int
) -> list[Line]:
    """Return the lines in as much detail as fits. `reading` is None before the first one, and `cost` empty."""
    if width >= _MIN_TWO_COLUMNS:
        left_cells = (width - _GAP_CELLS) // 2
        right_cells = width - _GAP_CELLS - left_cells
        left, right = _step_lines(view, left_cells), _load_lines(view, reading, cost, right_cells, height)
        shorter, cells = (left, left_cells) if len(left) < len(right) else (right, right_cells)
        ranks = _rank_lines(view, cells, height - len(shorter) - 1)
        shorter += [(), *ranks] if ranks else []
        rows = zip_longest(left, right)
        return [
            first or () if second is None else (*padded(first or (), left_cells + _GAP_CELLS), *second)
            for first, second in rows
        ]
    steps, ranks = _step_lines(view, width), _rank_lines(view, width, height)
    if len(steps) + len(_load_lines(view, reading, cost, width, height)) + len(ranks) > height:
        steps = _step_lines(view, width, is_packed=True)
        room = height - len(steps) - len(_load_lines(view, reading, cost, width, 0))
        ranks = _rank_lines(view, width, min(room, height // 3))
    load = _load_lines(view, reading, cost, width, height - len(steps) - len(ranks))
    num_spare = height - len(steps) - len(load) - len(ranks)  # rows for a blank before a group
    lines = steps
    for number, group in enumerate((load, ranks)):
        lines += [(), *group] if group and lines and num_spare > number else group
    return lines


def _row(label: str, *values: tuple[str, str]) -> Line:
    """Return a label, padded, and the values after it."""
    return (Span(label.ljust(_LABEL_CELLS), "label"), *(Span(*value) for value in values))


def _share_line(name: str, value: str, percent: int, width: int, note: str = "") -> Line:
    """Return name, value, percentage and bar, or a note in place of the bar."""
    room = max(width - _LABEL_CELLS - _VALUE_CELLS - _PERCENT_CELLS - 1, 0)
    bar = "━" * min(round(percent / 100 * room), room)
    end = (f" {shortened(note, room)}", "label") if note else (f" {bar}", "good")
    shown = shortened(value, _VALUE_CELLS).rjust(_VALUE_CELLS)
    return _row(name, (shown, "value"), (f"{percent} %".rjust(_PERCENT_CELLS), "label"), end)


# The parts of a step: averages of the last half minute ----------------------------------------------------------------


def _step_lines(view: RunView, width: int, *, is_packed: bool = False) -> list[Line]:
    """Return a line for the step and one per part: time, share, bar; packed, several parts a line with their shares.

    Before the first measurement there is only the time of a whole step.
    """
    num_steps, seconds = sum(times.num_steps for times in view.times), sum(times.seconds for times in view.times)
    totals: dict[str, float] = {}
    if num_steps and seconds > 0:
        is_on_device = view.started is not None and view.started.device != "cpu"
        for part in _DEVICE_PARTS if is_on_device else _PARTS:
            if part != "waiting" or num_ranks(view) > 1:
                name = "steps" if is_on_device and part == "forward" else part
                totals[name] = float(sum(getattr(times, f"{part}_seconds") for times in view.times))
        totals["other"] = max(seconds - sum(totals.values()), 0.0)
    else:
        num_steps, seconds = view.step - view.paced_from_step, view.elapsed_seconds - view.paced_from_seconds
    if num_steps <= 0 or seconds <= 0:
        return [_row("step", ("no step yet", "strong"), ("", "label"))]
    step, rate = format_milliseconds(seconds / num_steps).rjust(_VALUE_CELLS), num_steps / seconds
    speed = f"  {rate:.{0 if rate >= 10 else 1}f} steps/s"
    has_room = _LABEL_CELLS + cell_len(step + speed) <= width
    head = _row("step", (step, "strong"), (speed if has_room else "", "label"))
    percents = rounded_percents(list(totals.values()))
    graphs = view.times[-1].num_graphs if totals else None
    count = "" if graphs is None else f"{graphs:,}"
    if is_packed:
        entries = [*zip(totals, [f"{percent} %" for percent in percents], strict=True)]
        entries += [("CUDA graphs", count)] if count else []
        spans = [(Span(f"{name} ", "label"), Span(text, "value")) for name, text in entries]
        return [head, *packed(spans, width, _BETWEEN)]
    return [
        head,
        *(
            _share_line(name, format_milliseconds(total / num_steps), percent, width)
            for (name, total), percent in zip(totals.items(), percents, strict=True)
        ),
        *([_row("CUDA graphs", (count.rjust(_VALUE_CELLS), "value"))] if count else []),
    ]


def rounded_percents(values: Sequence[float]) -> list[int]:
    """Return each value's percentage of their sum, as integers that add up to 100 (method of the largest remainder)."""
    total = sum(values)
    exact = [100 * value / total for value in values]
    percents = [math.floor(percent) for percent in exact]
    by_remainder = sorted(range(len(values)), key=lambda number: percents[number] - exact[number])
    for number in by_remainder[: 100 - sum(percents)]:
        percents[number] += 1
    return percents


# The ranks ------------------------------------------------------------------------------------------------------------


def _rank_lines(view: RunView, width: int, height: int) -> list[Line]:
    """Return a heading and a line per rank; where they do not fit, several ranks per line, the slowest first.

    The slowest rank waits least. Without several ranks, or before they are measured, there are no lines.
    """
    ranks = view.ranks
    percents = [round(100 * share) for share in ranks.waiting_shares] if ranks is not None else []
    if ranks is None or not percents or height < 2:
        return []
    if len(percents) < height:
        hosts = [sanitize_line(host) if len(set(ranks.hosts)) > 1 else "" for host in ranks.hosts]
        rows = zip(percents, map(sanitize_line, ranks.devices), hosts, strict=False)
        heading = _row("rank", ("device".rjust(_VALUE_CELLS) + "waits".rjust(_PERCENT_CELLS), "label"))
        return [
            heading,
            *(
                _share_line(str(rank), device, percent, width, host)
                for rank, (percent, device, host) in enumerate(rows)
            ),
        ]
    per_line = max((width + _GAP_CELLS) // (_RANK_CELLS + _GAP_CELLS), 1)
    slowest = sorted(range(len(percents)), key=lambda rank: ranks.waiting_shares[rank])[: per_line * (height - 1)]
    is_all = len(slowest) == len(percents)
    title = "waits by rank" if is_all else f"{len(slowest)} of {len(percents)} ranks"
    lines: list[Line] = [(Span(shortened(f"{title}, slowest first", width), "label"),)]
    for start in range(0, len(slowest), per_line):
        line: Line = ()
        for rank in slowest[start : start + per_line]:
            number = f"{rank}".rjust((_GAP_CELLS if line else 0) + 2)
            line = (*line, Span(number, "label"), Span(f"{percents[rank]} %".rjust(_RANK_CELLS - 2), "value"))
        lines.append(line)
    return lines


# The load -------------------------------------------------------------------------------------------------------------


def _load_lines(
    view: RunView, reading: MachineReading | None, cost: Sequence[str], width: int, height: int
) -> list[Line]:
    """Return processor, memory, GPUs, screen, device and threads; only as many GPUs as fit beside the rest.

    Of a replay only the device: the journal has no load of the machine that trained. A load is measured between two
    readings: there are no cores in the first.
    """
    device = [] if view.started is None else sanitize_line(device_text(view)).split(", ")
    if view.is_replay:
        return [_value_line("device", device, width)]
    now, cores = reading, list[str]()
    memory, threads = list[str](), list[str]()
    if now is not None:
        if now.process_cores is not None or now.machine_cores is not None:
            cores = [_cores(now.process_cores), f"system {_cores(now.machine_cores)} of {now.num_cores}"]
        used_bytes = now.process_bytes
        is_small = used_bytes is not None and used_bytes < 9.995e8
        process = f"{(used_bytes or 0) / 1e6:.0f} MB" if is_small else _gigabytes(used_bytes, " GB")
        memory = [process, f"system {_gigabytes(now.used_bytes)}/{_gigabytes(now.total_bytes)} GB"]
        processes = "this process" if now.num_processes == 1 else f"{now.num_processes} processes"
        threads = [f"{now.num_threads} in {processes}"]
    before = [_value_line("CPU cores", cores, width), _value_line("memory", memory, width)]
    after = [_value_line("screen", cost, width), _value_line("device", device, width)]
    if now is None or now.num_threads is not None:
        after.append(_value_line("threads", threads, width))
    gpus = now.gpus if now is not None else ()
    room = max(height - len(before) - len(after), 0)
    shown = gpus if len(gpus) <= room else gpus[: max(room - 1, 0)]
    between = [_gpu_line(gpu, width) for gpu in shown]
    if num_left_out := len(gpus) - len(shown):
        between.append(_value_line("GPUs", [f"{num_left_out}{' more' if shown else ''}, in a larger window"], width))
    return [*before, *between, *after]


def _value_line(label: str, values: Sequence[str], width: int) -> Line:
    """Return the values that fit into a line, each whole; only the first is truncated."""
    width -= _LABEL_CELLS
    text = shortened(values[0], width) if values else ""
    for value in values[1:]:
        text = longer if cell_len(longer := f"{text}, {value}") <= width else text
    return _row(label, (text, "value"))


def _cores(cores: float | None) -> str:
    return UNKNOWN if cores is None else f"{cores:.1f}"


def _gigabytes(num_bytes: int | None, unit: str = "") -> str:
    return UNKNOWN if num_bytes is None else f"{num_bytes / 1e9:.{1 if num_bytes < 9.95e9 else 0}f}{unit}"


def _gpu_line(gpu: GpuReading, width: int) -> Line:
    """Return utilization, memory, power, temperature and name, as far as they are known and fit, each whole."""
    has_memory = gpu.used_bytes is not None and gpu.total_bytes is not None
    values = (
        "" if gpu.utilization is None else f"{100 * gpu.utilization:.0f} %".rjust(5),
        f"{_gigabytes(gpu.used_bytes)}/{_gigabytes(gpu.total_bytes)} GB" if has_memory else "",
        "" if gpu.power_watts is None else f"{gpu.power_watts:.0f} W",
        "" if gpu.temperature_celsius is None else f"{gpu.temperature_celsius} °C",
        sanitize_line(gpu.name),
    )
    entries = [Span(f"GPU {gpu.number}", "label"), *(Span(value, "value") for value in values if value)]
    return packed([(entry,) for entry in entries], width, _BETWEEN)[0]
