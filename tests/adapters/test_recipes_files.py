"""Libraries that read and write files through a file system, store or options from the adapters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import gcp_aws_bridge as bridge

from .conftest import ROLE, Pod, needs

pytestmark = needs("s3fs", "pyarrow")


@pytest.fixture
def options(pod: Pod) -> Iterator[dict[str, object]]:
    import s3fs as sdk

    from gcp_aws_bridge.adapters import s3fs

    yield s3fs.options(ROLE)
    sdk.S3FileSystem.clear_instance_cache()


@needs("pandas")
def test_pandas(pod: Pod, options) -> None:
    import pandas

    where = "s3://bucket/pandas.parquet"
    pandas.DataFrame({"word": ["hello"]}).to_parquet(where, storage_options=options)
    pod.uses(lambda: pandas.read_parquet(where, storage_options=options)["word"][0])


def test_pyarrow(pod: Pod, options) -> None:
    import pyarrow
    import pyarrow.dataset
    import pyarrow.fs
    import s3fs

    fs = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(s3fs.S3FileSystem(**options)))
    table = pyarrow.table({"word": ["hello"]})
    pyarrow.dataset.write_dataset(table, "bucket/arrow", filesystem=fs, format="parquet")
    words = pyarrow.dataset.dataset("bucket/arrow", filesystem=fs)
    pod.uses(lambda: words.to_table()["word"][0].as_py())


@needs("duckdb")
def test_duckdb(pod: Pod, options) -> None:
    import duckdb
    import s3fs

    with duckdb.connect() as db:
        db.register_filesystem(s3fs.S3FileSystem(**options))
        db.sql("COPY (SELECT 'hello' AS word) TO 's3://bucket/duck/0.parquet'")
        pod.uses(lambda: db.sql("SELECT word FROM 's3://bucket/duck/*.parquet'").fetchall()[0][0])


def delta_options(pod: Pod) -> dict[str, str]:
    key = bridge.credentials(ROLE).get_frozen_credentials()
    return {
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        "AWS_SESSION_TOKEN": key.token,
        "AWS_ENDPOINT_URL": pod.s3.url,
        "AWS_ALLOW_HTTP": "true",
    }


@needs("deltalake", "pandas")
def test_deltalake_table_keeps_its_first_keys(pod: Pod) -> None:
    import pyarrow
    from deltalake import DeltaTable, write_deltalake

    where = "s3://tables/words"
    words = pyarrow.table({"word": ["hello"]})
    write_deltalake(where, words, storage_options=delta_options(pod))
    table = DeltaTable(where, storage_options=delta_options(pod))
    assert 1 == len(pod.signers(lambda: table.to_pandas()["word"][0]))
    pod.travel(minutes=61)
    with pytest.raises(OSError, match="InvalidAccessKeyId"):
        table.to_pandas()
    table = DeltaTable(where, storage_options=delta_options(pod))  # made again for each job
    assert 1 == len(pod.signers(lambda: table.to_pandas()["word"][0]))


@needs("deltalake", "pandas")
def test_deltalake_reads_data_through_a_file_system(pod: Pod, options) -> None:
    import pyarrow
    import pyarrow.fs
    import s3fs
    from deltalake import DeltaTable, write_deltalake

    where = "s3://tables/words"
    words = pyarrow.table({"word": ["hello"]})
    write_deltalake(where, words, storage_options=delta_options(pod))
    table = DeltaTable(where, storage_options=delta_options(pod))
    fs = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(s3fs.S3FileSystem(**options)))
    data = pyarrow.fs.SubTreeFileSystem("tables/words", fs)
    pod.uses(lambda: table.to_pandas(filesystem=data)["word"][0])


@needs("obstore", "zarr")
def test_zarr(pod: Pod) -> None:
    import numpy
    import zarr
    from obstore.store import S3Store
    from zarr.storage import ObjectStore

    from gcp_aws_bridge.adapters import obstore

    store = S3Store(
        "bucket",
        prefix="zarr",
        endpoint=pod.s3.url,
        client_options={"allow_http": True},
        credential_provider=obstore.CredentialProvider(ROLE),
    )
    zarr.create_array(ObjectStore(store), data=numpy.arange(3))
    assert 3 == zarr.open_array(ObjectStore(store, read_only=True))[:].sum()
