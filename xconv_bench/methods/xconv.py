"""Convolutions that keep a stand-in of their input, and one-bit ReLUs, from the package ``xconv``.

Methods of other papers that differ in what a convolution keeps are names for the same layer.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from torch import nn

from xconv import account, convert
from xconv.contents import named_modules
from xconv.conversion import FAMILIES, usual_allotment
from xconv.probing import DIALS
from xconv.saved.function_table import REACHED
from xconv.schemes import SCHEMES
from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.methods.base import Method
from xconv_bench.naming import model_words
from xconv_bench.plans import plan_of

CONVERTED_KNOBS = ("compress", "first", "allot", "norm_bits")
"""Knobs of every method of this kind, beside the dial of its scheme."""
_NAMES = {"conv": "convolution"}
"""One module of a family, where it is not called by the family's name."""
_ESTIMATED = ("conv", "linear")
"""Families whose inputs are kept by the scheme."""


class Converted(Method):
    """``xconv.convert`` with the scheme, its dial, the families, ``first`` and ``allot`` of a
    cell."""

    scheme: str | None = None
    """The scheme of this method; None where the configuration says which."""

    def settle(self, knobs: Mapping[str, Any]) -> dict[str, Any]:
        """Return nothing on convolutions and linear layers where none is swapped, nothing on
        normalisations likewise, and no dial of another scheme; nothing else beside a plan.

        The dial of the scheme has its default where it is None.
        """
        settled = dict(knobs)
        if settled.get("plan") is not None:
            return {**dict.fromkeys(settled), "plan": settled["plan"]}
        scheme = SCHEMES[self.scheme or settled["scheme"]]
        others = {dial for dial in DIALS if dial != scheme.dial}
        if scheme.dial != "probes":
            others.add("distribution")
        elif settled["probes"] == 0:
            others |= {"scheme", "distribution", "first", "allot"}
        elif settled["probes"] is None:
            settled["probes"] = scheme.default
        if scheme.dial != "probes" and settled[scheme.dial] is None:
            settled[scheme.dial] = scheme.default
        if settled["allot"] is None:
            settled["allot"] = usual_allotment(scheme.name)
        families = set(families_of(settled["compress"]))
        if families.isdisjoint(_ESTIMATED):
            others = set(settled) - {"compress", "norm_bits"}
        if "norm" not in families:
            others.add("norm_bits")
        return {name: None if name in others else value for name, value in settled.items()}

    def takes(self, knobs: Mapping[str, Any]) -> bool:
        """Return whether the dial of the scheme can have this value."""
        if knobs.get("plan") is not None:
            return True
        scheme = SCHEMES[self.scheme or knobs["scheme"]]
        return knobs[scheme.dial] is None or can_be(scheme.name, knobs[scheme.dial])

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """Return the model, converted in place; Unsupported where there is nothing to swap."""
        if configuration.plan is not None:
            return _as_planned(model, configuration.plan)
        compress, arguments = families_of(configuration.compress), self._arguments(configuration)
        if configuration.norm_bits is not None:
            arguments["norm_bits"] = configuration.norm_bits
        convert(model, compress=compress, **arguments)
        if not account(model).swapped:
            raise Unsupported(
                f"{model_words(configuration.model)} has no module that {self.name} can swap; "
                f"it compresses {' and '.join(compress)} modules"
            )
        return model

    def remark(self, model: nn.Module, configuration: Configuration) -> str:
        """Return which of the modules that were to be compressed are not, and why."""
        families = families_of(configuration.compress)
        reached = "functions" in families
        return "; ".join(
            words
            for family in families
            if FAMILIES[family] and (words := left_exact(model, family, reached))
        )

    def _arguments(self, configuration: Configuration) -> dict[str, Any]:
        """Return how ``convert`` is to keep inputs; without a dial nothing is estimated."""
        scheme = self.scheme or configuration.scheme
        dial = SCHEMES[scheme].dial if scheme else "probes"
        value = getattr(configuration, dial)
        if scheme is None or value is None:
            return {"probes": 0}
        arguments = {
            "scheme": scheme,
            dial: value,
            "distribution": configuration.distribution,
            "first": configuration.first,
            "allot": configuration.allot,
        }
        return {name: value for name, value in arguments.items() if value is not None}


class XConvMethod(Converted):
    """Any scheme."""

    name = "xconv"
    knobs = (
        "scheme", "probes", "distribution", "bits", "keep", *CONVERTED_KNOBS, "plan",
    )  # fmt: skip


def _as_planned(model: nn.Module, label: str) -> nn.Module:
    """Return the model as a plan says. Raises Unsupported where the plan is none for it."""
    try:
        return convert(model, plan=plan_of(label))
    except ValueError as error:
        raise Unsupported(str(error)) from error


def can_be(scheme: str, value: float) -> bool:
    """Return whether the dial of ``scheme`` can have this value."""
    try:
        SCHEMES[scheme].check(value)
    except (TypeError, ValueError):
        return False
    return True


def left_exact(model: nn.Module, family: str, reached: bool) -> str:
    """Return ``4 of 20 convolutions are exact: reason``.

    Return nothing where all are compressed, nor where there are none but functions are ``reached``.
    """
    kinds = tuple(FAMILIES[family])
    modules = dict(named_modules(model))
    entries = [entry for entry in account(model) if isinstance(modules[entry.name], kinds)]
    if not entries and reached and family in REACHED:
        return ""
    if not entries:
        return none_words(family)
    reasons = (entry.reason for entry in entries if not entry.swapped)
    return exact_words(Counter(reasons), len(entries), family)


def exact_words(reasons: Counter[str], found: int, family: str) -> str:
    """Return how many of the modules ``found`` in a family are exact, and why.

    Return nothing where there is no reason.

    >>> exact_words(Counter(["its weight is frozen"]), 6, "conv")
    '1 of 6 convolutions is exact: its weight is frozen'
    """
    if not reasons:
        return ""
    words = ", ".join(f"{count} × {reason}" for reason, count in reasons.most_common())
    if len(reasons) == 1:
        (words,) = reasons
    are = "is" if reasons.total() == 1 else "are"
    return f"{reasons.total()} of {found} {_modules(family, found)} {are} exact: {words}"


def none_words(family: str) -> str:
    """Return the remark on a network that has no module of a family."""
    seen = "need functions in --compress" if family in REACHED else "are not seen"
    return f"there are no {_modules(family)} (calls of functions {seen})"


def _modules(family: str, count: int = 0) -> str:
    """Return ``relu modules`` or ``relu module``."""
    return f"{_NAMES.get(family, f'{family} module')}{'s' * (count != 1)}"


def families_of(compress: str | None) -> list[str]:
    """Return the families that the knob ``compress`` names."""
    return compress.split(",") if compress else []
