"""Swap probed layers into a model, and back.

A module is swapped by giving it another class: parameters, buffers, hooks, training mode, device
and dtype stay the objects that they were, and so does everything that refers to the module.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from os import PathLike
from typing import Any

from torch import nn
from torch.nn.utils import parametrize

from xconv import contents, modules
from xconv.budget import Budget
from xconv.choices import check_word, nearest
from xconv.contents import named_modules
from xconv.derived import derive, runs_as, underived
from xconv.plan import Plan, Setting
from xconv.probing import Probing
from xconv.saved.act import ACTIVATIONS
from xconv.saved.dropout import DROPOUTS
from xconv.saved.function_table import REACHED
from xconv.saved.functions import Reaching, calls_functions
from xconv.saved.linear import XLinear, rows_probing
from xconv.saved.module import Saving
from xconv.saved.norm import ELSEWHERE, NORMALIZATIONS
from xconv.saved.normalizing import check_norm_bits
from xconv.saved.pool import POOLS
from xconv.saved.relu import BitReLU
from xconv.saved.slopes import BITS, check_bits
from xconv.state import (
    DEFAULT_NORM_BITS,
    SKIPPED,
    SWAPPED,
    State,
    new_state,
    set_state,
    state_of,
)

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
    "pool": POOLS,
    "act": ACTIVATIONS,
    "dropout": DROPOUTS,
    "norm": NORMALIZATIONS,
    "linear": {nn.Linear: XLinear},
    "functions": {},
}
"""Families that ``compress`` may name, with torch's class and ours for each that is swapped;
``"functions"`` are calls in forward passes."""

_KINDS = {theirs: ours for family in FAMILIES.values() for theirs, ours in family.items()}
_ORIGINALS = {ours: theirs for theirs, ours in _KINDS.items()}

ALL = "all"
"""Word for every family there is, which ``compress`` may be in place of names."""

ALLOT = ("network", "layer")
"""Values of ``allot``."""
FIRST = ("exact", "compressed")
"""Values of ``first``."""

Skip = Collection[str] | Callable[[str, nn.Module], bool]


def convert(
    model: nn.Module,
    probes: int | None = None,
    scheme: str = "",
    compress: Collection[str] | str = ("conv", "relu"),
    skip: Skip = (),
    distribution: str = "rademacher",
    first: str = "exact",
    bits: float | None = None,
    keep: float | None = None,
    shared: bool = False,
    allot: str | None = None,
    norm_bits: int = DEFAULT_NORM_BITS,
    act_bits: int = BITS[0],
    plan: Plan | str | PathLike[str] | None = None,
) -> nn.Module:
    """Swap memory-saving layers into ``model``, in place, and return it.

    Args:
        model: any module, on any device, of any floating-point dtype; one that was converted
            before is converted anew with these arguments.
        probes: probes of each convolution, for the schemes that probe; 0 leaves convolutions exact.
        scheme: how inputs of convolutions are kept, one of ``xconv.schemes.SCHEMES``. Without one,
            ``probes`` mean ``"independent"``, the paper's; ``keep`` means ``"sampling"``; nothing
            or ``bits`` mean ``"spectral"``, at one bit an element.
        compress: which families to swap, of ``FAMILIES``: ``"conv"``, ``"relu"``, ``"pool"``,
            ``"act"``, ``"dropout"``, ``"norm"``, ``"linear"``; ``"functions"`` reaches calls of
            functions, such as ``torch.nn.functional.relu``, of those families that are swapped as
            well; or ``"all"``, a word and not a list, for every one of them.
        skip: what to leave alone: names of modules as in ``model.named_modules()`` (a container's
            name stands for all in it), or a predicate of name and module.
        distribution: ``"rademacher"`` or ``"gaussian"``.
        first: ``"exact"`` leaves the convolution or linear layer exact whose input is the batch
            itself: keeping what the training loop holds anyway costs nothing. It is the first in
            ``model.modules()``, if no module before it has parameters and its input needs no
            gradient. ``"compressed"`` treats it as all others.
        bits: bits an element of the input, for ``"spectral"`` and ``"quantized"``. Linear layers
            keep 1, 2, 4 or 8, at least as many, and 2 unless the scheme is ``"quantized"``.
        keep: share of the pixels that ``"sampling"`` keeps.
        allot: ``"network"``: the dial is an average over all layers, which get more or less of it
            by what they have been seen to need; ``"layer"``: each has as much. Without one,
            ``"network"`` for ``"spectral"`` and ``"layer"`` for the others.
        shared: independent probes as published, the same for all images of a batch and of all of
            the input; otherwise each image has its own, and means of channels are kept apart.
        norm_bits: bits an element of the normalised input that normalisations keep: 1, 2, 4 or 8.
        act_bits: bits of each slope that an activation of ``"act"`` keeps, 4 or 8; activations of
            two slopes, such as ``ReLU6``, keep one bit and are exact.
        plan: what each module keeps, as ``xconv.advise`` worked it out, or the path of its file, in
            place of all other arguments; modules that it does not name are exact.

    Returns:
        ``model`` itself. Its modules have other classes; parameters, buffers, hooks, ``state_dict``
        and training mode are those that it had. ``revert`` undoes it.

    Raises:
        ValueError: a value that is not listed here, a name in ``skip`` or ``plan`` that the model
            does not have, an argument beside a plan.
        TypeError: a value of another type; a model that is no module.
        OSError: the file of a plan cannot be read.

    Whatever is raised, the model is as it was. Subclasses with a forward pass of their own,
    parametrized weights, lazy modules and modules whose ``forward`` was replaced are left alone:
    ``account`` lists them. Revert before eager quantization, which does not know our classes.

    >>> import torch
    >>> from xconv import convert
    >>> convert(torch.nn.Sequential(torch.nn.ReLU()))[0]
    BitReLU()
    """
    if plan is not None:
        _refuse_beside_plan(locals())
        return _convert_as_planned(model, plan if isinstance(plan, Plan) else Plan.read(plan))
    probing = Probing(probes, scheme, distribution, bits, keep, shared)
    check_bits(act_bits)
    check_norm_bits(norm_bits)
    allot = allot or usual_allotment(probing.scheme)
    check_word("first", first, FIRST)
    check_word("allot", allot, ALLOT)
    targets = _targets(compress)
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module; got {model!r}")
    skips = _predicate(model, skip)
    with _all_or_nothing(model):
        revert(model)
        skipped = {m for name, m in named_modules(model, remove_duplicate=False) if skips(name, m)}
        first_one = _first_layer(model) if first == "exact" else None
        budget = Budget(probing) if allot == "network" else None
        for module in contents.modules(model):
            base = _base(module, targets)
            if base is None or isinstance(module, tuple(_ORIGINALS)):
                continue  # built as ours
            if module in skipped:
                set_state(module, State(mark=SKIPPED))
            elif why_not(module) is None:
                ours = ELSEWHERE.get(_name(type(module)), targets[base])
                _set_class(module, derive(ours, type(module)))
                state = _probed_state(module, probing, budget, module is first_one)
                bare = State(bits=act_bits, norm_bits=norm_bits, mark=SWAPPED)
                set_state(module, state or bare)
        families = FAMILIES if compress == ALL else compress
        if "functions" in families:
            _reach_functions(model, families, skipped, act_bits)
    return model


def _probed_state(
    module: nn.Module, probing: Probing, budget: Budget | None = None, is_first: bool = False
) -> State | None:
    """Return the state of a module of ours that keeps its input by a scheme, else None."""
    if isinstance(module, modules.Probed):
        return new_state(probing, SWAPPED, budget, is_first)
    if isinstance(module, XLinear):
        return State(rows_probing(probing), is_first=is_first, mark=SWAPPED)
    return None


def _refuse_beside_plan(given: Mapping[str, Any]) -> None:
    """Raise ValueError for an argument beside a plan, which says all."""
    for name, parameter in signature(convert).parameters.items():
        if name not in ("model", "plan") and given[name] != parameter.default:
            raise ValueError(f"a plan says what is kept: leave out {name}; got {given[name]!r}")


def _convert_as_planned(model: nn.Module, plan: Plan) -> nn.Module:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module; got {model!r}")
    with _all_or_nothing(model):
        revert(model)
        named = dict(named_modules(model, remove_duplicate=False))
        for name, setting in plan.layers.items():
            if name not in named:
                raise ValueError(f"the plan names {name!r}, but the model has no such module")
            try:
                _swap_as_planned(named[name], setting)
            except ValueError as error:
                raise ValueError(f"the plan's layer {name!r}: {error}") from None
        if plan.functions:
            _reach_functions(model, plan.functions, set(), plan.function_bits)
    return model


def _swap_as_planned(module: nn.Module, setting: Setting) -> None:
    """Swap one module; ValueError where that cannot be done."""
    family, base = family_of(module), _base(module, _KINDS)
    if family is None or base is None:
        raise ValueError(f"{type(module).__name__} belongs to none of {', '.join(FAMILIES)}")
    if isinstance(module, tuple(_ORIGINALS)):
        raise ValueError(f"it was built as {type(module).__name__}, and cannot be planned")
    reason = why_not(module)
    if reason is not None:
        raise ValueError(reason)
    setting.check(family)
    ours = ELSEWHERE.get(_name(type(module)), _KINDS[base])
    _set_class(module, derive(ours, type(module)))
    state = _probed_state(module, setting.probing) if setting.scheme is not None else None
    norm_bits = setting.norm_bits or DEFAULT_NORM_BITS
    bare = State(bits=setting.act_bits or BITS[0], norm_bits=norm_bits, mark=SWAPPED)
    set_state(module, state or bare)


def family_of(module: nn.Module) -> str | None:
    """Return the family that a module, one of torch's or ours, belongs to."""
    base = _base(module, _KINDS)
    return next((name for name, kinds in FAMILIES.items() if base in kinds), None)


