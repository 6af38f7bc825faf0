"""Admission webhook: patches the pods of a cluster with `inject`, when they are created.

    POST /mutate    AdmissionReview admission.k8s.io/v1    Kubernetes, "Dynamic Admission Control"

Invariants: a pod is admitted unchanged only if neither its annotations nor those of its service
account request credentials, or with a warning; only the name, namespace and service account of a
pod are logged.
"""
