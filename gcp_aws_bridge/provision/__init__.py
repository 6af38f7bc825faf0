"""From a plan to what is to be run: a shell script, Terraform, Kubernetes manifests.

Pure: values in, text out. Nothing here runs anything, or reads a file, the environment or a clock.
"""
