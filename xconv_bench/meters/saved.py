"""The bytes that autograd keeps between the forward and the backward pass, as a column."""

from xconv.kept import KeptMeter


class SavedMeter(KeptMeter):
    """Count the bytes that autograd saved while this was entered, and still keeps."""

    @property
    def reading(self) -> dict[str, int]:
        """Return the column of this meter."""
        return {"saved_bytes": self.total_bytes}
