"""All tables and their columns: one file a table; ``shared`` has the columns of several.

A new column is declared here, in the file of its table, and nowhere else: how its cells are
written and read, what tables, pages and docs/columns.md call it, which way it regresses and what it
may be compared with follow from its declaration.
"""

from xconv_bench.results.schema.advice import ADVICE
from xconv_bench.results.schema.age import AGE
from xconv_bench.results.schema.column import Cell, Column, Schema
from xconv_bench.results.schema.error import ERROR
from xconv_bench.results.schema.estimates import ESTIMATES
from xconv_bench.results.schema.frontier import FRONTIER
from xconv_bench.results.schema.layers import LAYERS
from xconv_bench.results.schema.max_batch import MAX_BATCH
from xconv_bench.results.schema.memory import MEMORY
from xconv_bench.results.schema.runtime import RUNTIME
from xconv_bench.results.schema.shared import ALL_LAYERS
from xconv_bench.results.schema.training import TRAINING
from xconv_bench.results.schema.variance import VARIANCE
from xconv_bench.results.schema.variance_law import VARIANCE_LAW

__all__ = ["ALL_LAYERS", "COLUMNS", "TABLES", "Cell", "Column", "Schema"]

TABLES = {
    schema.name: schema
    for schema in (
        MEMORY, MAX_BATCH, FRONTIER, ADVICE, RUNTIME, LAYERS, ERROR, AGE, VARIANCE, TRAINING,
        ESTIMATES, VARIANCE_LAW,
    )
}  # fmt: skip
"""All tables by their names, in the order of reports."""

COLUMNS = {column.name: column for schema in TABLES.values() for column in schema.columns}
"""All columns by their names, for who does not know the table; the meaning may be another there."""