def usual_allotment(scheme: str) -> str:
    """Return what ``allot`` is where it is not given."""
    return "network" if scheme == "spectral" else "layer"


def _reach_functions(
    model: nn.Module, compress: Collection[str], skipped: set[nn.Module], bits: int
) -> None:
    """Swap the functions that modules call in their forward passes.

    In modules of ``skipped`` no function is swapped, wherever they are called from.
    """
    families = tuple(name for name in REACHED if name in compress)
    kinds = {kind for name in families for kind in FAMILIES[name]}
    for module in contents.modules(model):
        is_skipped = module in skipped
        if calls_functions(module) or (is_skipped and _base(module, kinds) is not None):
            _set_class(module, derive(Reaching, type(module)))
            mark = SKIPPED if is_skipped else SWAPPED
            state = State(functions=() if is_skipped else families, bits=bits, mark=mark)
            set_state(module, state)


def revert(model: nn.Module) -> nn.Module:
    """Undo ``convert``, in place: torch's own classes again, nothing added to any module.

    Args:
        model: any module; one that was never converted stays as it is, and so do layers that were
            built as probed layers.

    Returns:
        ``model`` itself.

    >>> import torch
    >>> from xconv import convert, revert
    >>> revert(convert(torch.nn.Sequential(torch.nn.ReLU())))[0]
    ReLU()
    """
    for module in contents.modules(model):
        state = state_of(module)
        if state is None or not state.mark:
            continue
        _set_class(module, _original(type(module)))
        set_state(module, None)
    return model


