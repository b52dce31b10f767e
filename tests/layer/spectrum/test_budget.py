"""The bits of a network, divided among its layers by what they have been seen to need."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from xconv import convert
from xconv.modules import Probed, set_probing
from xconv.spectrum import budget as budgets
from xconv.spectrum.blocks import cosines
from xconv.spectrum.budget import Budget, Member
from xconv.spectrum.plan import Part, Plan, divide
from xconv.state import state_of

BITS = 0.5


def network() -> nn.Sequential:
    """Three layers: 24 × 24 pixels, 12 × 12, and 5 × 5 of the most channels."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2),
        nn.ReLU(),
        nn.Conv2d(32, 8, 3, padding=1),
    )
    return convert(model, bits=BITS, first="compressed")


def images(batch: int = 8, side: int = 24) -> Tensor:
    noise = torch.randn(batch, 8, 6, 6, generator=torch.Generator().manual_seed(1))
    return nn.functional.interpolate(noise, (side, side), mode="bicubic")


def step(model: nn.Module, input: Tensor | None = None) -> None:
    model(images() if input is None else input).square().sum().backward()


def member(layer: nn.Module) -> Member:
    state = state_of(layer)
    assert state is not None and state.member is not None
    return state.member


def members(model: nn.Module) -> list[Member]:
    return [member(layer) for layer in model.modules() if isinstance(layer, Probed)]


def plans(model: nn.Module) -> list[Plan | None]:
    return [m.plan for m in members(model)]


def budget_of(model: nn.Module) -> Budget:
    (budget,) = {id(m.budget): m.budget for m in members(model)}.values()
    return budget


def average(seen: list[Member]) -> float:
    """Bits an element over all layers, of all that is kept."""
    bits = elements = 0
    for m in seen:
        assert m.plan is not None and m.blocks is not None
        bits += m.plan.kept_bits(m.maps * m.blocks.number)
        elements += m.maps * m.blocks.pixels[0] * m.blocks.pixels[1]
    return bits / elements


def assert_same_plans(one: list[Plan | None], other: list[Plan | None]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a is not None and b is not None
        assert a.counts == b.counts and torch.equal(a.order, b.order)
        torch.testing.assert_close(a.probabilities, b.probabilities)


def test_layers_of_a_network_share_their_bits() -> None:
    model = network()
    assert budget_of(model).members == members(model)
    step(model)
    assert plans(model) == [None, None, None]
    step(model)
    assert average(members(model)) <= 1.011 * BITS
    assert average(members(model)) > 0.9 * BITS
    alone = [average([m]) for m in members(model)]
    assert max(alone) > 1.5 * min(alone)
    parts = [m.part() for m in members(model)]
    assert None not in parts


def test_one_price_for_all() -> None:
    """The plans are those of one call of ``divide`` for what all of them have seen."""
    model = network()
    step(model)
    parts = [part for m in members(model) if (part := m.part()) is not None]
    expected = divide(parts, BITS)
    step(model)
    assert_same_plans(plans(model), list(expected))


def test_plans_are_renewed_after_1_2_4_calls_and_so_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "_LONGEST_PAUSE", 16)
    model, input = network(), images(2, 16)
    renewed = []
    for call in range(50):
        before = budget_of(model).renewals
        old = plans(model)
        step(model, input)
        assert budget_of(model).renewals - before in (0, 1)
        if budget_of(model).renewals > before:
            renewed.append(call)
            assert all(a is not b for a, b in zip(plans(model), old, strict=True))
        else:
            assert all(a is b for a, b in zip(plans(model), old, strict=True))
    assert renewed == [1, 2, 4, 8, 16, 32, 48]


def test_only_the_calls_before_a_renewal_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    for name in ("see_input", "see_gradient"):
        original = getattr(Member, name)

        def note(self: Member, *args: object, name: str = name, real: object = original) -> None:
            seen.append(name)
            real(self, *args)  # type: ignore[operator]

        monkeypatch.setattr(Member, name, note)
    model, looked_at = network(), []
    for call in range(1, 10):
        step(model, images(2, 16))
        looked_at.append((call, len(seen)))
        seen.clear()
    assert looked_at == [(call, 6 if call in (1, 2, 4, 8) else 0) for call in range(1, 10)]


