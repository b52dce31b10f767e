"""Swap probed layers into a model, and back.

A module is swapped by giving it another class: parameters, buffers, hooks, training mode, device
and dtype stay the objects that they were, and so does everything that refers to the module.
"""

from collections.abc import Callable, Collection, Iterator

from torch import nn
from torch.nn.utils import parametrize

from xconv import modules
from xconv.probing import Probing
from xconv.saved.relu import BitReLU

CONVOLUTIONS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: modules.XConv1d,
    nn.Conv2d: modules.XConv2d,
    nn.Conv3d: modules.XConv3d,
    nn.ConvTranspose1d: modules.XConvTranspose1d,
    nn.ConvTranspose2d: modules.XConvTranspose2d,
    nn.ConvTranspose3d: modules.XConvTranspose3d,
}
FAMILIES: dict[str, dict[type[nn.Module], type[nn.Module]]] = {
    "conv": CONVOLUTIONS,
    "relu": {nn.ReLU: BitReLU},
}
"""What ``compress`` may name, and what each name swaps: torch's class by ours."""

MARK = "_xconv_mark"
"""Attribute that ``convert`` leaves on a module: ``SWAPPED``, or why the module was left alone."""
SWAPPED = "swapped"

Skip = Collection[str] | Callable[[str, nn.Module], bool]


def convert(
    model: nn.Module,
    probes: int = 8,
    scheme: str = "independent",
    compress: Collection[str] = ("conv", "relu"),
    skip: Skip = (),
    distribution: str = "rademacher",
    first: bool = True,
) -> nn.Module:
    """Swap memory-saving layers into ``model``, in place, and return it.

    Args:
        model: any module; one that was converted before is converted anew with these arguments.
        probes: probes of each convolution; 0 leaves convolutions exact.
        scheme: ``"independent"``, ``"multi"`` or ``"orthogonal"``.
        compress: which families to swap, of ``"conv"`` and ``"relu"``.
        skip: what to leave alone: names of modules as in ``model.named_modules()`` (a container's
            name stands for all in it), or a predicate of name and module.
        distribution: ``"rademacher"`` or ``"gaussian"``.
        first: False leaves the first convolution exact, as the paper's experiments do.

    Subclasses, parametrized weights and lazy modules are left alone: ``account`` lists them.
    Raises ValueError or TypeError for values not listed here, and for names not in the model.
    """
    probing = Probing(probes, scheme, distribution)
    unknown = [name for name in compress if name not in FAMILIES]
    if isinstance(compress, str) or unknown:
        given = compress if isinstance(compress, str) else unknown[0]
        raise ValueError(
            f"cannot compress {given!r}; compress takes a list of {', '.join(FAMILIES)}"
        )
    skipped = _predicate(model, skip)
    revert(model)
    exact_first = None if first else next((m for _, m in _convolutions(model)), None)
    for name, module in list(model.named_modules()):
        target = next(
            (FAMILIES[f][type(module)] for f in compress if type(module) in FAMILIES[f]), None
        )
        if target is None:
            continue
        if module is exact_first:
            setattr(module, MARK, "first layer, left exact on request")
        elif skipped(name, module):
            setattr(module, MARK, "skipped on request")
        elif why_not(module) is None:
            module.__class__ = target
            setattr(module, MARK, SWAPPED)
            if target in CONVOLUTIONS.values():
                module.set_probing(probing.probes, scheme, distribution)
    return model


def revert(model: nn.Module) -> nn.Module:
    """Undo ``convert``, in place: torch's own classes again, nothing added to any module.

    Layers that were built as probed layers stay what they are.
    """
    originals = {ours: theirs for family in FAMILIES.values() for theirs, ours in family.items()}
    for module in model.modules():
        if vars(module).pop(MARK, None) == SWAPPED:
            module.__class__ = originals[type(module)]
            for attribute in ("probes", "scheme", "distribution", "falls_back"):
                vars(module).pop(attribute, None)
    return model


def why_not(module: nn.Module) -> str | None:
    """Why a convolution or ReLU cannot be swapped, or None where it can."""
    base = next(
        (base for family in FAMILIES.values() for base in family if isinstance(module, base)), None
    )
    if base is None:
        return None
    if parametrize.is_parametrized(module) or "weight" in vars(module):
        return "parametrized weight"
    if isinstance(module, nn.modules.lazy.LazyModuleMixin):
        return "lazy module; run it once before converting"
    if type(module) is not base:
        return f"unsupported subclass {type(module).__name__} of {base.__name__}"
    return None


def _convolutions(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    bases = tuple(CONVOLUTIONS)
    return ((name, module) for name, module in model.named_modules() if isinstance(module, bases))


def _predicate(model: nn.Module, skip: Skip) -> Callable[[str, nn.Module], bool]:
    """``skip`` as a predicate; ValueError for a name that the model does not have."""
    if callable(skip):
        return skip
    names = {skip} if isinstance(skip, str) else set(skip)
    known = {name for name, _ in model.named_modules(remove_duplicate=False)}
    if missing := sorted(names - known):
        raise ValueError(f"skip names {missing[0]!r}, but the model has no module of that name")
    return lambda name, _: any(name == n or name.startswith(f"{n}.") for n in names)
