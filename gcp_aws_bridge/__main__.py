"""`python -m gcp_aws_bridge` is the same program as `gcp-aws-bridge`."""

import sys

from gcp_aws_bridge.cli import main

if __name__ == "__main__":
    sys.exit(main())
