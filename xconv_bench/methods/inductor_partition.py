"""``partition`` in the form in which inductor takes it.

A module of its own, since inductor takes a second to import, and keeps what it is given by name.
"""

from typing import Any

from torch._inductor.custom_graph_pass import CustomPartitionerFn, get_hash_for_files

from xconv_bench.methods import compile_budget


class Partition(CustomPartitionerFn):
    """torch's own division into forward and backward, but no random number is drawn twice."""

    def __call__(self, gm: Any, joint_inputs: Any, **kwargs: Any) -> Any:
        """The two graphs."""
        return compile_budget.partition(gm, joint_inputs, **kwargs)

    def uuid(self) -> Any:
        """What compiled code is known by: it depends on these files."""
        return get_hash_for_files((__file__, compile_budget.__file__))
