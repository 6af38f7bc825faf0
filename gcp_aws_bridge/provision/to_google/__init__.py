"""The other direction: a workload on AWS calls Google Cloud with Workload Identity Federation."""
