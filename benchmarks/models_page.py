"""The rows of ``benchmarks.all_models`` as a page of Markdown."""

from collections.abc import Sequence
from importlib.metadata import version
from itertools import groupby
from operator import itemgetter
from typing import Any

from xconv_bench.amounts import format_bytes
from xconv_bench.report.words import format_ratio

_INTRODUCTION = """\
# Every model, converted

This page shows that every network with a name here can be converted, trained for a step and
reverted, and how much memory that saves. {passed} of {all} networks pass.
`python -m benchmarks.all_models --output docs` has made it and [models.csv](models.csv), with torch
{torch} and torchvision {torchvision}, on a CPU.

**check** is real. At 64 pixels a side, or the next size that the network takes, and a batch of 2,
the network is converted (`xconv.convert`, 8 probes), trained for a step and reverted. `ok` says:

- converted, its outputs in evaluation mode and the loss of its training step are those of the exact
  network, bit for bit; so are the gradients of whatever is no convolution, but for rounding;
- every gradient is finite, and a step of SGD leads to other weights, all finite;
- reverted, its modules have their own classes again, and with the old weights loaded (`strict`) it
  has the old weights and outputs, bit for bit.

The other columns are counted at the size that the network was designed for and a batch of 16,
simulated. **convolutions** and **ReLUs** say how many modules are swapped, of how many.
**small** are convolutions left exact because 8 probes of their input are no smaller than the input:
those of squeeze-and-excitation and of pooled features, which see one pixel, for the most part.
**saved** is what autograd keeps of a forward pass, and **ratio** relates the two.
{earlier}
Why ratios are not lower:

- Batch normalisation keeps its input, the output of a convolution: ResNets, RegNets, DenseNets,
  MnasNets and ShuffleNets end between 0.46 and 0.68, and SqueezeNet, without it, near 0.4.
- Max pooling keeps its input and eight bytes an output: nearly all that is left of the VGGs.
- **other activations** (SiLU, GELU, Hardswish, ReLU6) are not swapped here and keep their input,
  so that a convolution, its normalisation and its activation go from three tensors to two.
- GoogLeNet and Inception call `torch.nn.functional.relu`, which is no module and keeps its output,
  unless `compress` names `functions`.
- A ReLU that is swapped before a convolution that is not saves nothing: both had kept one tensor.
- Transformers have one convolution, or a few.
"""

_EARLIER = """
The rows of {} networks, those without a date in the table, are of an earlier version, which
compressed the first convolution too. Today it is exact, since its input is the batch, which is held
anyway: a convolution fewer is swapped, and the ratio is 0.82 for alexnet and 0.67 for mobilenet_v2,
for instance.
"""
_SMALL = "the sketch would be no smaller than the input"
"""The reason that ``xconv.account`` gives for small convolutions."""


def page(rows: Sequence[dict[str, Any]]) -> str:
    """Return the page: the meaning of its columns, then a table for each family of networks."""
    passed = sum(row["check"] == "ok" for row in rows)
    earlier = [row for row in rows if not row.get("measured")]
    introduction = _INTRODUCTION.format(
        torch=version("torch"), torchvision=version("torchvision"), passed=passed, all=len(rows),
        earlier=_EARLIER.format(len(earlier)) if earlier else "",
    )  # fmt: skip
    by_family = groupby(sorted(rows, key=itemgetter("family")), key=itemgetter("family"))
    return "\n".join([introduction, *(_section(family, list(own)) for family, own in by_family)])


def _section(family: str, rows: Sequence[dict[str, Any]]) -> str:
    heading = [
        f"## {family.capitalize()}", "",
        "| model | parameters | convolutions | ReLUs | saved: exact | xconv | ratio | "
        "left exact | other activations | check |",
        "|---|--:|--:|--:|--:|--:|--:|---|---|---|",
    ]  # fmt: skip
    return "\n".join([*heading, *map(line, rows), ""])


def line(row: dict[str, Any]) -> str:
    """Return one row of a table."""
    known = "parameters" in row
    cells = [
        row["model"],
        f"{row['parameters'] / 1e6:.2f} M" if known else "",
        f"{row['convolutions_swapped']} of {row['convolutions']}" if known else "",
        f"{row['relus_swapped']} of {row['relus']}" if known else "",
        format_bytes(row["exact_saved_bytes"]) if known else "",
        format_bytes(row["xconv_saved_bytes"]) if known else "",
        format_ratio(row["saved_ratio"]) if known else "",
        row.get("left", "").replace(_SMALL, "small"),
        row.get("other", ""),
        row["check"],
    ]
    return f"| {' | '.join(cells)} |"
