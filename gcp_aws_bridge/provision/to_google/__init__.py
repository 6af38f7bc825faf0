"""The other direction: a workload on AWS calls Google Cloud, by Workload Identity Federation."""
