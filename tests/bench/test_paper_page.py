"""The page of the paper's figures: every table is that of committed files, or says "not run"."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import vanillanet_forms
from benchmarks.paper_page import NOT_RUN, VANILLANET_BATCHES, write_page

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    for name in ("paper.md", "training/tasks/training.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(DOCS / name, tmp_path / name)
    return tmp_path


def test_the_page_is_that_of_the_committed_tables(docs: Path) -> None:
    shutil.copytree(DOCS / "paper", docs / "paper")
    write_page(docs / "paper.md", docs)
    assert (docs / "paper.md").read_text() == (DOCS / "paper.md").read_text()


def test_what_was_not_run_is_said_to_be_so(docs: Path) -> None:
    write_page(docs / "paper.md", docs)
    lines = (docs / "paper.md").read_text().splitlines()
    assert f"| paper/ddpm, 32 px, batch 2 | {NOT_RUN} |" in lines
    assert f"| paper/triconvunext, 256 px, batch 16 | {NOT_RUN} |" in lines
    size, published = next(iter(VANILLANET_BATCHES.items()))
    exact, probed = published["exact"], published["r=16"]
    assert f"| {size} px | {NOT_RUN} | {exact} | {NOT_RUN} | {probed} | {NOT_RUN} |" in lines


@pytest.mark.parametrize(
    ("form", "convolutions", "side"),
    [("evaluating", 29, 16), ("wide_stem", 29, 15), ("without_series", 20, 15)],
)
def test_each_form_of_vanillanet_takes_its_step(form: str, convolutions: int, side: int) -> None:
    with torch.device("meta"):
        model = getattr(vanillanet_forms, form)().train()
        maps = model.stem(torch.empty(2, 3, 64, 64))
    modules = list(model.modules())
    assert sum(isinstance(module, nn.Conv2d) for module in modules) == convolutions
    assert not any(module.training for module in modules if isinstance(module, nn.BatchNorm2d))
    assert maps.shape[-2:] == (side, side)


def test_masks_of_a_byte_have_the_gradient_of_a_relu() -> None:
    x = torch.linspace(-1, 1, 7, requires_grad=True)
    found, exact = (
        torch.autograd.grad(relu(x).square().sum(), x)[0]
        for relu in (vanillanet_forms.ByteReLU(), nn.ReLU())
    )
    assert torch.equal(found, exact)
