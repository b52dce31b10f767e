"""Kernels of the spectral scheme do what torch's operators do, bit by bit where nothing rounds."""

import math
from unittest import mock

import pytest
import torch
from cuda_cases import relative, tf32
from kernel_cases import (
    DEVICES,
    SEED,
    Input,
    compare_bytes,
    device_of,
    exact_products,
    kernels_everywhere,
    normal_numbers,
    philox,
    reference_bytes,
    reference_columns,
    reflected,
    uniform,
)
from statistics_checker import FEWEST_SAMPLES, check_mean
from torch import Tensor
from turned_groups import given_back

import xconv
from xconv import compiled
from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.probing import Probing
from xconv.schemes.spectral import Spectral, packed_bytes
from xconv.spectrum.blocks import blocks_of
from xconv.spectrum.plan import BlockPlan, nominal_plan
from xconv.spectrum.rounding import GROUP, STEPS, VARIANCES, encode
from xconv.spectrum.sampling import draw_frequencies

every_device = pytest.mark.parametrize("name", DEVICES)
SHAPES = {
    "one block": ((4, 16, 7, 7), False),
    "four blocks": ((2, 16, 28, 28), False),
    "channels last": ((2, 16, 28, 28), True),
    "over the edge": ((2, 32, 17, 19), False),
    "over the edge, channels last": ((2, 32, 17, 19), True),
    "64 channels last": ((2, 64, 14, 14), True),
    "64 channels last, over the edge": ((1, 64, 17, 19), True),
    "groups that are not full": ((3, 25, 6, 10), False),
    "1d": ((2, 32, 70), False),
    "3d": ((2, 32, 4, 9, 10), False),
    "3d, channels last": ((2, 32, 4, 9, 10), True),
}
EXACT = "tf32x3"
PLANS = {"0.5 bits": (0.5, 1.0), "8 bits": (8.0, 1.0), "all classes": (2.5, 4.0)}
every_shape = pytest.mark.parametrize(("shape", "last"), SHAPES.values(), ids=SHAPES)
every_plan = pytest.mark.parametrize(("bits", "steepness"), PLANS.values(), ids=PLANS)


def seed_of(number: int = SEED) -> Tensor:
    return torch.tensor(number)


@every_device
def test_a_rotation_is_made_of_reflections(name: str) -> None:
    device = device_of(name)
    from xconv.kernels.prepare import rotation

    for seed in range(SEED, SEED + 20):
        turn = rotation(seed, device, EXACT).cpu().double()
        assert relative(turn, reflected(normal_numbers(seed).double())) < 1e-4
        assert relative(turn @ turn.t(), torch.eye(GROUP)) < 1e-4
        assert relative(rotation(seed + 1, device, EXACT).cpu(), turn) > 1
    assert torch.equal(rotation(SEED, device, EXACT), rotation(SEED, device, EXACT))


@every_device
def test_rotations_have_the_variance_of_true_ones(name: str) -> None:
    """At 8 and 16 bits too, where little else is left; without the scale's."""
    device = device_of(name)
    from xconv.kernels.prepare import rotation

    numbers = torch.Generator().manual_seed(0)
    values = torch.randn(50, GROUP, GROUP, generator=numbers)
    turns = [rotation(SEED + n, device, EXACT).cpu() for n in range(len(values))]
    for bits, expected in VARIANCES.items():
        errors = torch.stack(
            [
                given_back(*encode(own, bits, turn), bits, turn) - own
                for own, turn in zip(values, turns, strict=True)
            ]
        )
        variance = float(errors.double().square().sum() / values.double().square().sum())
        assert variance < 1.02 * expected


@every_device
@every_plan
def test_the_same_frequencies_are_drawn(name: str, bits: float, steepness: float) -> None:
    device = device_of(name)
    from xconv.kernels import spectral
    from xconv.kernels.prepare import FREQUENCY_STREAM, WORK, prepare

    plan = Input.smooth((2, 16, 28, 28), bits, False, torch.float32, "cpu", steepness).plan
    for seed in range(SEED, SEED + 5):
        word, _ = philox(seed, torch.zeros(1, dtype=torch.int64), FREQUENCY_STREAM)
        chance = word.double() * 2**-32
        with mock.patch("xconv.spectrum.sampling.uniform", lambda *_, chance=chance: chance):
            expected = draw_frequencies(seed_of(), plan.order, plan.probabilities, plan.kept)
        found, work = prepare(seed, spectral._tables(plan, device), plan.kept, EXACT)
        assert torch.equal(found.cpu(), expected[0])
        torch.testing.assert_close(work[WORK:].cpu(), expected[1], rtol=1e-6, atol=0)


