"""Steps of the script in AWS: the role, and its connection to the workload."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from shlex import quote

from gcp_aws_bridge.provision import bash
from gcp_aws_bridge.provision.plan import AwsRole
from gcp_aws_bridge.provision.to_google.plan import Plan
from gcp_aws_bridge.provision.to_google.trust import (
    IRSA_AUDIENCE,
    TOKEN_POLICY,
    UNKNOWN_ISSUER,
    token_policy,
    trust_policy,
)

__all__ = ["DESCRIPTION", "left", "steps"]

DESCRIPTION = "Calls Google Cloud; see gcp-aws-bridge"  # of roles that the script creates


def steps(plan: Plan) -> Iterator[str]:
    """Yield the steps in their order."""
    at = plan.workload
    if at.in_cluster:
        yield _CLUSTER
    if at.platform == "eks-irsa":
        yield _TRUSTED
    if plan.role:
        yield _role(plan, plan.role)
        if at.platform != "aws-outbound":
            yield bash.permissions(plan.role)
    if at.platform == "eks":
        yield _ASSOCIATION
    if at.platform == "ec2":
        yield _INSTANCE_PROFILE
    if at.platform == "aws-outbound":
        yield _outbound(plan)


_CLUSTER = """
step "Cluster, and the issuer of its tokens"
issuer=$(aws eks describe-cluster --name "$cluster" --region "$region" \\
  --query cluster.identity.oidc.issuer --output text)
[[ "$issuer" =~ ^https://[A-Za-z0-9./-]+$ ]] || fail "the issuer of $cluster is \\"$issuer\\"."
"""

_TRUSTED = f"""\
audience={IRSA_AUDIENCE}
provider_arn="arn:aws:iam::$account:oidc-provider/${{issuer#https://}}"
{bash.PROVIDER}"""


def _role(plan: Plan, role: AwsRole) -> str:
    policy = trust_policy(plan)
    if policy is None:
        return _EXISTING
    text = quote(json.dumps(policy, indent=2).replace(UNKNOWN_ISSUER[8:], "<ISSUER>"))
    filled = "trust=${trust//<ISSUER>/${issuer#https://}}\n" if "<ISSUER>" in text else ""
    return f"""
step "Role in AWS, and its trust policy"
trust={text}
{filled}\
if seen=$(aws iam get-role --role-name "$role" --query Role.Arn --output text 2>/dev/null); then
  [ "$seen" = "$role_arn" ] || fail "the role is $seen: use its --role-path."
  about=$(aws iam get-role --role-name "$role" --query Role.Description --output text)
  if [ "$about" = {quote(DESCRIPTION)} ]; then
    aws iam update-assume-role-policy --role-name "$role" --policy-document "$trust"
  else
    # It was created for another purpose.
    printf '%s\\n' 'The role was not created by this script. Add this to its trust policy:' \\
      "$trust" >&2
  fi
else
  aws iam create-role --role-name "$role" --path {quote(role.path)} \\
    --assume-role-policy-document "$trust" --description {quote(DESCRIPTION)} \\
    >/dev/null
fi
"""


_EXISTING = """
step "Role in AWS, which must exist and is not changed"
seen=$(aws iam get-role --role-name "$role" --query Role.Arn --output text)
[ "$seen" = "$role_arn" ] || fail "the role is $seen: use its --role-path."
"""

_ASSOCIATION = """
step "EKS Pod Identity Agent on the nodes"
agent=(--cluster-name "$cluster" --region "$region" --addon-name eks-pod-identity-agent)
auto=$(aws eks describe-cluster --name "$cluster" --region "$region" \\
  --query cluster.computeConfig.enabled --output text)
# EKS Auto Mode includes it.
if [ "$auto" != True ] && ! aws eks describe-addon "${agent[@]}" >/dev/null 2>&1; then
  aws eks create-addon "${agent[@]}" >/dev/null
fi

step "Pod Identity association of the Kubernetes service account"
in_cluster=(--cluster-name "$cluster" --region "$region")
association=$(aws eks list-pod-identity-associations "${in_cluster[@]}" \\
  --namespace "$namespace" --service-account "$ksa" \\
  --query 'associations[0].associationId' --output text)
if [ "$association" = None ]; then
  again aws eks create-pod-identity-association "${in_cluster[@]}" \\
    --namespace "$namespace" --service-account "$ksa" --role-arn "$role_arn" >/dev/null
else
  seen=$(aws eks describe-pod-identity-association "${in_cluster[@]}" \\
    --association-id "$association" --query association.roleArn --output text)
  # Changing it would affect running pods.
  [ "$seen" = "$role_arn" ] || fail "pods of $namespace/$ksa have the role $seen. To change it:" \\
    "aws eks update-pod-identity-association ${in_cluster[*]} --association-id $association" \\
    "--role-arn $role_arn"
fi
"""

_INSTANCE_PROFILE = """
step "Instance profile with the role"
seen=$(aws iam get-instance-profile --instance-profile-name "$role" \\
  --query 'InstanceProfile.Roles[0].RoleName' --output text 2>/dev/null) || seen=none
if [ "$seen" = none ]; then
  aws iam create-instance-profile --instance-profile-name "$role" >/dev/null
  seen=None
fi
if [ "$seen" = None ]; then
  aws iam add-role-to-instance-profile --instance-profile-name "$role" --role-name "$role"
elif [ "$seen" != "$role" ]; then
  fail "the instance profile $role has the role $seen."
fi
"""


def _outbound(plan: Plan) -> str:
    policy = quote(json.dumps(token_policy(plan, "<PROJECT_NUMBER>"), indent=2))
    return f"""
step "Outbound identity federation, a setting of the whole account"
on=$(aws iam get-outbound-web-identity-federation-info --query JwtVendingEnabled \\
  --output text 2>/dev/null) || on=no
[ "$on" = True ] || aws iam enable-outbound-web-identity-federation >/dev/null
issuer=$(again aws iam get-outbound-web-identity-federation-info \\
  --query IssuerIdentifier --output text)
[[ "$issuer" =~ ^https://[A-Za-z0-9./-]+$ ]] || fail "the issuer of AWS is \\"$issuer\\"."

step "Permission of the role to request tokens for this provider only"
tokens={policy}
aws iam put-role-policy --role-name "$role" --policy-name {TOKEN_POLICY} \\
  --policy-document "${{tokens//<PROJECT_NUMBER>/$number}}"
"""


def left(plan: Plan, variables: Mapping[str, str]) -> str:
    """Return the step that prints what the script does not do."""
    how = {
        "ec2": "Attach the profile to the instance: aws ec2 associate-iam-instance-profile "
        "--iam-instance-profile Name=$role --instance-id INSTANCE",
        "ecs": "Set the role as taskRoleArn of the task definition: $role_arn",
        "lambda": "Set the role of the function: aws lambda update-function-configuration "
        "--role $role_arn --function-name FUNCTION",
        "aws-outbound": "Programs with the role $role_arn get tokens from AWS themselves.",
    }[plan.workload.platform]
    exports = "\n".join(f"  {name}={value}" for name, value in variables.items())
    return f"""
step "To do"
printf '%s\\n' "{how}" >&2
variables={quote(exports)}
printf '%s\\n' 'The program needs these variables:' \\
  "${{variables//<PROJECT_NUMBER>/$number}}" >&2
"""
