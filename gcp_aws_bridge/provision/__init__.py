"""Writes a plan as a shell script, Terraform or Kubernetes manifests, and checks it.

Pure functions: nothing here runs a program, or reads a file, the environment or a clock.
"""