def test_a_change_of_image_size_starts_anew() -> None:
    model = network()
    for _ in range(3):
        step(model)
    for _ in range(2):
        step(model, images(4, 40))
    assert [m.blocks.pixels for m in members(model) if m.blocks] == [(40, 40), (20, 20), (9, 9)]
    assert average(members(model)) <= 1.011 * BITS
    for m in members(model):
        assert m.plan is not None and m.blocks is not None and m.calls == 2
        assert len(m.plan.order) == m.blocks.size


def test_sizes_that_take_turns() -> None:
    """Every plan fits the blocks of its input, or the gradient would have no shape to speak of."""
    model = network()
    for turn in range(8):
        model.zero_grad()
        step(model, images(2, (16, 24, 24, 18)[turn % 4]))
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_a_module_that_is_called_twice_in_a_step() -> None:
    torch.manual_seed(0)
    shared = nn.Conv2d(8, 8, 3, padding=1)
    model = nn.Sequential(shared, nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), shared)
    convert(model, bits=BITS, first="compressed")
    assert len(members(model)) == 2 and model[0] is model[4]
    for _ in range(9):
        step(model)
    assert [m.calls for m in members(model)] == [18, 9]
    assert budget_of(model).renewals <= 2 * 5
    assert average(members(model)) <= 1.011 * BITS


@pytest.mark.parametrize("steps", [0, 1, 2, 3], ids=lambda n: f"after {n} steps")
@pytest.mark.parametrize(
    "way", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"]
)
def test_copies_go_on_by_themselves(way: Callable[[nn.Module], nn.Module], steps: int) -> None:
    model = network()
    torch.manual_seed(0)
    for _ in range(steps):
        step(model)
    model.zero_grad()
    twin = way(model)
    assert budget_of(twin) is not budget_of(model)
    assert budget_of(twin).members == members(twin)
    untouched = plans(twin)
    state = torch.get_rng_state()
    for _ in range(2):
        step(model)
    assert all(a is b for a, b in zip(plans(twin), untouched, strict=True))
    torch.set_rng_state(state)
    for _ in range(2):
        step(twin)
    assert_same_plans(plans(twin), plans(model))
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert ours.grad is not None and theirs.grad is not None
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=0)


def test_nothing_of_it_is_in_the_state_dict() -> None:
    model = network()
    step(model)
    step(model)
    assert all("weight" in name or "bias" in name for name in model.state_dict())


def test_a_simulation_leaves_no_trace() -> None:
    model = network()
    step(model)
    before = [(m.calls, m.energies, m.weights) for m in members(model)]
    renewals = budget_of(model).renewals
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        for _ in range(3):
            model(mode.from_tensor(images())).square().sum().backward()
    model.zero_grad()
    assert [(m.calls, m.energies, m.weights) for m in members(model)] == before
    assert budget_of(model).renewals == renewals
    step(model)
    assert budget_of(model).renewals == renewals + 1


def test_a_compiled_model_keeps_the_plan_that_it_has() -> None:
    model = network()
    step(model)
    step(model)
    before, renewals = plans(model), budget_of(model).renewals
    run = torch.compile(model, backend="aot_eager", fullgraph=True)
    for _ in range(3):
        run(images()).square().sum().backward()
    assert all(a is b for a, b in zip(plans(model), before, strict=True))
    assert budget_of(model).renewals == renewals


def test_nothing_is_seen_where_no_gradient_is_wanted() -> None:
    model = network()
    with torch.no_grad():
        model(images())
    for layer in model:
        layer.requires_grad_(False)
    model(images().requires_grad_()).sum().backward()
    assert [m.calls for m in members(model)] == [0, 0, 0]


def test_energy_in_one_image_is_seen() -> None:
    """The last one of the batch: its frequency is the only one that the gradient has."""
    row = torch.cos(torch.pi * 3 * (torch.arange(16) + 0.5) / 16)
    wave = row.expand(16, 16)
    input, delta = torch.zeros(32, 4, 16, 16), torch.zeros(32, 4, 16, 16)
    input[31], delta[31] = wave, wave
    layer = convert(nn.Conv2d(4, 4, 1), bits=BITS, first="compressed")
    layer(input).backward(delta)
    part = member(layer).part()
    assert part is not None
    assert int(part.importance.argmax()) == 3
    assert float(part.importance[3]) > 0.99 * float(part.importance.sum())


