"""``partition`` in the form in which inductor takes it.

A module of its own, since inductor takes a second to import, and keeps what it is given by name.
"""

from typing import Any

from torch._inductor.custom_graph_pass import CustomPartitionerFn, get_hash_for_files

from xconv_bench.methods import partitioning


class Partition(CustomPartitionerFn):
    """Divides as torch does, but lets no random number be drawn twice."""

    def __call__(self, gm: Any, joint_inputs: Any, **kwargs: Any) -> Any:
        """Return the two graphs."""
        return partitioning.partition(gm, joint_inputs, **kwargs)

    def uuid(self) -> Any:
        """Return the key of compiled code: it depends on these files."""
        return get_hash_for_files((__file__, partitioning.__file__))