@every_device
@every_shape
@every_plan
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_bytes_are_those_of_torch(
    name: str,
    shape: tuple[int, ...],
    last: bool,
    bits: float,
    steepness: float,
    dtype: torch.dtype,
) -> None:
    """And x̂ is what torch's operators make of them."""
    device = device_of(name)
    if dtype != torch.float32 and steepness == 1.0:
        pytest.skip("one plan will do")
    from xconv.kernels import spectral
    from xconv.kernels.prepare import SCALE_STREAM, WORK, prepare, rotation

    case = Input.smooth(shape, bits, last, dtype, name, steepness)
    plan, layout = case.plan, case.layout
    with exact_products():
        kept = spectral.keep(case.values, seed_of(), layout, plan)
        packed, frequencies, counts = kept
        assert tuple(counts.tolist()) == plan.counts
        precision = EXACT if dtype == torch.float32 else "tf32"
        drawn, work = prepare(SEED, spectral._tables(plan, device), plan.kept, precision)
        turn = rotation(SEED, device, precision).float()
        assert torch.equal(frequencies, drawn)
        assert torch.equal(work[: GROUP * GROUP].view(GROUP, GROUP), turn)
        columns = case.coefficients(frequencies.long()) * work[WORK:, None]
        groups = math.ceil(columns.shape[1] / GROUP)
        numbers = torch.arange(groups * plan.kept)
        chances = uniform(philox(SEED, numbers, SCALE_STREAM)[0]).to(device)
        theirs = reference_bytes(columns, plan.counts, turn, chances)
        compare_bytes(packed, theirs, plan.counts, groups, dtype == torch.float32)
        expected = case.pixels(
            frequencies.long(), reference_columns(packed, plan.counts, turn, columns.shape[1])
        )
        ((images, rebuilt),) = spectral.rebuilt_parts(kept, seed_of(), layout)
    assert images == slice(0, shape[0])
    assert rebuilt.dtype == dtype and rebuilt.stride() == case.values.stride()
    rounding = {torch.float32: 1e-5, torch.bfloat16: 5e-3, torch.float16: 1e-3}[dtype]
    assert relative(rebuilt, expected) < rounding


@every_device
@every_shape
def test_products_in_tf32_make_nothing_smaller(
    name: str, shape: tuple[int, ...], last: bool
) -> None:
    """Rounding to 11 bits, to the nearest, adds noise but no mean: cut off, each of three factors
    would take 0.035 %."""
    device_of(name)
    from xconv.kernels import spectral

    case = Input.smooth(shape, 2.5, last, torch.float32, name, 4.0)
    layout, found = case.layout, []
    with exact_products():
        kept = spectral.keep(case.values, seed_of(), layout, case.plan)
    for is_allowed in (False, True):
        with tf32(is_allowed):
            ((_, rebuilt),) = spectral.rebuilt_parts(kept, seed_of(), layout)
        found.append(rebuilt.double())
    exact, coarse = found
    assert relative(coarse, exact) < 1e-3
    projected = float((coarse * exact).sum() / exact.square().sum())
    assert abs(projected - 1) < 2**-12  # so far off may a basis image be that is a constant


@every_plan
@pytest.mark.parametrize("shape", [(2, 16, 28, 28), (4, 16, 7, 7)], ids=str)
def test_torch_reads_what_a_kernel_wrote(
    shape: tuple[int, ...], bits: float, steepness: float
) -> None:
    """And the other way: of an input in one part, whose groups are full, bytes are alike."""
    device_of("cpu")
    from xconv.kernels import spectral
    from xconv.kernels.prepare import rotation

    case = Input.smooth(shape, bits, False, torch.float32, "cpu", steepness)
    layout, plan = case.layout, case.plan
    with exact_products():
        kept = spectral.keep(case.values, seed_of(), layout, plan)
        assert kept[0].numel() == packed_bytes(plan, layout)
        weight = torch.randn(8, shape[1], 3, 3)
        geometry = Geometry((1, 1), (1, 1), (1, 1))
        grad_output = torch.randn(shape[0], 8, *shape[2:])
        ours = spectral.estimate(kept, seed_of(), grad_output, geometry, layout, weight)
        scheme, probing = Spectral(), Probing(scheme="spectral", bits=1.0)
        turn = rotation(SEED, torch.device("cpu"), EXACT)
        with mock.patch("xconv.schemes.spectral.rotation", lambda seed: turn):
            read = scheme.estimate(
                [kept[0], *kept[1].split(plan.counts)],
                seed_of(), grad_output, geometry, probing, layout, weight,
            )  # fmt: skip
            assert relative(ours, read) < 1e-5
            _, packed, *classes = scheme.keep(
                case.values, seed_of(), probing, layout, weight.shape, grad_output.shape, plan
            )
            theirs = scheme.estimate(
                [packed, *classes], seed_of(), grad_output, geometry, probing, layout, weight
            )
        read = spectral.estimate(
            [packed, torch.cat(classes), kept[2]], seed_of(), grad_output, geometry, layout, weight
        )
        assert relative(read, theirs) < 1e-5


