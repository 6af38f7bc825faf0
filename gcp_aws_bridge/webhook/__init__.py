"""Admission webhook: patches the pods of a cluster with `inject`, when they are created.

    POST /mutate    AdmissionReview admission.k8s.io/v1    Kubernetes, "Dynamic Admission Control"

Invariants: a pod is admitted unchanged only if its annotations and those of its service account
request nothing; nothing of a pod is logged except its name, namespace and service account.
"""
