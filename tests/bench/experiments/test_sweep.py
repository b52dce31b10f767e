"""A sweep multiplies what makes sense, and measures nothing twice."""

from xconv_bench.configuration import Configuration
from xconv_bench.experiments.sweep import Sweep

SIZES = {"a": 32, "b": 64}


def knobs(sweep: Sweep) -> list[tuple[object, ...]]:
    return [(c.method, c.scheme, c.probes, c.compress) for c in sweep.configurations(SIZES)]


def test_exact_stands_beside_every_variant_once() -> None:
    sweep = Sweep(("a",), knobs={"scheme": ("independent", "multi"), "probes": (8, 32)})
    assert knobs(sweep) == [
        ("exact", None, None, None),
        ("xconv", "independent", 8, "conv,relu"),
        ("xconv", "independent", 32, "conv,relu"),
        ("xconv", "multi", 8, "conv,relu"),
        ("xconv", "multi", 32, "conv,relu"),
    ]


def test_what_has_no_effect_is_not_multiplied() -> None:
    sweep = Sweep(
        ("a",),
        methods=("xconv",),
        knobs={
            "scheme": ("independent", "multi"),
            "probes": (0, 8),
            "compress": ("conv", "relu"),
        },
    )
    assert knobs(sweep) == [
        ("xconv", None, 0, "conv"),
        ("xconv", None, None, "relu"),
        ("xconv", "independent", 8, "conv"),
        ("xconv", "multi", 8, "conv"),
    ]


def test_what_is_compared_stands_together() -> None:
    sweep = Sweep(
        ("a", "b"), knobs={"scheme": ("multi",)}, batch_sizes=(1, 2), dtypes=("float32", "float64")
    )
    cells = sweep.configurations(SIZES)
    assert len(cells) == len(set(cells)) == 2 * 2 * 2 * 2
    assert [c.method for c in cells] == ["exact", "xconv"] * 8
    for exact, probed in zip(cells[::2], cells[1::2], strict=True):
        assert exact == probed.as_exact()
    assert [c.model for c in cells] == ["a"] * 8 + ["b"] * 8


def test_each_model_has_its_own_size_unless_it_is_told_another() -> None:
    own = Sweep(("a", "b"), methods=("exact",)).configurations(SIZES)
    assert [(c.model, c.image_size) for c in own] == [("a", 32), ("b", 64)]
    told = Sweep(("a", "b"), methods=("exact",), image_sizes=(8, 9)).configurations(SIZES)
    assert [(c.model, c.image_size) for c in told] == [("a", 8), ("a", 9), ("b", 8), ("b", 9)]


def test_every_distribution_for_every_method_that_probes() -> None:
    sweep = Sweep(("a",), knobs={"scheme": ("multi",), "distribution": ("rademacher", "gaussian")})
    cells = [(c.method, c.distribution) for c in sweep.configurations(SIZES)]
    assert cells == [("exact", None), ("xconv", "rademacher"), ("xconv", "gaussian")]


def test_the_smallest_sweep() -> None:
    (cell,) = Sweep(("a",), methods=("exact",)).configurations(SIZES)
    assert cell == Configuration("a", image_size=32)
