"""Trust policies: write one, say what one does with a token and why, find what is wrong with one.

    build, statement_for    the policy that admits these accounts, or the bearer of this token
    evaluate                a policy against the claims of a token, condition by condition
    lint                    what a policy lets in, or keeps out, that its author did not mean to
    render                  a policy as JSON, Terraform or CloudFormation

Pure: no network, no clock, no environment. Whether a token's signature is good and its time has
not run out is not asked here. Rules are those of the IAM user guide; each module names its pages.
What is not evaluated is said, and never taken for a yes.
"""

from .authorized_party import CLIENT as CLIENT
from .authorized_party import EMAIL as EMAIL
from .authorized_party import aws_audience as aws_audience
from .authorized_party import kind_of as kind_of
from .building import build, policy_of, statement_for
from .decision import Decision, StatementVerdict, evaluate
from .findings import Finding
from .linting import lint
from .rendering import render

__all__ = [
    "Decision",
    "Finding",
    "StatementVerdict",
    "build",
    "evaluate",
    "lint",
    "policy_of",
    "render",
    "statement_for",
]
