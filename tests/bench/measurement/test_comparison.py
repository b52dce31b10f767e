"""Exact gradients and estimates of one network: what they share, and what they do not."""

from dataclasses import replace

import torch
from own_networks import TIED_SIDE, name
from torch import nn

from xconv.state import state_of
from xconv_bench.configuration import GradientConfiguration
from xconv_bench.data import Batch
from xconv_bench.data.sources import DataOptions
from xconv_bench.measurement.comparison import GradientComparison, Start

CELL = GradientConfiguration(
    name("tied"), "xconv", "independent", 2, "rademacher", "conv", "compressed",
    batch_size=4, image_size=TIED_SIDE, data="synthetic", samples=4,
)  # fmt: skip


def comparison(cell: GradientConfiguration = CELL) -> GradientComparison:
    compared = GradientComparison(cell, Start(DataOptions("synthetic", samples=4)))
    compared.learn([range(4)])
    return compared


def samples(compared: GradientComparison) -> Batch:
    return compared.samples.batch(range(4))


def test_a_gradient_does_not_depend_on_what_was_computed_before() -> None:
    """The vectors of spectral normalisation move with every forward pass."""
    compared = comparison()
    batch = samples(compared)
    first = compared.exact(batch, 0)["0"].clone()
    compared.saved_bytes(batch)
    estimates = [estimate["0"].clone() for estimate in compared.estimates(batch, 0, repeats=3)]
    assert compared.exact(batch, 0)["0"].equal(first)
    again = [estimate["0"].clone() for estimate in compared.estimates(batch, 0, repeats=3)]
    assert all(one.equal(other) for one, other in zip(estimates, again, strict=True))


def test_the_exact_method_is_the_exact_gradient_to_the_last_bit() -> None:
    compared = comparison(CELL.as_exact())
    batch = samples(compared)
    exact = compared.exact(batch, 0)["0"].clone()
    assert all(e["0"].equal(exact) for e in compared.estimates(batch, 0, repeats=2))


def test_dropout_differs_from_minibatch_to_minibatch_and_from_part_to_part() -> None:
    compared = comparison()
    batch = samples(compared)
    found = [compared.exact(batch, *where)["0"].clone() for where in ((0,), (1,), (0, 1))]
    assert len({tuple(gradient.flatten().tolist()) for gradient in found}) == 3


def test_seeds_and_numbers_of_probes_have_errors_of_their_own() -> None:
    """The first probes of r=4 are not those of r=2: their errors would depend on one another."""
    compared = comparison()
    batch = samples(compared)
    exact = compared.exact(batch, 0)["0"].clone()
    errors = [e["0"] - exact for e in compared.estimates(batch, 0, repeats=2)]
    more = comparison(replace(CELL, probes=4))
    errors += [e["0"] - exact for e in more.estimates(batch, 0, repeats=1)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        cosine = torch.cosine_similarity(errors[one].flatten(), errors[other].flatten(), dim=0)
        assert abs(float(cosine)) < 0.9


def test_modules_with_one_weight_are_one_layer() -> None:
    compared = comparison(CELL.as_exact())
    assert {layer: len(modules) for layer, modules in compared.layers().items()} == {"0": 2}
    saved = compared.saved_bytes(samples(compared))
    assert saved["0"] == 2 * 4 * 4 * 3 * TIED_SIDE**2  # both inputs, of 4 bytes a number
    assert saved["all"] > saved["0"]


def spectral_plans(model: nn.Module) -> list[bool]:
    """Return for each spectral layer whether it divides its bits by what it has seen."""
    states = [state_of(module) for module in model.modules()]
    return [s.member.plan is not None for s in states if s is not None and s.member is not None]


def test_a_step_that_is_not_counted_goes_before() -> None:
    """Estimates and saved bytes are those of training, where the plan of bits is no first guess."""
    cell = replace(
        CELL, model="paper/cifar", scheme="spectral", probes=None, bits=0.5,
        compress="conv", first="compressed", image_size=32, batch_size=4,
    )  # fmt: skip
    for use in (
        lambda c, batch: next(c.estimates(batch, 0, repeats=1)),
        lambda c, batch: c.saved_bytes(batch),
    ):
        compared = comparison(cell)
        batch = samples(compared)
        use(compared, batch)
        plans = spectral_plans(compared.model)
        assert plans and all(plans)
