"""deltalake as it is without settings: credentials by the AWS SDK for Rust, by its own chain."""

import sys

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

table = "s3://tables/numbers"
write_deltalake(table, pa.table({"word": ["hello"]}))
opened = DeltaTable(table)
for _ in sys.stdin:
    opened.update_incremental()  # lists
    print(opened.to_pyarrow_table()["word"][0].as_py(), flush=True)  # reads
