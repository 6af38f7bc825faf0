"""The container-credentials endpoint: credentials for every AWS SDK in the pod, from one server.

    GET /credentials       the first role's          AWS SDKs and Tools reference,
    GET /credentials/NAME  another one's             "Container credential provider"

Invariants: no answer with credentials without the authorization token; none to a browser, or by a
name that a page elsewhere could have pointed here (DNS rebinding); no secret in any log. What is
served is a view of a cache: nothing here knows of expiry.
"""
