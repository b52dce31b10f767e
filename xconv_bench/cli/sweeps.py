"""Read the options that every sweep has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xconv_bench import parsing
from xconv_bench.cli import options
from xconv_bench.errors import UsageError, suggest
from xconv_bench.knobs import KNOBS

if TYPE_CHECKING:
    from xconv_bench.cli.given import SweepOptions
    from xconv_bench.experiments.sweep import Sweep
    from xconv_bench.launch import Launcher


def read_sweep(
    given: SweepOptions, devices: tuple[str, ...], recommended: str | None = None
) -> Sweep:
    """Return the values of each setting. Raises UsageError for what an option does not take.

    Where ``--probes`` alone chooses the schemes, ``recommended`` is one of them.
    """
    from xconv_bench.cli.schemes import check_dials, read_schemes
    from xconv_bench.experiments.sweep import Sweep
    from xconv_bench.methods import find_method

    methods = parsing.words("--method", given.method)
    for name in methods:
        find_method(name)
    knobs = {name: knob.values(given.knobs.get(name)) for name, knob in KNOBS.items()}
    knobs["scheme"] = read_schemes(given.asked, knobs["scheme"], recommended)
    check_dials(given.asked, methods, knobs)
    return Sweep(
        models=_models(given),
        methods=methods,
        knobs=knobs,
        batch_sizes=parsing.integers("--batch-size", given.batch_size, least=1),
        image_sizes=_image_sizes(given.image_size),
        dtypes=parsing.names("--dtype", given.dtype, options.DTYPES),
        devices=devices,
        seed=given.seed,
    )


def _image_sizes(given: Sequence[str] | None) -> tuple[int, ...]:
    return parsing.integers("--image-size", given, least=1) if given else ()


def _models(given: SweepOptions) -> tuple[str, ...]:
    names = parsing.words("--model", given.model)
    if given.frames is not None:
        names = tuple(f"{name}@{given.frames}" for name in names)
    if given.inputs is None and given.loss is None:
        return names
    from xconv_bench.models.own_data import named

    return tuple(named(name, inputs=given.inputs, loss=given.loss) for name in names)


def read_devices(given: Sequence[str] | None) -> tuple[str, ...]:
    """Return the devices that were given, or the GPU where there is one."""
    if given:
        return parsing.words("--device", given)
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu",)


def read_launcher(given: SweepOptions) -> Launcher:
    """Return what runs measurements. Raises UsageError for what an option does not take."""
    from xconv_bench.models.own_data import is_here

    launcher = _launcher(given)
    here = [name for name in (given.inputs, given.loss) if name and is_here(name)]
    if not given.things and not here:
        return launcher
    from xconv_bench.launch.handing import handing

    return handing(launcher, given.things, here)


def _launcher(given: SweepOptions) -> Launcher:
    from xconv_bench.launch.side_by_side import SideBySide

    name = given.launcher or "local"
    if name not in options.LAUNCHERS:
        raise UsageError(f"--launcher {name!r} is unknown: {suggest(name, options.LAUNCHERS)}")
    if name == "ray":
        from xconv_bench.launch.cluster import Cluster

        if given.jobs is not None:
            raise UsageError("--jobs counts jobs on this machine: leave it out with --launcher ray")
        return Cluster(given.timeout, given.address)
    if given.address is not None:
        raise UsageError("--address belongs to a cluster: it needs --launcher ray")
    return SideBySide(given.timeout, given.jobs or 1)
