"""deltalake (Rust's object_store): writes a table once, and reads it at each line."""

import os
import sys

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

options = {
    "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL_S3"],
    "AWS_ALLOW_HTTP": "true",
    "AWS_REGION": "us-east-1",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
}
table = "s3://tables/numbers"
written = pa.table({"word": ["hello"]})
write_deltalake(table, written, storage_options=options)
opened = DeltaTable(table, storage_options=options)
for _ in sys.stdin:
    opened.update_incremental()  # lists
    print(opened.to_pyarrow_table()["word"][0].as_py(), flush=True)  # reads