@contextmanager
def _all_or_nothing(model: nn.Module) -> Iterator[None]:
    """Put class and state of every module back if anything is raised."""
    before = [(module, type(module), state_of(module)) for module in contents.modules(model)]
    try:
        yield
    except BaseException:
        for module, kind, state in before:
            _set_class(module, kind)
            set_state(module, state)
        raise


def _set_class(module: nn.Module, kind: type) -> None:
    """Set the class past ``__setattr__``, which a class may have overridden."""
    object.__setattr__(module, "__class__", kind)


def why_not(module: nn.Module) -> str | None:
    """Return why a module of one of the families cannot be swapped, or None where it can."""
    base = _base(module, _KINDS)
    if base is None:
        return None
    if parametrize.is_parametrized(module):
        return "parametrized weight"
    if "weight" in vars(module):
        return "weight computed by a hook, such as the old weight_norm, spectral_norm or pruning"
    if isinstance(module, nn.modules.linear.NonDynamicallyQuantizableLinear):
        return "its weight is read by MultiheadAttention, which does not call it"
    if isinstance(module, nn.modules.lazy.LazyModuleMixin):
        return "lazy module; run it once before converting"
    kind = underived(type(module)) or type(module)
    if not runs_as(kind, base) and _name(kind) not in ELSEWHERE:
        return f"unsupported subclass {kind.__name__} of {base.__name__}"
    if not {"forward", "_conv_forward"}.isdisjoint(vars(module)):
        return "its forward was replaced on this one module"
    ours = _KINDS[base]
    return ours._xconv_refuses(module) or None if issubclass(ours, Saving) else None


