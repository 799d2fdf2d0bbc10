"""`tweetgen-tui doctor`, for bug reports: versions, devices, folders, terminal; `bench`: the speed of this machine.

`doctor --gpu` runs the checks of `engine.training.gpu_check`, each printed as it ends, or all as JSON.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.config.corpus import CorpusConfig
from engine.config.run import Device, RuntimeConfig
from engine.errors import DeviceError, StorageError
from engine.session.startup import preflight
from engine.storage import folders
from engine.storage.log import versions_of
from engine.text import sanitize_line
from tui.cli.options import DEVICE, AsJson, GivenOptions, fields_of, with_options
from tui.cli.output import print_facts, print_json, print_table, report, show_progress
from tui.terminal.capabilities import colour_system, glyphs_for, is_over_ssh, is_utf8, multiplexer

if TYPE_CHECKING:  # it imports torch
    from engine.compute.device import Runtime
    from engine.sampling.bench import BenchReport
    from engine.training.gpu_check.checks import CheckResult, Checks

_PACKAGES = (
    *("tweetgen-tui", "torch", "textual", "rich", "typer", "numpy", "safetensors", "msgspec", "httpx", "numba"),
    *("libipld", "nvidia-ml-py", "onnx", "pyarrow", "textual-serve", "tensorboard"),
)
"""The packages whose versions matter in a bug report; the second row are those of the extras."""
_TORCHRUN_VARIABLES = (
    *("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"),
    *("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS"),
    *("CUDA_VISIBLE_DEVICES", "NCCL_SOCKET_IFNAME", "NCCL_IB_DISABLE", "NCCL_DEBUG", "GLOO_SOCKET_IFNAME"),
    *("OMP_NUM_THREADS", "TWEETGEN_RANK_TIMEOUT"),
)
"""What torchrun sets for each process, and what often explains a slow or failing connection."""
_LABELS = {
    "cuda": "CUDA devices",
    "gpu_problem": "problem with CUDA",
    "bfloat16": "bfloat16 on the CPU",
    "gpu_bfloat16": "bfloat16 on the GPU",
    "driver": "NVIDIA driver",
    "cuda_version": "CUDA version of torch",
    "cudnn_version": "cuDNN version",
    "gpus": "number of GPUs",
    "nccl_version": "NCCL version",
    "nvml": "GPU load and temperature (NVML)",
    "nvml_problem": "problem with NVML",
    "free_gigabytes": "free space",
    "cache_megabytes": "cache size",
    "is_terminal": "stderr is a terminal",
    "glyphs_chosen": "glyphs set in config.toml",
}
"""Display names of facts, by JSON name; others are shown under theirs."""
_UNITS = {"free_gigabytes": " GB", "cache_megabytes": " MB"}


def doctor(
    *,
    gpu: Annotated[
        bool,
        typer.Option(
            "--gpu", help="Check that the GPU learns what the CPU learns: one line per check, exit code 1 if one fails."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print versions, devices, folders and terminal capabilities; or check the GPU.

    With --gpu, a small training on the GPU is compared with the same on the CPU, recorded steps with eager ones;
    memory, failures and two processes are checked, too. That takes a minute or two. With --json, all facts and all
    numbers of the checks are one object, for a bug report.

    Examples:
    tweetgen-tui doctor --gpu
    tweetgen-tui doctor --gpu --json > gpu.json
    """
    if gpu:
        _check_gpu(as_json=as_json)
        return
    facts_of = _facts()
    if as_json:
        print_json(facts_of)
        return
    for number, (heading, facts) in enumerate(facts_of.items()):
        sys.stdout.write(("\n" if number else "") + heading + "\n")
        print_facts(
            (f"  {_LABELS.get(name, name.replace('_', ' '))}", _shown(value) + _UNITS.get(name, ""))
            for name, value in facts.items()
        )


def _facts() -> dict[str, dict[str, Any]]:
    """Return all facts by heading."""
    return {
        "versions": installed_versions(),
        "machine": _machine(),
        "distributed": _distributed(),
        "folders": _folders(),
        "terminal": _terminal(),
    }


def installed_versions() -> dict[str, str]:
    """Return the versions of Python and `_PACKAGES`, by name. Imports none of them."""
    return versions_of(*_PACKAGES)


def system() -> str:
    """Return operating system, its release and the processor's architecture, as in "Linux 6.12.0 (x86_64)"."""
    return f"{platform.system()} {platform.release()} ({platform.machine()})"


