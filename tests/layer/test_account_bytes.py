"""``account`` of a model and an example: who keeps how many bytes, and they add up to all."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from layer_cases import images, small_network
from own_networks import plain, reads_itself
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from xconv import account, convert
from xconv_bench.meters.saved import SavedMeter
from xconv_bench.models import find

BATCH, SIDE = 4, 16
MAP = 4 * BATCH * 3 * SIDE**2
"""Bytes of a batch of images of three channels."""


class CallsFunctions(nn.Module):
    """Functions that a family reaches, and some that none does."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, image: Tensor) -> Tensor:
        features = F.max_pool2d(F.relu(self.norm(self.conv(image))), 2)
        return (features.exp() * features.sigmoid()).mean((2, 3))


def block() -> nn.Module:
    return nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "resnet18": (lambda: find("resnet18").build(32), lambda: images(BATCH, side=32)),
    "unet": (lambda: find("paper/unet").build(32), lambda: images(2, side=32)),
    "transformer": (block, lambda: torch.ones(2, 5, 16)),
    "functions": (CallsFunctions, lambda: images(BATCH, side=SIDE)),
}


QUICK: dict[str, Any] = {"scheme": "quantized", "bits": 2}
"""The usual scheme takes seconds for networks of many layers."""


def measured(model: nn.Module, input: Tensor) -> int:
    """Return the bytes that the benchmark's meter reads of a real forward pass."""
    model = copy.deepcopy(model)
    with SavedMeter([*model.parameters(), *model.buffers()]) as meter:
        output = model(input)
    saved = meter.reading["saved_bytes"]
    del output
    return saved


@pytest.mark.parametrize("network", NETWORKS)
def test_bytes_add_up_to_what_is_measured(network: str) -> None:
    build, make_input = NETWORKS[network]
    torch.manual_seed(0)
    model, input = build(), make_input()
    exact = measured(model, input)
    found = account(model, input)
    assert found.kept_bytes == found.exact_bytes == exact > 0
    convert(model, compress="all", **(QUICK if network in ("resnet18", "unet") else {}))
    found = account(model, input)
    assert found.kept_bytes == measured(model, input) < exact == found.exact_bytes
    assert sum(total.kept_bytes for total in found.families) == found.kept_bytes
    assert sum(total.exact_bytes for total in found.families) == exact


def test_those_that_keep_most_come_first() -> None:
    kept = [entry.kept_bytes for entry in account(small_network(), images())]
    assert kept == sorted(kept, key=lambda count: -(count or 0)) and kept[0] and kept[-1] == 0


def test_every_module_of_a_family_is_there_with_its_reason() -> None:
    model = convert(small_network(), skip=["3"])
    with_bytes = {entry.name: entry.reason for entry in account(model, images())}
    assert "its input is the batch" in with_bytes["0"]  # known, since the copy has run
    assert with_bytes["3"] == "skipped on request" and with_bytes["1"] == "not converted"
    assert with_bytes.keys() == {entry.name for entry in account(model)}


def test_what_functions_keep_counts_for_the_module_that_calls_them() -> None:
    model = nn.Sequential(CallsFunctions())
    found = {entry.name: entry for entry in account(model, images(BATCH, side=SIDE))}
    assert (found["0"].family, found["0.norm"].family) == ("functions", "norm")
    converted = account(convert(model, compress="all"), images(BATCH, side=SIDE))
    (entry,) = (entry for entry in converted if entry.name == "0")
    assert entry.swapped and "relu" in entry.reason
    assert 0 < (entry.kept_bytes or 0) < (entry.exact_bytes or 0)
    assert entry.exact_bytes == found["0"].kept_bytes


def test_a_shared_storage_counts_once_for_the_first_that_saved_it() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)

        def forward(self, image: Tensor) -> Tensor:
            return self.left(image) + self.right(image)

    found = {e.name: e.kept_bytes for e in account(Branches(), images(BATCH, side=SIDE))}
    assert found == {"left": MAP, "right": 0}


def test_a_module_that_runs_twice_counts_for_both_times() -> None:
    relu = nn.ReLU()
    model = nn.Sequential(nn.Conv2d(3, 3, 1), relu, nn.Conv2d(3, 3, 1), relu)
    found = {e.name: e.kept_bytes for e in account(model, images(BATCH, side=SIDE))}
    assert found == {"0": MAP, "1": 2 * MAP, "2": 0}


