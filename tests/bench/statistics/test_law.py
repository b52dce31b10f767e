"""The law of the variance: exact on exact laws, consistent with what was measured on others."""

from math import log, sqrt
from typing import Any

import numpy as np
import pytest
from variance_rows import Row, estimator, variance_row

from xconv_bench.results.schema import TABLES
from xconv_bench.statistics.law import fit, fit_laws


def measured(ratios: dict[int, float], **cells: Any) -> list[Row]:
    """Rows of one layer with these ratios at these probes; errors of 10 %."""
    return [
        variance_row(
            **estimator("multi", probes),
            estimator_variance=ratio * 0.5,
            estimator_variance_se=ratio * 0.05,
            variance_ratio=ratio,
        )
        | cells
        for probes, ratio in ratios.items()
    ]


def law(ratios: dict[int, float], target: float = 1.0) -> Row:
    (found,) = fit_laws(measured(ratios), target)
    return found


@pytest.mark.parametrize("power", [-1.0, -0.8, -1.3])
def test_an_exact_law_is_found(power: float) -> None:
    found = law({r: 30 * r**power for r in (2, 8, 32, 128)})
    assert found["exponent"] == pytest.approx(power)
    assert found["ratio_at_one_probe"] == pytest.approx(30)
    assert found["r_squared"] == pytest.approx(1)
    # Standard error of a slope: σ / √Σ(x - x̄)², with σ = 0.1.
    x = np.log([2, 8, 32, 128])
    assert found["exponent_se"] == pytest.approx(0.1 / sqrt(np.square(x - x.mean()).sum()))
    assert found["points"] == 4
    assert found["message"] == ""


@pytest.mark.parametrize(
    ("target", "smallest"), [(1.0, 64), (0.5, 128), (0.7, 92), (64.0, 1), (1000.0, 1)]
)
def test_the_answer_is_the_first_whole_number_that_keeps_the_target(
    target: float, smallest: int
) -> None:
    # 64 / r ≤ 0.7 from r = 91.4 on.
    assert law({r: 64 / r for r in (4, 16, 256)}, target)["smallest_probes"] == smallest


def test_weights_are_those_of_the_errors() -> None:
    probes, ratios, errors = (1.0, 4.0, 16.0), (8.0, 3.0, 0.4), (0.05, 0.2, 0.1)
    x, y = np.log(probes), np.log(ratios)
    design = np.stack([np.ones(3), x], 1) / np.array(errors)[:, None]
    (a, p), *_ = np.linalg.lstsq(design, y / np.array(errors), rcond=None)
    found = fit(probes, ratios, errors)
    assert (log(found.at_one), found.exponent) == (pytest.approx(a), pytest.approx(p))


def test_points_off_the_line_make_the_error_of_the_exponent_larger() -> None:
    probes, errors = (1.0, 4.0, 16.0, 64.0), (0.01,) * 4
    on_it = fit(probes, [8 / r for r in probes], errors)
    off_it = fit(probes, [8 / r * f for r, f in zip(probes, (2, 0.5, 2, 0.5), strict=True)], errors)
    assert on_it.exponent_se is not None and off_it.exponent_se is not None
    assert off_it.exponent_se > 10 * on_it.exponent_se


@pytest.mark.parametrize(
    ("ratios", "smallest"),
    [
        # The line through all crosses 1 elsewhere than the points do.
        ({4: 9.0, 16: 1.1, 64: 0.9}, range(17, 65)),
        ({4: 3.0, 16: 0.9, 64: 0.8}, range(5, 17)),
        ({4: 16.0, 16: 4.0, 64: 1.01}, range(65, 70)),
    ],
    ids=["not below what fails", "not above what keeps it", "beyond the last that fails"],
)
def test_the_answer_agrees_with_what_was_measured(ratios: dict[int, float], smallest: Any) -> None:
    assert law(ratios)["smallest_probes"] in smallest


def test_one_number_of_probes_is_continued_by_the_theory() -> None:
    found = law({16: 4.0})
    assert (found["ratio_at_one_probe"], found["smallest_probes"]) == (64.0, 64)
    assert found["exponent"] is None and found["exponent_se"] is None
    assert "r=16: the law 1/r is taken for granted" in found["message"]