def _machine() -> dict[str, Any]:
    """Return the devices, and what a run would use; a GPU that can't be used is a fact like others."""
    import torch

    from engine.compute.device import Runtime, available_cores, cpu_has_bfloat16, cudnn_version, gpu_problem
    from engine.training.tuning import thread_counts

    driver, nvml_problem = _nvidia_driver()
    problem = gpu_problem()
    is_usable = not problem and torch.cuda.is_available()
    return {
        "system": system(),
        "cores": available_cores(),
        "device": str(Runtime.resolve(RuntimeConfig()).device),
        "threads_to_try": thread_counts(available_cores()),
        "bfloat16": cpu_has_bfloat16(),
        "cuda": [_gpu(number) for number in range(torch.cuda.device_count())],
        "gpu_problem": f"a GPU is there, but torch can't use it: {problem}" if problem else "",
        "gpu_bfloat16": is_usable and torch.cuda.is_bf16_supported(including_emulation=False),
        "driver": driver,
        "cuda_version": torch.version.cuda or "",
        "cudnn_version": str(cudnn_version()) if is_usable else "",
        "nvml": not nvml_problem,
        "nvml_problem": nvml_problem,
        "mps": torch.backends.mps.is_available(),
    }


def _gpu(number: int) -> str:
    """Return name and compute capability of a GPU, or why torch can't use it."""
    import torch

    try:
        major, minor = torch.cuda.get_device_capability(number)
        return f"{torch.cuda.get_device_name(number)}, capability {major}.{minor}"
    except (RuntimeError, AssertionError) as error:
        return str(error).partition("\n")[0]


def _distributed() -> dict[str, Any]:
    """Return what several processes could train with, and torchrun's variables where they are set."""
    import torch
    from torch import distributed

    has_nccl = distributed.is_nccl_available()
    version = torch.cuda.nccl.version() if has_nccl else ()  # type: ignore[no-untyped-call] # torch (2.13) has no types for it
    return {
        "gpus": torch.cuda.device_count(),
        "gloo": distributed.is_gloo_available(),
        "nccl": has_nccl,
        "nccl_version": ".".join(map(str, version)),
        "environment": {name: os.environ[name] for name in _TORCHRUN_VARIABLES if name in os.environ},
    }


def _nvidia_driver() -> tuple[str, str]:
    """Return the version of NVIDIA's driver, and why NVML, which reports it and each GPU's load, is not available."""
    try:
        import pynvml
    except ImportError:
        return "", "nvidia-ml-py is not installed"
    try:
        pynvml.nvmlInit()
        driver = str(pynvml.nvmlSystemGetDriverVersion())
        pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        return "", sanitize_line(str(error))
    return driver, ""


def _folders() -> dict[str, Any]:
    """Return the data and cache folders, and whether they are writable."""
    try:
        preflight.check_storage()
        problem = ""
    except StorageError as error:
        problem = error.message
    free = shutil.disk_usage(folders.home()).free if folders.home().exists() else 0
    return {
        "data": str(folders.home()),
        "writable": not problem,
        "problem": problem,
        "free_gigabytes": round(free / 1e9, 1),
        "runs": len(folders.list_runs()),
        "cache": str(folders.cache_folder()),
        "cache_megabytes": round(_bytes_below(folders.cache_folder()) / 1e6, 1),
    }


def _bytes_below(folder: Path) -> int:
    """Return the size of all files below a folder; a file deleted meanwhile counts 0."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def _terminal() -> dict[str, Any]:
    """Return the terminal's capabilities, and how the screen would draw on it."""
    from tui.settings.preferences import AUTO, preferences_path, read_preferences

    size = shutil.get_terminal_size()
    preferences = read_preferences(preferences_path())[0]
    encoding = sys.stderr.encoding
    return {
        "term": os.environ.get("TERM", ""),
        "columns": size.columns,
        "rows": size.lines,
        "is_terminal": sys.stderr.isatty(),
        "colours": colour_system(os.environ),
        "encoding": encoding,
        "utf8": is_utf8(os.environ, encoding),
        "glyphs": preferences.glyphs_on(glyphs_for(os.environ, encoding)),
        "glyphs_chosen": preferences.glyphs != AUTO,
        "multiplexer": multiplexer(os.environ),
        "ssh": is_over_ssh(os.environ),
    }