def test_large_tensors_are_looked_at_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some channels, but of every image."""
    monkeypatch.setattr(budgets, "_LOOKED_AT", 4 * 64)
    images = torch.zeros(32, 16, 8, 8)
    images[31] = 1.0
    looked_at = budgets._some(images)
    assert looked_at.shape == (32, 1, 8, 8) and bool(looked_at[31].all())


def test_a_layer_that_is_gone_takes_no_bits() -> None:
    """Probed otherwise, deleted, or not called any more: the others have all bits again."""
    model = network()
    for _ in range(2):
        step(model)
    set_probing(model[2], scheme="independent", probes=4)
    for _ in range(3):
        step(model)
    left = [member(model[0]), member(model[4])]
    assert 0.9 * BITS < average(left) <= 1.011 * BITS
    assert_same_plans([m.plan for m in left], list(divide(parts_of(left), BITS)))


def parts_of(seen: list[Member]) -> list[Part]:
    return [part for m in seen if (part := m.part()) is not None]


def test_a_layer_whose_gradient_was_never_seen_does_not_take_the_bits() -> None:
    """An auxiliary output that no loss uses: its importance is not known, its plan is nominal."""
    model = network()
    extra = convert(nn.Conv2d(8, 16, 3), bits=BITS, first="compressed")
    state = state_of(extra)
    assert state is not None
    state.member = budget_of(model).add()
    for _ in range(3):
        extra(images())
        step(model)
    assert member(extra).plan is None
    assert average(members(model)) <= 1.011 * BITS
    assert average(members(model)) > 0.9 * BITS


@pytest.mark.parametrize("first", [True, False], ids=["at first", "later"])
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_an_overflow_is_not_for_ever(first: bool, value: float) -> None:
    """As scaled losses have now and then."""
    model = network()
    if not first:
        step(model)
    (model(images()).sum() * value).backward()
    for _ in range(4):
        step(model)
    assert all(m.part() is not None for m in members(model))
    assert average(members(model)) <= 1.011 * BITS


def test_an_input_without_any_energy() -> None:
    model = network()
    for _ in range(3):
        step(model, torch.zeros(8, 8, 24, 24))
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert average(members(model)) <= 1.011 * BITS


ROWS = cosines(8, torch.float32, torch.device("cpu"))
KINDS = {
    "plain": nn.Conv2d(4, 6, 1),
    "strided": nn.Conv2d(4, 6, 1, stride=2),
    "groups": nn.Conv2d(4, 6, 1, groups=2),
    "transposed": nn.ConvTranspose2d(4, 6, 1),
    "transposed groups": nn.ConvTranspose2d(4, 6, 1, groups=2),
}


@pytest.mark.parametrize("layer", KINDS.values(), ids=KINDS)
def test_weights_are_the_variance_of_a_gradient_for_a_unit_of_noise(layer: nn.Module) -> None:
    """Of noise of one frequency in all channels: its weight gradients are torch's own."""
    layer = copy.deepcopy(layer)
    delta = torch.randn(layer(torch.zeros(16, 4, 8, 8)).shape)
    generator = torch.Generator().manual_seed(0)
    expected = torch.zeros(64, dtype=torch.float64)
    frequencies = [0, 5, 9, 27, 63]
    for frequency in frequencies:
        for _ in range(40):
            coefficients = torch.zeros(16, 4, 8, 8)
            coefficients.view(16, 4, 64)[..., frequency] = torch.randn(16, 4, generator=generator)
            noise = ROWS.t() @ coefficients @ ROWS
            (gradient,) = torch.autograd.grad(layer(noise), layer.weight, delta)
            expected[frequency] += gradient.square().sum() / 40
    convert(layer, bits=BITS, first="compressed")
    layer(torch.randn(16, 4, 8, 8)).backward(delta)
    weights = member(layer).weights
    assert weights is not None
    ratios = (expected / (weights * 16 * 4))[frequencies]
    assert float(ratios.max() / ratios.min()) < 1.6
    assert float(ratios.mean()) == pytest.approx(1.0, rel=0.2)
