"""Panels of a picture, side by side."""

from itertools import pairwise

import pytest

from xconv_bench.report.canvas import drawn
from xconv_bench.report.canvas.axes import Axis
from xconv_bench.report.canvas.curves import Curves, Panel

LONG = "xconv orthogonal conv,relu,pool,act first compressed r=256"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_their_titles_leave_each_other_room(count: int) -> None:
    described = Curves("", Axis(), Axis(), [Panel([], LONG)] * count, [], [], panel_inches=3.0)
    ((_, picture),) = drawn([("panels", described)])
    picture.draw_without_rendering()
    places = [axes.title.get_window_extent() for axes in picture.axes]
    assert all(left.x1 < right.x0 for left, right in pairwise(places))
    assert places[0].x0 > 0 and places[-1].x1 < picture.bbox.x1
