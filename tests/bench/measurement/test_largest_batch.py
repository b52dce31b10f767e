"""The largest batch that fits: the search, and the paper's figure."""

import pytest
from heard import outcome_of
from own_networks import name

from xconv_bench.configuration import Configuration
from xconv_bench.measurement import largest_batch as module
from xconv_bench.measurement.batch_search import largest_batch
from xconv_bench.measurement.counting import Simulation
from xconv_bench.measurement.largest_batch import LargestBatch


def test_nearly_affine_peaks_need_few_simulations() -> None:
    asked: list[int] = []

    def peak(size: int) -> int:
        asked.append(size)
        return 10**8 + -(-123_457 * size // 512) * 512

    assert largest_batch(peak, 2**34, 10**9).size == 138_346
    assert len(asked) <= 7


BUDGET = int(0.92 * 2**34)


@pytest.mark.parametrize(("image_size", "published"), [(128, 1392), (256, 324), (512, 78)])
def test_the_papers_largest_batches(
    image_size: int, published: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exact SqueezeNet 1.0, within 1.5 %: theirs were allocated, ours are simulated."""
    sizes: list[int] = []
    count = Simulation.count

    def counted(simulation: Simulation, batch_size: int) -> dict[str, int]:
        sizes.append(batch_size)
        return count(simulation, batch_size)

    monkeypatch.setattr(Simulation, "count", counted)
    found = outcome_of(
        LargestBatch(Configuration("squeezenet1_0", image_size=image_size), BUDGET, 4096)
    ).readings
    assert found["max_batch_size"] == pytest.approx(published, rel=0.015)
    assert {found["max_batch_size"], found["max_batch_size"] + 1} <= set(sizes)
    assert len(sizes) <= 6 and found["limited_by"] == "memory"


def test_a_method_that_saves_memory_gets_a_larger_batch() -> None:
    exact = Configuration(name("plain"), image_size=24)
    probed = Configuration(
        name("plain"), "xconv", "multi", 4, "rademacher", "conv,relu", image_size=24
    )
    sizes = [
        outcome_of(LargestBatch(cell, 10**7, 5000)).readings["max_batch_size"]
        for cell in (exact, probed)
    ]
    assert 1 < sizes[0] < sizes[1] < 5000


def test_no_more_than_there_are_samples() -> None:
    cell = Configuration(name("plain"), image_size=12)
    found = outcome_of(LargestBatch(cell, 2**40, most=11)).readings
    assert found["max_batch_size"] == 11 and found["limited_by"] == "max"


def test_no_tensor_is_larger_than_kernels_can_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest is what the first convolution leaves: 8 channels of 24² pixels."""
    monkeypatch.setattr(module, "MOST_ELEMENTS", 100 * 8 * 24**2)
    found = outcome_of(
        LargestBatch(Configuration(name("plain"), image_size=24), 2**40, most=5000)
    ).readings
    assert found["max_batch_size"] == 100 and found["limited_by"] == "elements"


def test_a_network_that_a_single_sample_cannot_train() -> None:
    cell = Configuration(name("one_pixel"), image_size=12)
    found = outcome_of(LargestBatch(cell, 2**20, most=9)).readings
    assert found["max_batch_size"] == 9
    with pytest.raises(MemoryError, match="a batch of 2 samples, the fewest that it takes, and"):
        list(LargestBatch(cell, 5000, most=9)())


def test_a_budget_too_small_for_anything() -> None:
    cell = Configuration(name("plain"), image_size=256)
    with pytest.raises(MemoryError) as caught:
        list(LargestBatch(cell, 2**20, most=9)())
    message = str(caught.value)
    assert message.startswith(f"exact {cell.model} needs ")
    assert message.endswith(
        "MiB for a batch of one sample, and there are 1024 KiB: raise the budget or take smaller "
        "images"
    )
