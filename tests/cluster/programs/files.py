"""gcsfs, by the credentials that it finds: writes an object and lists its bucket."""

import os

import gcsfs

files = gcsfs.GCSFileSystem(
    token="google_default", endpoint_url=os.environ["API_ENDPOINT_OVERRIDE"]
)
files.pipe("bucket/word", b"hello")
print(*(name.removeprefix("bucket/") for name in files.ls("bucket")))
