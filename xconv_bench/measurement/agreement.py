"""Whether a simulated step takes what the real one takes, and which operators differ if not."""

from collections.abc import Iterator, Mapping

from xconv_bench.measurement.counting import Count

TOLERANCE = 0.01
"""The largest difference that counts as none, as a part of what the step itself takes."""

_MOST_NAMED = 3
_MIB = 2**20


def disagreement(simulated: Count, live: Count) -> str:
    """Say in words how two counts of the same step differ; nothing where they agree.

    >>> live = Count(3 * 2**20, 2**20, 0, 0, {"aten.mul": 2**20, "aten.add": 2**20})
    >>> disagreement(Count(2 * 2**20, 2**20, 0, 0, {"aten.mul": 2**20}), live)
    'simulated 2.00 MiB, in a real step 3.00 MiB: aten.add allocates 1.00 MiB, simulated 0 KiB'
    """
    if _agree(simulated, live):
        return ""
    differing = list(_differing(simulated.allocated_bytes, live.allocated_bytes))
    said = ", ".join(differing[:_MOST_NAMED]) or "the same operators, whose tensors live longer"
    if len(differing) > _MOST_NAMED:
        said += f" and {len(differing) - _MOST_NAMED} more operators differ"
    return (
        f"simulated {_amount(simulated.peak_bytes)}, "
        f"in a real step {_amount(live.peak_bytes)}: {said}"
    )


def learning_moves(before: Count, after: Count) -> str:
    """Say how the peak moved when schemes learnt to divide their bits; nothing where it stayed.

    >>> learning_moves(Count(4 * 2**20, 0, 0, 0, {}), Count(5 * 2**20, 0, 0, 0, {}))
    'bits divided by what layers saw move the peak from 4.00 MiB, as simulated, to 5.00 MiB'
    """
    if _agree(before, after):
        return ""
    return (
        f"bits divided by what layers saw move the peak from {_amount(before.peak_bytes)}, as "
        f"simulated, to {_amount(after.peak_bytes)}"
    )


def _agree(one: Count, other: Count) -> bool:
    taken = max(one.peak_bytes, other.peak_bytes) - other.start_bytes
    return abs(one.peak_bytes - other.peak_bytes) <= TOLERANCE * taken


def _differing(simulated: Mapping[str, int], live: Mapping[str, int]) -> Iterator[str]:
    """Yield the operators that allocate differently, those that differ most first."""
    names = {*simulated, *live}
    apart = {name: abs(live.get(name, 0) - simulated.get(name, 0)) for name in names}
    for name in sorted(names, key=lambda name: (-apart[name], name)):
        if apart[name]:
            real, fake = live.get(name, 0), simulated.get(name, 0)
            yield f"{name} allocates {_amount(real)}, simulated {_amount(fake)}"


def _amount(count: int) -> str:
    """Format bytes, fine enough to tell two apart that differ by a percent."""
    return f"{count / _MIB:.2f} MiB" if count >= _MIB else f"{count / 2**10:.4g} KiB"
