"""``convert`` swaps in place what it can swap rightly, and ``revert`` leaves no trace."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from layer_cases import KINDS, Kind, assert_same, gradients, images, small_network
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

import xconv
from xconv import BitReLU, XConv2d, convert, revert
from xconv.conversion import FAMILIES
from xconv.probing import Probing
from xconv_bench.models.torchvision_shim import import_torchvision


def classes(model: nn.Module) -> dict[str, type[nn.Module]]:
    return {name: type(module) for name, module in model.named_modules()}


def attributes(model: nn.Module) -> list[dict[str, Any]]:
    """Return all that every module holds, the containers copied so that later changes show."""
    return [
        {k: dict(v) if isinstance(v, dict) else v for k, v in vars(module).items()}
        for module in model.modules()
    ]


def swapped(model: nn.Module) -> list[str]:
    """Names of the modules that are ours."""
    ours = (BitReLU, xconv.modules.Probed)
    return [name for name, module in model.named_modules() if isinstance(module, ours)]


def test_returns_the_same_model_with_the_same_parameters() -> None:
    model = small_network()
    modules, parameters = list(model.modules()), list(model.parameters())
    assert convert(model) is model
    assert all(a is b for a, b in zip(model.modules(), modules, strict=True))
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    assert swapped(model) == ["0", "2", "3", "4"]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_root_that_is_a_layer_itself(kind: Kind) -> None:
    layer = kind.exact(4, 6, 3)
    assert convert(layer, probes=3, scheme="multi", distribution="gaussian") is layer
    assert type(layer) is kind.ours
    assert layer._xconv.probing == Probing(3, "multi", "gaussian")
    assert type(revert(layer)) is kind.exact


@pytest.mark.parametrize(
    ("compress", "names"),
    [(["conv"], ["0", "3"]), (["relu"], ["2", "4"]), ([], [])],
    ids=["conv", "relu", "nothing"],
)
def test_compress_names_the_families(compress: list[str], names: list[str]) -> None:
    assert swapped(convert(small_network(), compress=compress)) == names


def test_forward_stays_bit_for_bit() -> None:
    x = images()
    assert torch.equal(convert(small_network())(x), small_network()(x))


def test_an_optimizer_built_before_still_trains_the_model() -> None:
    model = small_network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = model[3].weight.detach().clone()
    convert(model)(images()).sum().backward()
    optimizer.step()
    assert not torch.equal(model[3].weight, before)


def test_hooks_mode_device_and_dtype_survive() -> None:
    model = small_network().double().eval()
    calls: list[str] = []
    model[0].register_forward_hook(lambda *_: calls.append("forward"))
    model[3].register_full_backward_hook(lambda *_: calls.append("backward"))
    model[3].weight.register_hook(lambda _: calls.append("weight"))
    convert(model)(images().double()).sum().backward()
    assert sorted(calls) == ["backward", "forward", "weight"]
    assert not any(module.training for module in model.modules())
    assert {p.dtype for p in model.parameters()} == {torch.float64}


@pytest.mark.parametrize(
    ("skip", "left"),
    [
        (["0"], {"0"}),
        ("inner", {"inner.0", "inner.1"}),
        (["inner.1", "0"], {"inner.1", "0"}),
        (lambda name, module: getattr(module, "groups", 1) > 1, {"inner.0"}),
        (lambda name, module: type(module) is nn.ReLU, {"1", "inner.1"}),
    ],
    ids=["name", "container", "names", "predicate", "predicate-of-class"],
)
def test_skip_takes_names_or_a_predicate(skip: Any, left: set[str]) -> None:
    def network() -> nn.Module:
        model = nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU())
        model.add_module("inner", nn.Sequential(nn.Conv2d(4, 4, 3, groups=2), nn.ReLU()))
        return model

    everything = {"0", "1", "inner.0", "inner.1"}
    model = convert(network(), skip=skip)
    assert set(swapped(model)) == everything - left
    assert set(swapped(convert(convert(network()), skip=skip))) == everything - left


def test_skip_knows_every_name_of_a_shared_module() -> None:
    shared = nn.Conv2d(3, 3, 3)
    model = nn.ModuleDict({"a": shared, "b": shared})
    convert(model, skip=["b"])
    assert type(shared) is nn.Conv2d


def test_converting_twice_probes_anew() -> None:
    model = convert(small_network(), probes=4, compress=["conv", "relu"])
    convert(model, probes=2, scheme="multi", compress=["conv"])
    assert swapped(model) == ["0", "3"]
    assert model[3]._xconv.probing == Probing(2, "multi")
    assert_same(revert(model).state_dict(), small_network().state_dict())


@pytest.mark.parametrize("used", [False, True], ids=["fresh", "after-a-step"])
def test_revert_leaves_no_trace(used: bool) -> None:
    model = small_network()
    types, held = classes(model), attributes(model)
    convert(model, probes=300, skip=["4"], first="exact")
    if used:
        model.eval()(images())
        model.train()
    assert revert(model) is model
    assert classes(model) == types
    assert attributes(model) == held
    assert_same(gradients(model, images()), gradients(small_network(), images()))


def test_revert_leaves_layers_alone_that_were_built_as_ours() -> None:
    model = nn.Sequential(XConv2d(3, 3, 3, probes=5), BitReLU(), nn.Conv2d(3, 3, 3))
    revert(convert(model))
    assert list(classes(model).values())[1:] == [XConv2d, BitReLU, nn.Conv2d]
    assert model[0]._xconv.probing.probes == 5


def test_revert_of_a_layer_that_was_parametrized_since() -> None:
    layer = convert(nn.Conv2d(4, 4, 3, dtype=torch.float64))
    twin = copy.deepcopy(layer)
    parametrizations.weight_norm(layer)
    parametrizations.weight_norm(twin)
    x = images(channels=4).double()
    expected = layer(x)
    revert(layer)
    assert type(layer).__name__ == "ParametrizedConv2d"
    assert not isinstance(layer, XConv2d) and isinstance(twin, XConv2d)
    torch.testing.assert_close(layer(x), expected)
    nn.utils.parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Conv2d


class LouderConv2d(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


class LouderReLU(nn.ReLU):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


class LouderGELU(nn.GELU):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


class LouderMaxPool2d(nn.MaxPool2d):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


def patched(module: nn.Module) -> nn.Module:
    """A module whose forward was replaced from outside, as hooks of some libraries do."""
    original = module.forward
    module.forward = lambda *args: 2 * original(*args)
    return module


def quantization_aware() -> nn.Module:
    from torch.ao.nn.qat import Conv2d
    from torch.ao.quantization import get_default_qat_qconfig

    return Conv2d(3, 3, 3, qconfig=get_default_qat_qconfig())


def parametrized_bias() -> nn.Module:
    layer = nn.Conv2d(3, 3, 3)
    nn.utils.parametrize.register_parametrization(layer, "bias", nn.Tanh())
    return layer


LEFT_ALONE: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "subclass": (lambda: LouderConv2d(3, 3, 3), "subclass LouderConv2d of Conv2d"),
    "relu-subclass": (LouderReLU, "subclass LouderReLU of ReLU"),
    "patched": (lambda: patched(nn.Conv2d(3, 3, 3)), "forward was replaced"),
    "patched-relu": (lambda: patched(nn.ReLU()), "forward was replaced"),
    "patched-transposed": (lambda: patched(nn.ConvTranspose2d(3, 3, 3)), "forward was replaced"),
    "gelu-subclass": (LouderGELU, "subclass LouderGELU of GELU"),
    "pool-subclass": (lambda: LouderMaxPool2d(2), "subclass LouderMaxPool2d of MaxPool2d"),
    "patched-dropout": (lambda: patched(nn.Dropout()), "forward was replaced"),
    "parametrized": (lambda: parametrizations.weight_norm(nn.Conv2d(3, 3, 3)), "parametrized"),
    "parametrized-bias": (parametrized_bias, "parametrized"),
    "spectral-norm": (lambda: nn.utils.spectral_norm(nn.Conv2d(3, 3, 3)), "hook"),
    "pruned": (lambda: prune.l1_unstructured(nn.Conv2d(3, 3, 3), "weight", 0.5), "hook"),
    "lazy": (lambda: nn.LazyConv2d(3, 3), "lazy"),
    "lazy-transposed": (lambda: nn.LazyConvTranspose2d(3, 3), "lazy"),
}


class NamedConv2d(nn.Conv2d):
    """A subclass with torch's forward pass, as torchvision's video networks have."""

    @staticmethod
    def helper() -> str:
        return "still here"


def test_a_subclass_with_the_forward_pass_of_torch_is_swapped() -> None:
    model = nn.Sequential(NamedConv2d(3, 4, 3), NamedConv2d(4, 4, 3))
    before = copy.deepcopy(model)
    convert(model, probes=4)
    layer = model[0]
    assert isinstance(layer, xconv.XConv2d) and isinstance(layer, NamedConv2d)
    assert type(layer) is type(model[1]) and layer.helper() == "still here"
    assert [entry.swapped for entry in xconv.account(model)] == [True, True]
    x = torch.randn(2, 3, 12, 12)
    for other in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(other[0]) is type(layer)
        torch.testing.assert_close(other(x), before(x), rtol=0, atol=0)
    xconv.revert(model)
    assert type(model[0]) is NamedConv2d and vars(model[0]).keys() == vars(before[0]).keys()


def test_a_subclass_is_restored_even_if_it_was_parametrized_meanwhile() -> None:
    model = convert(nn.Sequential(NamedConv2d(3, 4, 3)))
    nn.utils.parametrizations.weight_norm(model[0])
    assert isinstance(xconv.revert(model)[0], NamedConv2d)
    assert not isinstance(model[0], xconv.XConv2d)


@pytest.mark.parametrize(
    "call", [lambda: convert("resnet18"), lambda: xconv.account(None)], ids=["convert", "account"]
)
def test_what_is_no_module_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=r"must be a torch\.nn\.Module; got"):
        call()


def test_skip_must_name_or_tell() -> None:
    with pytest.raises(TypeError, match=r"skip must be names or a function .* got 3"):
        convert(nn.Sequential(nn.ReLU()), skip=3)


@pytest.mark.parametrize(("build", "reason"), LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_what_cannot_be_swapped_rightly_is_left_and_listed(
    build: Callable[[], nn.Module], reason: str
) -> None:
    model = nn.Sequential(build())
    held, kind = dict(vars(model[0])), type(model[0])
    entry, *_ = xconv.account(convert(model, compress=[f for f in FAMILIES if f != "functions"]))
    assert not entry.swapped and reason in entry.reason
    assert type(model[0]) is kind and vars(model[0]) == held


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_quantization_aware_layers_are_left_and_listed() -> None:
    qat = pytest.importorskip("torch.ao.nn.qat")
    (entry,) = xconv.account(convert(nn.Sequential(quantization_aware())))
    assert not entry.swapped and issubclass(qat.Conv2d, nn.Conv2d)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated")
def test_old_weight_norm_is_left_and_listed() -> None:
    (entry,) = xconv.account(convert(nn.Sequential(nn.utils.weight_norm(nn.Conv2d(3, 3, 3)))))
    assert not entry.swapped and "hook" in entry.reason


@pytest.mark.parametrize("other", [nn.ReLU6(), nn.LeakyReLU(), nn.GELU()], ids=repr)
def test_other_activations_are_not_relu(other: nn.Module) -> None:
    model = nn.Sequential(other)
    (entry,) = xconv.account(convert(model))
    assert (entry.swapped, entry.reason) == (False, "not converted")
    assert model[0] is other and type(other).__module__.startswith("torch")


def test_a_lazy_module_is_swapped_once_it_has_run() -> None:
    model = nn.Sequential(nn.LazyConv2d(3, 3))
    model(images())
    assert swapped(convert(model)) == ["0"]


def test_torchvision_s_resnet_with_its_shared_in_place_relus_trains() -> None:
    def network() -> nn.Module:
        torch.manual_seed(0)
        return import_torchvision().models.resnet18(num_classes=3).double()

    x = images(side=32).double()
    model = convert(network(), probes=4)
    expected, actual = gradients(network(), x), gradients(model, x)
    assert torch.equal(model(x), network()(x))
    estimated = {name for name, m in model.named_modules() if isinstance(m, XConv2d)}
    for name, gradient in expected.items():
        module = name.removesuffix(".weight")
        if module not in estimated or model.get_submodule(module)._xconv.falls_back:
            torch.testing.assert_close(actual[name], gradient)
        else:
            assert actual[name].any() and not torch.allclose(actual[name], gradient)


def test_a_failing_predicate_leaves_a_whole_model() -> None:
    def fail(name: str, module: nn.Module) -> bool:
        raise RuntimeError("no")

    model = small_network()
    with pytest.raises(RuntimeError, match="no"):
        convert(model, skip=fail)
    assert swapped(model) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"probes": -1}, "-1"),
        ({"scheme": "spectrum"}, "'spectrum'; did you mean 'spectral'"),
        ({"distribution": "cauchy"}, "'cauchy'.*rademacher, gaussian"),
        ({"compress": ["rnn"]}, "'rnn'.*list of conv, relu, .*or 'all'"),
        ({"compress": "conv"}, "'conv'.*list of conv, relu"),
        ({"compress": "pol"}, "cannot compress 'pol'; did you mean 'pool'"),
        ({"compress": ("conv", "pol")}, "cannot compress 'pol'; did you mean 'pool'"),
        ({"compress": None}, "cannot compress None; compress takes a list of conv, relu"),
        ({"skip": ["nowhere"]}, "'nowhere'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_arguments_change_nothing(arguments: dict[str, Any], words: str) -> None:
    model = convert(small_network(), probes=5)
    with pytest.raises(ValueError, match=words):
        convert(model, **arguments)
    assert swapped(model) == ["0", "2", "3", "4"] and model[0]._xconv.probing.probes == 5
