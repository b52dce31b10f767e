"""Settings that a module may take, and the plans with which these are measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import nn

from xconv.contents import named_modules
from xconv.conversion import family_of, why_not
from xconv.plan import Plan, Setting
from xconv.saved.function_table import REACHED

CANDIDATES: dict[str, tuple[Setting, ...]] = {
    "conv": (
        *(Setting(scheme="spectral", bits=bits) for bits in (0.0625, 0.125, 0.25, 0.5, 1, 2, 4)),
        *(Setting(scheme="quantized", bits=bits) for bits in (1, 2, 4, 8)),
    ),
    "linear": tuple(Setting(scheme="quantized", bits=bits) for bits in (1, 2, 4, 8)),
    "norm": tuple(Setting(norm_bits=bits) for bits in (1, 2, 4, 8)),
    "act": tuple(Setting(act_bits=bits) for bits in (4, 8)),
}
"""Settings by family, beside the exact module.

Modules of other families lose nothing when they are swapped, so they always are.
"""

SPREADING = ("norm", "act")
"""Families whose noise spreads to the gradients of the layers before them."""

EXACT_FUNCTIONS = tuple(name for name in REACHED if name not in SPREADING)


def planned_modules(model: nn.Module) -> dict[str, str]:
    """Return the family of each of torch's modules in ``model`` that can be swapped, by name."""
    families = ((name, module, family_of(module)) for name, module in named_modules(model))
    return {name: f for name, module, f in families if f is not None and why_not(module) is None}


def base_plan(modules: Mapping[str, str], functions: Iterable[str] = EXACT_FUNCTIONS) -> Plan:
    """Return the plan that swaps only modules whose gradients stay exact."""
    free = (name for name, family in modules.items() if family not in CANDIDATES)
    return Plan({name: Setting(swapped=True) for name in free}, tuple(functions))


def with_settings(plan: Plan, settings: Mapping[str, Setting | None]) -> Plan:
    """Return ``plan`` with other ``settings`` for some modules; None makes a module exact."""
    more = {name: setting for name, setting in settings.items() if setting is not None}
    return Plan({**plan.layers, **more}, plan.functions, plan.function_bits)
