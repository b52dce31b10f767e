"""Notebooks run without Jupyter: their cells in turn, what they print and show as text."""

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any


def cells_of(notebook: Path) -> list[dict[str, Any]]:
    """The cells of code."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def shown_text(cell: dict[str, Any]) -> str:
    """The text of the outputs that are stored with a cell."""
    found = [output.get("text") or output["data"]["text/plain"] for output in cell["outputs"]]
    return "".join("".join(part) for part in found)


def run(sources: list[str]) -> list[tuple[str, Any]]:
    """Return what each cell prints, with what its last line shows, and that object."""
    names: dict[str, Any] = {"__name__": "__main__"}
    found = []
    for source in sources:
        *body, last = ast.parse(source).body
        shown = None
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(ast.Module(body, []), "cell", "exec"), names)
            if isinstance(last, ast.Expr):
                shown = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            else:
                exec(compile(ast.Module([last], []), "cell", "exec"), names)
        text = "" if shown is None else str(shown)
        found.append((printed.getvalue() + text, shown))
    return found


def store(notebook: Path) -> None:
    """Run a notebook and store what its cells show: ``python tests/support/notebooks.py FILE``."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    results = run(["".join(cell["source"]) for cell in cells])
    for number, (cell, (text, shown)) in enumerate(zip(cells, results, strict=True), 1):
        data: dict[str, Any] = {"text/plain": text.splitlines(keepends=True)}
        if hasattr(shown, "_repr_png_"):
            data["image/png"] = base64.b64encode(shown._repr_png_()).decode()
        result = {
            "output_type": "execute_result", "execution_count": number, "metadata": {},
            "data": data,
        }  # fmt: skip
        cell |= {"execution_count": number, "outputs": [result] if text else []}
    notebook.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    store(Path(sys.argv[1]))
