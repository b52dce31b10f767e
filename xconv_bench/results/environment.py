"""The record of what a run was made with: ``environment.json``."""

import json
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from xconv_bench import __version__, interrupts
from xconv_bench.errors import BenchError
from xconv_bench.results.files import explained, write_whole
from xconv_bench.results.gpus import read_graphics
from xconv_bench.results.source import read_source

_PACKAGES = (
    *("torchvision", "timm", "segmentation-models-pytorch", "monai", "transformers", "diffusers"),
    *("pandas", "matplotlib", "nvidia-ml-py"),
)


def record_environment(path: Path, seed: int) -> None:
    """Write what this process runs with to ``path``; CUDA is not started for it.

    Where a record exists, it stays, and this one is appended to its list ``continued``. Raises
    BenchError where ``path`` cannot be used or holds something else.
    """
    record = describe_environment(seed)
    interrupts.check()  # it may have kept something from being found out
    with explained(path):
        first = _read(path)
        if first is None:
            first = record
        else:
            first.setdefault("continued", []).append(record)
        write_whole(path, (json.dumps(first, indent=2) + "\n").encode())


def describe_environment(seed: int) -> dict[str, Any]:
    """Return the record; None stands for what this machine does not have or tell."""
    return {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": _command(),
        "seed": seed,
        **describe_machine(),
    }


def record_machines(path: Path, machines: Sequence[dict[str, Any]]) -> None:
    """Add the other machines that measured something to the record at ``path``, as ``machines``.

    Raises BenchError where ``path`` cannot be used or holds something else.
    """
    if not machines:
        return
    with explained(path):
        record = _read(path) or {}
        known = record.setdefault("machines", [])
        known += [machine for machine in machines if machine not in known]
        write_whole(path, (json.dumps(record, indent=2) + "\n").encode())


def describe_machine() -> dict[str, Any]:
    """Describe the machine of this process, and what runs on it; None for what it does not tell."""
    import torch

    from xconv.native.library import describe_use

    return {
        "xconv_bench": __version__,
        "source": read_source(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": {
            "model": _cpu_model(),
            "cores": os.cpu_count(),
            "torch_threads": torch.get_num_threads(),
        },
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "torch": torch.__version__,
        "kernels_in_c": describe_use(),
        "cuda": torch.version.cuda,
        "cudnn": _cudnn_version(),
        "cuda_visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
        **read_graphics(),
        "flags": _flags(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _flags() -> dict[str, bool | str]:
    """Return the switches of torch that change figures."""
    import torch

    cudnn: Any = torch.backends.cudnn
    products: Any = torch.backends.cuda.matmul
    # Newer versions of torch refuse to read the old flags once a new one has been set.
    if hasattr(products, "fp32_precision"):
        convolutions_tf32 = cudnn.conv.fp32_precision == "tf32"
        matmul_tf32 = products.fp32_precision == "tf32"
    else:
        convolutions_tf32 = cudnn.allow_tf32
        matmul_tf32 = products.allow_tf32
    if os.environ.get("NVIDIA_TF32_OVERRIDE") == "0":  # NVIDIA's libraries obey it, torch or not
        convolutions_tf32 = matmul_tf32 = False
    return {
        "cudnn_benchmark": cudnn.benchmark,
        "cudnn_deterministic": cudnn.deterministic,
        "convolutions_tf32": convolutions_tf32,
        "matmul_tf32": matmul_tf32,
        "default_dtype": str(torch.get_default_dtype()).removeprefix("torch."),
    }


def _cudnn_version() -> int | None:
    import torch

    try:
        return torch.backends.cudnn.version()
    except RuntimeError:  # another cuDNN than the one that torch was built with
        return None


def _command() -> str:
    """Return the command as given, without the folder of the program: it is of no use elsewhere."""
    name = Path(sys.argv[0]).name
    program = ["python", "-m", "xconv_bench"] if name == "__main__.py" else [name]
    return shlex.join([*program, *sys.argv[1:]])


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor() or None
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _read(path: Path) -> dict[str, Any] | None:
    """Return the record that exists; None where there is none."""
    try:
        record = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise _foreign(path) from error
    if not isinstance(record, dict) or not isinstance(record.get("continued", []), list):
        raise _foreign(path)
    return record


def _foreign(path: Path) -> BenchError:
    return BenchError(
        f"{path} is not a record of an environment; move it away or choose another --output"
    )
