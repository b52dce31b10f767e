"""Live bytes, counted by hand on one side and by the meter on the other."""

import torch
from torch import Tensor, nn

from xconv_bench.meters.live import LiveMeter

CPU = torch.device("cpu")
KIB = 1024


def kib(amount: int) -> Tensor:
    """A tensor of so many KiB, of shape (n, 256)."""
    return torch.zeros(amount, 256)


def test_what_is_made_is_counted_and_what_is_freed_is_not() -> None:
    with LiveMeter(CPU) as meter:
        first = kib(4)
        second = kib(2)
        assert meter.live_bytes == 6 * KIB
        del first
        assert meter.live_bytes == 2 * KIB
        second = kib(3)  # the old one lives until the new one is there
        assert meter.live_bytes == 3 * KIB
        del second
    assert meter.live_bytes == 0
    assert meter.reading == {"live_peak_bytes": 6 * KIB}


def test_blocks_of_512_bytes() -> None:
    with LiveMeter(CPU) as meter:
        sizes = []
        for count in (0, 1, 512, 513, 1024, 1025):
            before = meter.live_bytes
            tensor = torch.empty(count, dtype=torch.uint8)
            sizes.append(meter.live_bytes - before)
            del tensor
    assert sizes == [0, 512, 512, 1024, 1024, 1536]


def test_a_view_is_no_memory_of_its_own_and_keeps_the_whole_alive() -> None:
    with LiveMeter(CPU) as meter:
        whole = kib(8)
        row, flipped, same = whole[2], whole.t(), whole.view(-1).detach()
        assert meter.live_bytes == 8 * KIB
        del whole, flipped, same
        assert meter.live_bytes == 8 * KIB
        del row
        assert meter.live_bytes == 0


def test_in_place_takes_no_memory() -> None:
    with LiveMeter(CPU) as meter:
        tensor = kib(4)
        tensor.add_(1).relu_()
        torch.neg(tensor, out=tensor)
    assert meter.peak_bytes == 4 * KIB


def test_what_was_there_before_counts_once_it_is_shown() -> None:
    old = kib(2)
    meter = LiveMeter(CPU)
    meter.track({"a": [old, old.view(-1)], "b": (old, "text", None)})
    assert meter.live_bytes == 2 * KIB
    with meter:
        total = old + 1
    assert meter.live_bytes == 4 * KIB
    del old
    assert meter.live_bytes == 2 * KIB
    del total
    assert meter.live_bytes == 0


def test_parameters_buffers_and_gradients_of_a_model() -> None:
    model = nn.Sequential(nn.Linear(256, 4, bias=False), nn.BatchNorm1d(4, affine=False))
    model.append(nn.Linear(256, 4, bias=False))
    model[2].weight = model[0].weight  # tied: one storage
    model[0].weight.grad = torch.zeros(4, 256)
    meter = LiveMeter(CPU)
    meter.track_model(model)
    # The weight, its gradient, and mean, variance and count in a block each.
    assert meter.live_bytes == 4 * KIB + 4 * KIB + 3 * 512
    model.zero_grad(set_to_none=True)
    assert meter.live_bytes == 4 * KIB + 3 * 512


def test_other_devices_are_not_counted() -> None:
    with LiveMeter(CPU) as meter:
        elsewhere = torch.zeros(1000, device="meta")
        elsewhere = elsewhere + 1
    assert meter.peak_bytes == 0


def test_the_peak_starts_again_from_what_lives() -> None:
    with LiveMeter(CPU) as meter:
        small, large = kib(1), kib(9)
        del large
        meter.reset_peak()
        assert meter.peak_bytes == 1 * KIB
        more = kib(2)
    assert meter.peak_bytes == 3 * KIB
    del small, more


def test_addresses_are_used_again() -> None:
    with LiveMeter(CPU) as meter:
        for _ in range(200):
            tensor = kib(1)
            del tensor
    assert (meter.live_bytes, meter.peak_bytes) == (0, 1 * KIB)


def test_a_training_step_by_hand() -> None:
    image, weight = kib(4), kib(4).requires_grad_()
    meter = LiveMeter(CPU)
    meter.track([image, weight])
    with meter:
        loss = (image * weight).sum()
        # Image, weight, their product, and the sum in a block of its own.
        assert meter.peak_bytes == 3 * 4 * KIB + 512
        # The product is not kept.
        assert meter.live_bytes == 2 * 4 * KIB + 512
        meter.reset_peak()
        loss.backward()
        # Image, weight, gradient; the sum and where the backward pass starts, a block each.
        assert meter.peak_bytes == 3 * 4 * KIB + 2 * 512
    assert weight.grad is not None
    assert meter.live_bytes == 3 * 4 * KIB + 512


def test_what_autograd_alone_keeps_is_counted_until_the_backward_pass() -> None:
    image = kib(4).requires_grad_()
    meter = LiveMeter(CPU)
    meter.track(image)
    with meter:
        loss = image.exp().exp().sum()
        assert meter.live_bytes == 3 * 4 * KIB + 512
        loss.backward()
    assert meter.live_bytes == 2 * 4 * KIB + 512


def test_the_largest_tensor_is_one_that_is_really_there() -> None:
    meter = LiveMeter(torch.device("cpu"))
    with meter:
        torch.zeros(3, 5).sum()
        torch.zeros(7).expand(100, 7).clone().view(10, 70)
        torch.zeros(1).expand(10**6)
    assert meter.largest_elements == 700


def test_a_sparse_tensor_is_counted_by_its_parts() -> None:
    dense = torch.eye(512)
    with LiveMeter(CPU) as meter:
        sparse = dense.to_sparse()
        parts = (sparse._indices(), sparse._values())
        size = 2 * 512 * 8 + 512 * 4
        assert meter.live_bytes == size == sum(part.nbytes for part in parts)
        rows = dense.to_sparse_csr()
        assert meter.live_bytes == size + sum(
            -(-part.untyped_storage().nbytes() // 512) * 512
            for part in (rows.crow_indices(), rows.col_indices(), rows.values())
        )
        del sparse, parts, rows
    assert meter.live_bytes == 0


def test_a_nested_tensor_is_counted_by_its_parts() -> None:
    with LiveMeter(CPU) as meter:
        nested = torch.nested.nested_tensor_from_jagged(kib(4), torch.tensor([0, 1, 4]))
        assert meter.live_bytes == 4 * KIB + 512
        del nested


def test_a_tensor_that_grows_is_counted_again() -> None:
    with LiveMeter(CPU) as meter:
        result = torch.empty(0)
        torch.add(kib(1), 1, out=result)
        assert meter.live_bytes == KIB
        result.resize_(4 * KIB)
        assert meter.live_bytes == 16 * KIB
        del result
    assert meter.live_bytes == 0


def test_operators_are_told_apart() -> None:
    with LiveMeter(CPU) as meter:
        (kib(2) + 1).mul_(2)
        kib(1).sum(0)
    assert meter.allocated_bytes == {
        "aten.zeros": 3 * KIB,
        "aten.add.Tensor": 2 * KIB,
        "aten.sum.dim_IntList": KIB,
    }
