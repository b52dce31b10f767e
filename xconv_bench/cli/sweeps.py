"""The options that every sweep has, read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xconv_bench.cli import options, parsing
from xconv_bench.configuration import SIMULATED
from xconv_bench.errors import BenchError, UsageError

if TYPE_CHECKING:
    from xconv_bench.cli.given import SweepOptions
    from xconv_bench.experiments.sweep import Sweep
    from xconv_bench.launch import Launcher


def read_sweep(
    given: SweepOptions, devices: tuple[str, ...], recommended: str | None = None
) -> Sweep:
    """Values of each setting. Raises UsageError for what an option does not take.

    A ``recommended`` scheme is there beside those that ``--probes`` alone means.
    """
    from xconv.conversion import ALLOT, FAMILIES, FIRST
    from xconv.grouped import BITS
    from xconv.random import DISTRIBUTIONS
    from xconv_bench.cli.schemes import read_bits, read_schemes
    from xconv_bench.experiments.sweep import Sweep
    from xconv_bench.methods import find_method
    from xconv_bench.plans import label_of

    sizes, segments = given.image_size, given.segments
    methods = parsing.words("--method", given.method)
    for name in methods:
        find_method(name)
    schemes = read_schemes(given, methods, recommended)
    return Sweep(
        models=_models(given.model, given.frames),
        methods=methods,
        schemes=schemes,
        probes=parsing.integers("--probes", given.probes, least=0),
        distributions=parsing.names("--distribution", given.distribution, DISTRIBUTIONS),
        compress=parsing.families("--compress", given.compress, FAMILIES),
        first=parsing.names("--first", given.first, FIRST),
        allot=parsing.names("--allot", given.allot, ALLOT) if given.allot else (None,),
        segments=parsing.integers("--segments", segments, least=1) if segments else (None,),
        keep=parsing.fractions("--keep", given.keep),
        bits=read_bits(given, methods, schemes),
        norm_bits=tuple(
            map(int, parsing.names("--norm-bits", given.norm_bits, [str(bits) for bits in BITS]))
        ),
        plans=tuple(map(label_of, parsing.words("--plan", given.plan))) if given.plan else (None,),
        budgets=parsing.fractions("--budget", given.budget),
        batch_sizes=parsing.integers("--batch-size", given.batch_size, least=1),
        image_sizes=parsing.integers("--image-size", sizes, least=1) if sizes else (),
        dtypes=parsing.names("--dtype", given.dtype, options.DTYPES),
        devices=devices,
        seed=given.seed,
    )


def _models(given: Sequence[str], frames: int | None) -> tuple[str, ...]:
    names = parsing.words("--model", given)
    return names if frames is None else tuple(f"{name}@{frames}" for name in names)


def read_devices(given: Sequence[str] | None) -> tuple[str, ...]:
    """The devices that were given, or the GPU where there is one."""
    if given:
        return parsing.words("--device", given)
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu",)


def designed_sizes(sweep: Sweep, launcher: Launcher, computes: bool = False) -> dict[str, int]:
    """Each model's own image size; an error for a model or device that does not exist.

    ``computes`` says that simulating is not enough.
    """
    from xconv_bench.measurement.survey import Survey

    outcome = launcher.run(
        Survey(sweep.models, sweep.devices, sweep.image_sizes, computes),
        device=neediest(sweep.devices),
    )
    if outcome.status != "ok":
        raise BenchError(outcome.message)
    sizes: dict[str, int] = outcome.readings["designed_sizes"]
    return sizes


def neediest(devices: Sequence[str]) -> str:
    """The device that a machine needs to have to look at all of them."""
    return next((device for device in devices if device.startswith("cuda")), SIMULATED)


def read_launcher(given: SweepOptions) -> Launcher:
    """What carries out measurements. Raises UsageError for what an option does not take."""
    from xconv_bench.launch.side_by_side import SideBySide

    name = given.launcher or "local"
    if name not in options.LAUNCHERS:
        choice = ", ".join(options.LAUNCHERS)
        raise UsageError(f"--launcher {name!r} is unknown: choose from {choice}")
    if name == "ray":
        from xconv_bench.launch.cluster import Cluster

        if given.jobs is not None:
            raise UsageError("--jobs is of this machine: leave it out with --launcher ray")
        return Cluster(given.timeout, given.address)
    if given.address is not None:
        raise UsageError("--address is of a cluster: it needs --launcher ray")
    return SideBySide(given.timeout, given.jobs or 1)
