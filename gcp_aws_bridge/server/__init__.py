"""Servers on loopback: container credentials endpoint, metadata server, health and metrics.

    GET /credentials       credentials of the first role     AWS SDKs and Tools reference,
    GET /credentials/NAME  credentials of another role       "Container credential provider"

Invariants: no credentials without the authorization token; none for a browser, or for a host name
that another site could have pointed to this machine (DNS rebinding); no secret in any log. All
credentials come from a cache, which decides about refreshes.
"""