def _base(module: nn.Module, kinds: Collection[type[nn.Module]]) -> type[nn.Module] | None:
    """Return which of ``kinds`` the class of ``module`` is derived from, the nearest."""
    return next((kind for kind in type(module).__mro__ if kind in kinds), None)


def _name(kind: type) -> tuple[str, str]:
    """Return the module and the name of a class, which need not be imported."""
    return kind.__module__, kind.__qualname__


def _original(ours: type) -> type:
    """Return torch's class for one of ours, or for a class derived from ours.

    A module that is parametrized after it was converted has a class of its own, made for it alone.
    """
    if ours in _ORIGINALS:
        return _ORIGINALS[ours]
    if theirs := underived(ours):
        return theirs
    bases = tuple(_original(base) for base in ours.__bases__)
    if bases == ours.__bases__:
        return ours
    name = ours.__name__
    for old, new in zip(ours.__bases__, bases, strict=True):
        name = name.replace(old.__name__, new.__name__)
    own = {k: v for k, v in vars(ours).items() if k not in ("__dict__", "__weakref__")}
    return type(ours)(name, bases, own)


def _targets(compress: Collection[str] | str) -> dict[type[nn.Module], type[nn.Module]]:
    """Return the classes that ``compress`` swaps; ValueError for an unknown family."""
    names = FAMILIES if compress == ALL else compress
    is_list = isinstance(names, Collection) and not isinstance(names, str)
    unknown: list[Any] = [n for n in names if n not in FAMILIES] if is_list else [names]
    if unknown:
        near = nearest(unknown[0], [*FAMILIES, ALL])
        hint = f" did you mean {near!r}?" if near else ""
        raise ValueError(
            f"cannot compress {unknown[0]!r};{hint} compress takes a list of "
            f"{', '.join(FAMILIES)}, or {ALL!r} for every one"
        )
    return {theirs: ours for name in names for theirs, ours in FAMILIES[name].items()}


def _first_layer(model: nn.Module) -> nn.Module | None:
    """Return the first convolution or linear layer in the order of modules.

    Its input is taken to be the batch itself.
    """
    for module in contents.modules(model):
        if isinstance(module, (*CONVOLUTIONS, nn.Linear)):
            return module
        if any(parameter is not None for parameter in module._parameters.values()):
            return None
    return None


def _predicate(model: nn.Module, skip: Skip) -> Callable[[str, nn.Module], bool]:
    """Return ``skip`` as a predicate; ValueError for a name that the model does not have."""
    if callable(skip):
        return skip
    if not isinstance(skip, Collection):
        raise TypeError(f"skip must be names or a function of name and module; got {skip!r}")
    names = {skip} if isinstance(skip, str) else set(skip)
    known = {name for name, _ in named_modules(model, remove_duplicate=False)}
    if missing := sorted(names - known):
        raise ValueError(f"skip names {missing[0]!r}, but the model has no module of that name")
    return lambda name, _: any(name == n or name.startswith(f"{n}.") for n in names)