@every_device
@pytest.mark.parametrize(("channels", "last"), [(9, False), (9, True), (64, True)])
def test_parts_of_a_batch_make_the_whole(name: str, channels: int, last: bool) -> None:
    """Also where a group belongs to two parts: one of 9 channels has 36 columns."""
    device_of(name)
    from xconv.kernels import spectral

    case = Input.smooth((8, channels, 14, 14), 1.0, last, torch.float32, name)
    layout = case.layout
    kept = spectral.keep(case.values, seed_of(), layout, case.plan)
    ((_, whole),) = spectral.rebuilt_parts(kept, seed_of(), layout)
    with mock.patch("xconv.kernels.spectral.AT_A_TIME", 3 * whole[0].numel()):
        parts = list(spectral.rebuilt_parts(kept, seed_of(), layout))
    assert [images.stop - images.start for images, _ in parts] == [3, 3, 2]
    assert torch.equal(torch.cat([part for _, part in parts]), whole)


def test_rotations_keep_the_mean() -> None:
    """By torch, for kernels round as it does; whatever the signs of their rows are."""
    numbers = torch.Generator().manual_seed(0)
    values = torch.zeros(3, GROUP, dtype=torch.float64)
    values[0, 5], values[1, 3], values[1, 7] = 1, 2, -1
    values[2] = torch.randn(GROUP, generator=numbers).double().exp()
    turn = reflected(torch.randn(FEWEST_SAMPLES, GROUP, GROUP, generator=numbers)).double()
    turned = values @ turn.mT
    for bits in (1, 2):
        unit = turned.norm(dim=2, keepdim=True) * (STEPS[bits] / 8)
        half = 2 ** (bits - 1)
        levels = (turned / unit).floor().clamp(-half, half - 1) + 0.5
        scales = values.square().sum(1) / (turned * levels).sum(2)
        check_mean(scales[..., None] * (levels @ turn), values)


