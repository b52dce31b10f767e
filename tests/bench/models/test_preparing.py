"""Networks are read, cast and switched past methods that their classes override."""

from collections import OrderedDict
from pathlib import Path

import overriding_networks as networks
import pytest
import torch
from torch import Tensor, nn

from xconv import account, contents, convert, revert
from xconv_bench.errors import BenchError
from xconv_bench.models import preparing
from xconv_bench.models.weight_files import put_weights, read_weights

OVERRIDING = pytest.mark.parametrize("network", [networks.says_nothing, networks.refuses])


@OVERRIDING
def test_contents_are_those_of_the_plain_network(network: type[nn.Module]) -> None:
    model, plain = network(), networks.plain()
    plain.register_module("shared", plain.stem)
    model._modules["shared"] = model._modules["stem"]
    for listed in ("named_modules", "named_parameters", "named_buffers"):
        own = [name for name, _ in getattr(contents, listed)(model)]
        assert own == [name for name, _ in getattr(plain, listed)()]
    every = [name for name, _ in contents.named_modules(model, remove_duplicate=False)]
    assert every == [name for name, _ in plain.named_modules(remove_duplicate=False)]
    assert len(list(contents.children(model))) == len(list(plain.children()))


@OVERRIDING
def test_the_layer_is_swapped_in_and_out(network: type[nn.Module]) -> None:
    model = network()
    kinds = [type(module) for module in contents.modules(model)]
    convert(model, probes=2)
    assert len(account(model).swapped) == 5
    assert [type(module) for module in contents.modules(revert(model))] == kinds


@OVERRIDING
def test_what_is_done_to_a_network(network: type[nn.Module]) -> None:
    model, plain = network(), networks.plain()
    preparing.copy_tensors(plain, model)
    preparing.cast(model, torch.float64)
    preparing.train(model)
    plain.double()
    assert list(preparing.tensors_of_state(model)) == list(plain.state_dict())
    for own, other in zip(contents.parameters(model), plain.parameters(), strict=True):
        assert own.equal(other)
        own.grad = torch.ones_like(own)
    preparing.clear_gradients(model)
    assert {parameter.grad for parameter in contents.parameters(model)} == {None}
    preparing.run_once(model, torch.zeros(2, 3, 8, 8, dtype=torch.float64))
    assert int(model.blocks[0].norm.num_batches_tracked) == 0


def test_training_mode_is_what_the_network_makes_of_it() -> None:
    model = networks.keeps_statistics().eval()
    preparing.train(model)
    modes = {name: module.training for name, module in model.named_modules()}
    assert not modes.pop("blocks.0.norm") and not modes.pop("blocks.1.norm")
    assert all(modes.values())


def test_a_training_loop_is_not_called() -> None:
    class Trainer(nn.Sequential):
        def train(self, loader: object) -> None:  # type: ignore[override]
            raise AssertionError

    model = Trainer(nn.Dropout())
    model[0].training = False
    preparing.train(model)
    assert model[0].training


def dtypes(model: nn.Module) -> dict[str, torch.dtype]:
    return {name: t.dtype for name, t in (*model.named_parameters(), *model.named_buffers())}


@pytest.mark.parametrize(
    ("dtype", "complexes"),
    [
        (torch.float32, torch.complex64),
        (torch.float64, torch.complex128),
        (torch.bfloat16, torch.complex64),
        (torch.float16, torch.complex64),
    ],
    ids=str,
)
def test_complex_tensors_keep_their_imaginary_part(
    dtype: torch.dtype, complexes: torch.dtype
) -> None:
    model = networks.Fourier()
    before = model.weight.detach().clone()
    parameter = model.weight
    preparing.cast(model, dtype)
    found = dtypes(model)
    assert found.pop("weight") == found.pop("phase") == complexes
    assert set(found.values()) == {dtype}
    assert model.weight is parameter and model.weight.detach().to(before.dtype).equal(before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32], ids=str)
def test_parts_of_a_fixed_precision_keep_it(dtype: torch.dtype) -> None:
    model = networks.HalfInside()
    preparing.cast(model, dtype)
    assert [p.dtype for p in model.parameters()][::2] == [dtype, torch.bfloat16, torch.float64]


def test_a_network_of_another_precision_is_cast_as_a_whole() -> None:
    model = networks.half_outside()
    preparing.cast(model, torch.float32)
    assert {d for d in dtypes(model).values() if d.is_floating_point} == {torch.float32}


def test_tensors_that_a_network_carries_along_are_cast_with_it() -> None:
    model = networks.MovesItself()
    preparing.cast(model, torch.float64)
    assert model.grid.dtype == torch.float64


def test_recurrent_networks_keep_their_weights_together() -> None:
    """torch's own override, which knows the weights by another list, too."""
    model = nn.LSTM(3, 4)
    preparing.cast(model, torch.float64)
    output, _ = model(torch.ones(2, 1, 3, dtype=torch.float64))
    assert output.dtype == torch.float64
    assert all(w is p for w, p in zip(model._flat_weights, model.parameters(), strict=True))


def test_another_structure_is_refused() -> None:
    with pytest.raises(BenchError, match=r"not built the same twice: weight differs; seed what"):
        preparing.copy_tensors(nn.Linear(2, 3), nn.Linear(3, 3))
    with pytest.raises(BenchError, match=r"not built the same twice: bias differs"):
        preparing.copy_tensors(nn.Linear(2, 3, bias=False), nn.Linear(2, 3))


@OVERRIDING
def test_weights_go_into_a_file_and_out_of_it(network: type[nn.Module], tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    plain, model = networks.plain(), network()
    torch.save(preparing.tensors_of_state(plain), path)
    put_weights(model, read_weights(path), str(path), "look again")
    for own, other in zip(contents.parameters(model), plain.parameters(), strict=True):
        assert own.equal(other)


class Extra(nn.Linear):
    def get_extra_state(self) -> object:
        return {"steps": 3}

    def set_extra_state(self, state: object) -> None:
        pass


def test_state_that_is_no_tensor_is_left_where_it_is() -> None:
    model = nn.Sequential(OrderedDict(first=Extra(2, 2)))
    weights: dict[str, Tensor] = preparing.tensors_of_state(Extra(2, 2))
    named = {f"first.{name}": tensor for name, tensor in weights.items()}
    put_weights(model, named, "file", "look again")
    assert model.first.weight.equal(weights["weight"])
