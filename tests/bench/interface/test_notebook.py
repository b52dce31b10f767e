"""The notebook of ``examples/`` runs, and shows what is stored with it."""

from pathlib import Path

import notebooks

NOTEBOOK = Path(__file__).resolve().parents[3] / "examples" / "measuring.ipynb"


def test_the_notebook_shows_what_is_stored_with_it() -> None:
    cells = notebooks.cells_of(NOTEBOOK)
    results = notebooks.run(["".join(cell["source"]) for cell in cells])
    assert [text for text, _ in results] == [notebooks.shown_text(cell) for cell in cells]
    stored = [any("image/png" in out["data"] for out in cell["outputs"]) for cell in cells]
    # A bare kernel shows what displays itself.
    assert any(stored) and stored == [hasattr(shown, "_repr_png_") for _, shown in results]
