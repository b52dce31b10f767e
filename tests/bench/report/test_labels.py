"""Labels say ``all`` for all families, and networks without the files of their inputs and loss."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from xconv.conversion import FAMILIES
from xconv_bench.knobs import FAMILY_NAMES
from xconv_bench.naming import join_model, method_words, model_words, models_apart, split_model
from xconv_bench.report.rows import settings_of
from xconv_bench.report.tables import print_table
from xconv_bench.results.schema import TABLES

MakeRow = Callable[..., dict[str, Any]]

ALL = ",".join(FAMILIES)
GIVEN = {"inputs": ("det.py:batch", "a4dbd813"), "loss": ("det.py:loss", "a4dbd813")}
OWN = join_model("det.py:Detector", GIVEN)
CHANGED = join_model("det.py:Detector", GIVEN | {"loss": ("det.py:loss", "00000000")})
OTHER = join_model("det.py:Detector", {"inputs": ("det.py:more", "a4dbd813")})


def printed(rows: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    print_table("memory", rows, file=file)
    return file.getvalue()


def test_every_family_is_all(make_row: MakeRow) -> None:
    assert tuple(FAMILIES) == FAMILY_NAMES
    row = make_row(method="xconv", scheme="multi", probes=8, compress=ALL, saved_bytes=1)
    assert method_words(row) == "xconv multi r=8 all"
    assert method_words({**row, "compress": "conv,relu"}) == "xconv multi r=8 conv,relu"
    assert "xconv multi r=8 all" in printed([row]) and row["compress"] == ALL


@pytest.mark.parametrize("name", [OWN, OTHER, "net.py:Net", "timm:net?in=3", "a?b"])
def test_the_name_of_a_network_is_put_together_again(name: str) -> None:
    assert join_model(*split_model(name)) == name
    assert model_words(name) == name.partition("?inputs")[0]


def test_networks_are_told_apart_in_few_words() -> None:
    whole = "det.py:Detector (inputs det.py:batch, loss det.py:loss)"
    assert models_apart([OWN, OWN, "resnet18"])[OWN] == "det.py:Detector"
    assert models_apart([OWN, OTHER]) == {OWN: whole, OTHER: "det.py:Detector (inputs det.py:more)"}
    assert models_apart([OWN, CHANGED])[CHANGED] == (
        "det.py:Detector (inputs det.py:batch@a4dbd813, loss det.py:loss@00000000)"
    )
    assert models_apart([OWN], whole=True) == {OWN: whole}


def test_a_table_says_inputs_and_loss_in_its_heading(make_row: MakeRow) -> None:
    rows = [make_row(model=OWN, probes=n, saved_bytes=n) for n in (1, 2)]
    assert printed(rows).startswith("det.py:Detector (inputs det.py:batch, loss det.py:loss), ")
    assert printed(rows).count("det.py:batch") == 1
    both = printed([*rows, make_row(model=OTHER, saved_bytes=3)])
    assert "det.py:Detector (inputs det.py:more)" in both and "a4dbd813" not in both


def test_settings_differ_where_their_networks_do(make_row: MakeRow) -> None:
    key = TABLES["memory"].key
    found = settings_of([make_row(model=OWN), make_row(model="resnet18")], key)
    assert [setting.apart for setting in found] == ["det.py:Detector", "resnet18"]
    assert found[0].suffix == "_det.py-Detector"
    for other in (OTHER, CHANGED):
        first, second = settings_of([make_row(model=OWN), make_row(model=other)], key)
        assert first.apart != second.apart and first.title != second.title
        assert first.suffix != second.suffix