def test_a_frozen_part_keeps_nothing() -> None:
    model = small_network()
    model[:3].requires_grad_(False)
    for compress in ("conv", "norm"), "all":
        found = {e.name: e.kept_bytes for e in account(convert(model, compress=compress), images())}
        assert found["0"] == found["1"] == found["2"] == 0
    assert account(model.requires_grad_(False), images()).kept_bytes == 0


def test_parameters_and_buffers_do_not_count() -> None:
    model = nn.Linear(6, 6)
    assert account(model, torch.zeros(2, 6)).kept_bytes == 4 * 2 * 6
    assert account(model.eval(), torch.zeros(2, 6)).kept_bytes == 4 * 2 * 6


def test_nobody_notices() -> None:
    model = convert(small_network(), compress="all")
    model(images())
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    for mode in torch.no_grad, torch.inference_mode:  # the caller's, which is none in training
        with mode():
            found = account(model, images())
        assert found.kept_bytes > 0
    assert torch.get_rng_state().equal(state)
    assert all(before[name].equal(value) for name, value in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert account(model, images()) == found


def test_nothing_is_computed() -> None:
    """A batch that no machine holds."""
    image = torch.empty(1, 3, 64, 64).expand(2**24, 3, 64, 64)
    assert account(small_network(), image).kept_bytes > 2**42


def test_a_network_that_reads_numbers_is_really_run() -> None:
    model, input = reads_itself(), images()
    assert account(model, input).kept_bytes == measured(model, input)


def test_a_lazy_network_gets_its_shapes_in_the_copy() -> None:
    model = plain()
    assert account(model, images()).kept_bytes > 0
    assert isinstance(model[-1], nn.LazyLinear)


def test_what_enters_a_checkpoint_is_told_apart() -> None:
    class Checkpointed(nn.Module):
        def __init__(self, use_reentrant: bool) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 3, 1)
            self.block = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 1))
            self.use_reentrant = use_reentrant

        def forward(self, image: Tensor) -> Any:
            features = self.first(image)
            return checkpoint(self.block, features, use_reentrant=self.use_reentrant)

    for use_reentrant in (False, True):
        found = account(Checkpointed(use_reentrant), images(BATCH, side=SIDE))
        kept = {(e.name, e.family): e.kept_bytes for e in found if e.kept_bytes}
        assert kept == {("first", "conv"): MAP, ("", "checkpoint"): MAP}


def test_several_arguments() -> None:
    model = nn.Bilinear(3, 4, 2)
    found = account(model, (torch.zeros(5, 3), torch.zeros(5, 4)))
    assert [(e.name, e.kind, e.family) for e in found] == [("", "Bilinear", "other")]
    assert found.kept_bytes == 4 * 5 * (3 + 4)


@pytest.mark.parametrize(
    "example", [torch.zeros(2, 7), (1, 2, 3), "image"], ids=["shape", "arguments", "kind"]
)
def test_a_model_that_fails(example: Any) -> None:
    model = small_network()
    with pytest.raises(ValueError, match=r"does not run on the example: .*; give what") as caught:
        account(model, example)
    assert len(str(caught.value).splitlines()) == 1
    assert account(model).kept_bytes == 0  # as it was


def test_the_printed_table() -> None:
    model = convert(nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Softmax(1)))
    assert str(account(model, torch.zeros(8, 3, 34, 34))) == "\n".join(
        [
            "module  class    family   MiB  exactly  share  how, or why not",
            "2       Softmax  other   2.00     2.00  92.2%  no family compresses this class",
            "0       XConv2d  conv    0.11     0.11   4.9%  its input is the batch (108 KiB), "
            "which is held anyway",
            "1       BitReLU  relu    0.06     2.00   2.9%  one bit an element",
            "",
            "family  modules   MiB  exactly  share",
            "other         1  2.00     2.00  92.2%",
            "conv          1  0.11     0.11   4.9%",
            "relu          1  0.06     2.00   2.9%",
            "",
            "2.17 MiB kept for the backward pass, 4.11 exactly; 1 swapped, 2 left alone",
        ]
    )