def test_where_the_gradient_is_exact_the_law_has_no_point() -> None:
    found = law({4: 64.0, 16: 16.0, 128: 0.0})
    assert found["points"] == 2
    assert found["exponent"] == pytest.approx(-1)
    # The law says 256, but 128 probes are exact.
    assert found["smallest_probes"] == 128
    assert found["message"] == "exact from r=128 on, or earlier"
    nothing = law({4: 0.0, 16: 0.0})
    assert (nothing["points"], nothing["exponent"], nothing["smallest_probes"]) == (0, None, 4)


def test_what_rounding_leaves_of_an_exact_gradient_is_no_point() -> None:
    # Kernels that add up in any order do not repeat to the last bit.
    found = law({4: 64.0, 16: 16.0, 128: 1e-12})
    assert (found["points"], found["smallest_probes"]) == (2, 128)
    assert found["exponent"] == pytest.approx(-1)
    assert found["message"] == "exact from r=128 on, or earlier"


def test_a_variance_that_does_not_fall_has_no_answer() -> None:
    found = law({4: 2.0, 16: 3.0})
    assert found["smallest_probes"] is None
    assert found["message"].endswith("no answer")
    enough = law({4: 0.5, 16: 0.6})
    assert enough["smallest_probes"] == 4
    assert "no answer" not in enough["message"]


def test_far_from_what_was_measured_it_says_so() -> None:
    assert "extrapolated far beyond r=16" in law({4: 400.0, 16: 100.0})["message"]
    assert law({4: 20.0, 16: 5.0})["message"] == ""
    assert law({64: 0.02, 256: 0.005})["message"] == "extrapolated far below r=64"
    assert law({64: 0.125, 256: 0.03125})["message"] == ""


def test_layers_and_settings_have_laws_of_their_own() -> None:
    rows = [
        row
        for layer, at_one in (("0", 8.0), ("all", 80.0))
        for batch in (32, 64)
        for row in measured({r: at_one * batch / r for r in (4, 16)}, layer=layer, batch_size=batch)
    ]
    laws = fit_laws(rows)
    assert [(each["layer"], each["batch_size"], each["smallest_probes"]) for each in laws] == [
        ("0", 32, 256), ("0", 64, 512), ("all", 32, 2560), ("all", 64, 5120),
    ]  # fmt: skip
    assert {*laws[0]} == {*TABLES["variance_law"].names}


@pytest.mark.parametrize(
    "cells",
    [{"probes": None, "method": "exact"}, {"status": "oom"}, {"variance_ratio": None}],
    ids=["exact", "failed", "minibatches do not vary"],
)
def test_rows_without_a_ratio_have_no_law(cells: Row) -> None:
    assert fit_laws(measured({4: 2.0}, **cells)) == []


def test_where_a_layer_is_exact_the_law_of_the_network_has_no_point() -> None:
    """From r = 256 on one of two layers is exact: what the other adds is another law."""
    network = {4: 600.0, 16: 150.0, 64: 37.5, 256: 0.5}
    rows = [
        *measured({4: 400.0, 16: 100.0, 64: 25.0, 256: 0.0}, layer="inner"),
        *measured(network, layer="all"),
    ]
    _, whole = fit_laws(rows)
    assert whole["exponent"] == pytest.approx(-1)
    assert whole["points"] == 3
    assert whole["smallest_probes"] == 256  # 2400 by the law; 256 were measured to be enough
    assert "some layers are exact from r=256 on" in whole["message"]
    _, whole = fit_laws(rows, target_ratio=50.0)
    assert whole["smallest_probes"] == 48
    (alone,) = fit_laws(measured(network, layer="all"))
    assert alone["points"] == 4


def test_the_network_has_a_law_where_some_layer_is_always_exact() -> None:
    rows = [
        *measured({4: 0.0, 16: 0.0}, layer="inner"),
        *measured({4: 8.0, 16: 2.0}, layer="all"),
    ]
    _, whole = fit_laws(rows)
    assert (whole["exponent"], whole["smallest_probes"]) == (pytest.approx(-1), 32)