@pytest.mark.cuda
def test_the_mean_over_seeds_is_the_input() -> None:
    device_of("cuda")
    from xconv.kernels import spectral

    values = torch.randn(64, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    values[0] = torch.tensor([[1.0, -2.0], [3.0, 0.5]])
    values[1] = 0
    values = values.to("cuda")
    layout, plan = Layout.of(values), nominal_plan(blocks_of((2, 2)), 1.5)
    assert 0 < float(plan.probabilities.min()) < 1
    samples = []
    with exact_products():
        for seed in range(SEED, SEED + FEWEST_SAMPLES):
            kept = spectral.keep(values, seed_of(seed), layout, plan)
            samples += [x.cpu() for _, x in spectral.rebuilt_parts(kept, seed_of(seed), layout)]
    check_mean(torch.stack(samples)[:, :4].double(), values[:4].cpu().double())


@every_device
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_shows(name: str, bad: float) -> None:
    device_of(name)
    from xconv.kernels import spectral

    case = Input.smooth((4, 16, 7, 7), 1.0, False, torch.float32, name)
    case.values[1, 3, 2, 2] = bad
    kept = spectral.keep(case.values, seed_of(), case.layout, case.plan)
    ((_, rebuilt),) = spectral.rebuilt_parts(kept, seed_of(), case.layout)
    assert not rebuilt.isfinite().all()


@every_device
def test_zeros_are_zeros(name: str) -> None:
    device_of(name)
    from xconv.kernels import spectral

    case = Input.smooth((4, 16, 7, 7), 1.0, False, torch.float32, name)
    zeros = torch.zeros_like(case.values)
    kept = spectral.keep(zeros, seed_of(), case.layout, case.plan)
    ((_, rebuilt),) = spectral.rebuilt_parts(kept, seed_of(), case.layout)
    assert torch.equal(rebuilt, zeros)


@every_device
def test_float16_does_not_overflow(name: str) -> None:
    """x̂ of an input near the largest number of float16 reaches beyond it."""
    device = device_of(name)
    from xconv.kernels import spectral

    case = Input.smooth((4, 16, 14, 14), 0.5, False, torch.float16, name)
    values = (case.values.float() * (6e4 / case.values.abs().max().float())).half()
    layout = Layout.of(values)
    kept = spectral.keep(values, seed_of(), layout, case.plan)
    ((_, rebuilt),) = spectral.rebuilt_parts(kept, seed_of(), layout)
    assert rebuilt.isfinite().all()
    weight = torch.zeros(2, 16, 1, 1, dtype=torch.float16, device=device)
    geometry = Geometry((1, 1), (0, 0), (1, 1))
    deltas = torch.full((4, 2, 14, 14), 1e-3, dtype=torch.float16, device=device)
    found = spectral.estimate(kept, seed_of(), deltas, geometry, layout, weight)
    wide = Layout(layout.shape, torch.float32, device)
    expected = spectral.estimate(kept, seed_of(), deltas.float(), geometry, wide, weight.float())
    assert relative(found, expected) < 5e-3


@every_device
@pytest.mark.parametrize("bits", [0.5, 8.0])
def test_fake_results_are_like_true_ones(name: str, bits: float) -> None:
    device_of(name)
    case = Input.smooth((2, 16, 28, 28), bits, False, torch.float32, name)
    probing = Probing(scheme="spectral", bits=bits)
    arguments = (probing, case.layout, torch.Size((8, 16, 3, 3)), torch.Size((2, 8, 28, 28)))
    with kernels_everywhere():
        _, *kept = Spectral().keep(case.values, seed_of(), *arguments, None)
        like = Spectral().kept_like(case.values, case.layout, probing, None)
        whole = compiled.keep(case.values, seed_of(), *arguments)
    shown = [(t.shape, t.dtype, t.device) for t in kept]
    assert [(t.shape, t.dtype, t.device) for t in like] == shown
    assert all(map(torch.equal, whole[1:], kept))


@every_device
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels last"])
def test_a_layer_uses_them(name: str, last: bool) -> None:
    """And its gradient is that of x̂, in eager mode and as operators."""
    device = device_of(name)
    from xconv.kernels import spectral

    torch.manual_seed(0)
    layer = xconv.XConv2d(16, 8, 3, stride=2, padding=1, scheme="spectral", bits=1).to(device)
    x = Input.smooth((2, 16, 28, 28), 1.0, last, torch.float32, name).values.requires_grad_()
    deltas = torch.randn(2, 8, 14, 14, device=device)
    seen: list[tuple[Tensor, ...]] = []

    def keep(input: Tensor, seed: Tensor, layout: Layout, plan: BlockPlan) -> tuple[Tensor, ...]:
        seen.append((seed, *own(input, seed, layout, plan)))
        return seen[-1][1:]

    own = spectral.keep
    with kernels_everywhere(), mock.patch("xconv.kernels.spectral.keep", keep):
        found, _ = torch.autograd.grad(layer(x), [layer.weight, x], deltas)
        again, _ = torch.autograd.grad(layer(x), [layer.weight, x], deltas, create_graph=True)
        again = again.detach()
    for gradient, (seed, *kept) in zip((found, again), seen, strict=True):
        ((_, rebuilt),) = spectral.rebuilt_parts(kept, seed, Layout.of(x))
        geometry = Geometry((2, 2), (1, 1), (1, 1))
        expected = geometry.weight_gradient(deltas, rebuilt, layer.weight)
        assert relative(gradient, expected) < (1e-6 if name == "cpu" else 2e-3)


def test_what_they_do_not_cover() -> None:
    device_of("cpu")
    from xconv.kernels import spectral

    def covers(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> bool:
        return spectral.covers(Layout(torch.Size(shape), dtype, torch.device("cpu")))

    assert covers((1, 64, 5, 5)) and covers((3, 11, 512, 512)) and covers((8, 8, 16), torch.half)
    assert not covers((1, 64, 5, 5), torch.float64)
    assert not covers((1, 63, 5, 5))
    assert not covers((2**8, 2**8, 256, 257))
