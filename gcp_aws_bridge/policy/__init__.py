"""Trust policies: write them, explain whether they admit a token, and find mistakes.

    build, statement_for    write the policy that admits accounts, or the bearer of a token
    evaluate                compare the claims of a token with a policy, condition by condition
    requests_of             the requests for the chained roles of a `Role`
    build_chained           write the policy that admits the role before it in a chain
    permissions_for         write the policy of the role before it
    evaluate_chained        compare an AssumeRole request with a policy
    lint                    find what a policy admits or denies by mistake
    render                  write a policy as JSON, Terraform or CloudFormation
    render_permissions      do the same for a policy of the role before it

Pure functions: no network, no clock, no environment. Signature and expiration of a token are not
checked. The rules are those of the IAM user guide; each module names its pages. Conditions that are
not evaluated are reported, and never count as met.
"""

from .authorized_party import CLIENT as CLIENT
from .authorized_party import EMAIL as EMAIL
from .authorized_party import aws_audience as aws_audience
from .authorized_party import kind_of as kind_of
from .building import build, policy_of, statement_for
from .chained import build_chained, permissions_for
from .decision import Decision, StatementVerdict, evaluate, evaluate_chained
from .findings import Finding
from .formats import render, render_permissions
from .linting import lint
from .request import AssumeRoleRequest, requests_of

__all__ = [
    "AssumeRoleRequest",
    "Decision",
    "Finding",
    "StatementVerdict",
    "build",
    "build_chained",
    "evaluate",
    "evaluate_chained",
    "lint",
    "permissions_for",
    "policy_of",
    "render",
    "render_permissions",
    "requests_of",
    "statement_for",
]