def _shown(value: Any) -> str:  # noqa: ANN401 - a JSON value
    """Return a value as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        value = [f"{name}={each}" for name, each in value.items()]
    return (", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)) or "-"


# The speed ------------------------------------------------------------------------------------------------------------


def _check_gpu(*, as_json: bool) -> None:
    """Check the GPU of this machine; exit with 1 if a check fails. Raises `DeviceError` without a usable GPU."""
    from engine.training.gpu_check.checks import CheckResult, run_check

    runtime = _applied_runtime()
    facts = _facts()
    checks, results = _checks(runtime, facts["machine"]["driver"]), list[CheckResult]()
    with show_progress() if as_json else contextlib.nullcontext(lambda _share, _doing: None) as on_progress:
        for number, (name, check) in enumerate(checks.items()):
            on_progress(number / len(checks), f"checking {name}")
            results.append(run_check(name, check, runtime.device))
            if not as_json:
                _print_check(results[-1], max(map(len, checks)))
    if as_json:
        print_json({**facts, "checks": results})
    failed = [each.name for each in results if each.result == "FAIL"]
    if failed:
        report(f"{len(failed)} of {len(results)} checks failed: {', '.join(failed)}")
        if not as_json:
            report("For a bug report: tweetgen-tui doctor --gpu --json")
        raise typer.Exit(1)


def _applied_runtime() -> Runtime:
    """Return the runtime of the GPU; from now on the process uses deterministic kernels.

    Nothing may start CUDA before: its libraries read the size of their workspace as they start.
    """
    from engine.compute.device import Runtime, is_available

    device: Device = "mps" if is_available("mps") else "cuda"
    try:
        runtime = Runtime.resolve(RuntimeConfig(device=device, precision="float32", deterministic=True))
    except DeviceError as error:
        raise DeviceError(error.message, "tweetgen-tui doctor shows what this machine has.") from error
    runtime.apply()
    return runtime


def _checks(runtime: Runtime, driver: str) -> Checks:
    """Return the checks on the embedded tweets."""
    from engine.corpus.training_data import DEFAULT_MIN_CHAR_COUNT, load_training_data
    from engine.session.ranks.check import SharedTraining, check_two_ranks, device_type_for_two_ranks
    from engine.training.gpu_check.checks import checks_of
    from engine.training.gpu_check.gpu import CheckedGpu
    from engine.training.gpu_check.trial import GpuTrial

    data = load_training_data(CorpusConfig(min_char_count=DEFAULT_MIN_CHAR_COUNT), None, lambda _: None)
    tweets, vocab_size = data.train_tweets, len(data.vocab)
    shared = SharedTraining(tweets=tweets, vocab_size=vocab_size, device_type=device_type_for_two_ranks())
    trial = GpuTrial(CheckedGpu(runtime.device, driver), tweets, vocab_size)
    return checks_of(trial, partial(check_two_ranks, shared))


def _print_check(result: CheckResult, width: int) -> None:
    """Print a line, as soon as it is known."""
    line = f"{result.result}  {result.name:<{width}}  {sanitize_line(result.figure)}  ({result.seconds:.1f} s)"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@with_options(DEVICE)
def bench(
    given: GivenOptions,
    *,
    seconds: Annotated[
        float,
        typer.Option(metavar="X", min=1, help="Time to measure for; shapes for which none is left are not measured."),
    ] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Measure the speed of training and sampling beside the tutorial's loop.

    Models of three shapes run short turns on the same batches, on a CPU with one thread and with all cores. Figures are
    medians over the rounds, and the spread is their interquartile range.

    Examples:
    tweetgen-tui bench --seconds 120
    """
    from engine.compute.device import Runtime
    from engine.sampling.bench import Benchmark

    device = Runtime.resolve(RuntimeConfig(**fields_of(RuntimeConfig, given))).device
    report(f"measuring on {device.type} for about {seconds:g} s")
    with show_progress() as on_progress:
        benchmark = Benchmark(device, seconds, on_progress)
        figures = benchmark.run()
    if benchmark.skipped_shapes:
        shapes = ", ".join(str(tuple(shape)) for shape in benchmark.skipped_shapes)
        report(f"not measured for lack of time (embedding, hidden, batch): {shapes}; increase --seconds")
    if as_json:
        print_json(figures)
    else:
        _print_figures(figures)


def _print_figures(bench_report: BenchReport) -> None:
    """Print the machine, and a table of all figures."""
    print_facts((name.replace("_", " "), str(value)) for name, value in bench_report.machine.items() if value)
    sys.stdout.write("\n")
    has_graphs = any(row.num_graphs is not None for row in bench_report.train)
    rows = (
        (
            work,
            f"{row.embedding_size}, {row.hidden_size}",
            str(row.batch_size),
            row.path.replace("ours", "tweetgen-tui"),
            str(row.num_threads),
            f"{round(row.chars_per_second):,}",
            f"{row.ratio_to_tutorial:.2f} x",
            f"{100 * row.spread:.0f} %",
            *(["" if row.num_graphs is None else str(row.num_graphs)] if has_graphs else []),
        )
        for work, figures in (("train", bench_report.train), ("sample", bench_report.sample))
        for row in figures
    )
    headings = ("", "embedding, hidden", "batch", "", "threads", "chars/s", "vs. tutorial", "spread")
    print_table((*headings, "CUDA graphs") if has_graphs else headings, rows)
