"""A figure of matplotlib that a notebook shows without being told how."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure


class Picture(Figure):
    """A figure that displays itself as the last line of a cell, as ``savefig`` draws it.

    IPython shows figures of matplotlib only after ``%matplotlib inline``; its own way then goes
    before this one, so that nothing is shown twice.
    """

    def _repr_png_(self) -> bytes:
        content = BytesIO()
        self.savefig(content, format="png", metadata={"Software": None})
        return content.getvalue()
