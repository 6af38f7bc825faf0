"""pyarrow's S3FileSystem (the AWS SDK for C++), by its own default chain."""

import os
import sys

from pyarrow import fs

endpoint = os.environ["AWS_ENDPOINT_URL_S3"].removeprefix("http://")
s3 = fs.S3FileSystem(region="us-east-1", endpoint_override=endpoint, scheme="http")
for _ in sys.stdin:
    [found] = s3.get_file_info(fs.FileSelector("bucket"))
    print(s3.open_input_stream(found.path).read().decode(), flush=True)
