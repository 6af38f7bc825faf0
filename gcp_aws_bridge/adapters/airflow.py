"""Apache Airflow: connections that trade a Google identity, by the exchange that all share.

AIRFLOW__AWS__SESSION_FACTORY=gcp_aws_bridge.adapters.airflow.SessionFactory
AIRFLOW_CONN_AWS_DEFAULT='{"conn_type": "aws", "extra": {
    "role_arn": "arn:aws:iam::123456789012:role/etl", "region_name": "eu-west-1",
    "assume_role_method": "assume_role_with_web_identity",
    "assume_role_with_web_identity_federation": "google"}}'
"""

from __future__ import annotations

from typing import Any

from botocore.loaders import Loader

from gcp_aws_bridge._botocore.session import session
from gcp_aws_bridge._extra import extra

with extra("airflow", "airflow.providers.amazon", "9.0.0"):
    from airflow.providers.amazon.aws.hooks.base_aws import BaseSessionFactory

__all__ = ["SessionFactory"]

# AssumeRoleWithWebIdentity's parameters (AWS STS API reference), which `assume_role_kwargs` are.
_SETTINGS = {
    "RoleSessionName": "role_session_name",
    "DurationSeconds": "duration_seconds",
    "Policy": "policy",
    "PolicyArns": "policy_arns",
}
# Every trigger makes its client in the one event loop of the triggerer: with a loader of its own
# each would parse, and keep, all of its service's model.
_LOADER = Loader()


class SessionFactory(BaseSessionFactory):  # type: ignore[misc]
    """Makes the sessions of Airflow's AWS hooks, operators, sensors and triggers.

    Takes over the connections whose `assume_role_with_web_identity_federation` is `google`, which
    the provider itself understands, too. All others go the provider's own way, and so do those
    with keys, a profile or an STS endpoint of their own.

    Of a connection's extras it reads `role_arn`, `region_name`,
    `assume_role_with_web_identity_federation_audience`, and `assume_role_kwargs` by AWS's names or
    by those of `gcp_aws_bridge.session`, such as `chain`. What they leave open the environment
    says, as for `session`; it alone says how STS is reached, `config_kwargs` do not.
    """

    def create_session(self, deferrable: bool = False) -> Any:
        """Make a hook's session: boto3's, or with *deferrable* aiobotocore's. Asks no network.

        Raises:
            ConfigError: A setting of the connection is malformed.
            MissingExtra: *deferrable*, and aiobotocore is not installed or too old.
            TypeError: `assume_role_kwargs` has a name that neither AWS nor the library knows.
        """
        if not self._is_ours():
            return super().create_session(deferrable)
        if not deferrable:
            return session(self.role_arn, **self._settings())
        from gcp_aws_bridge import aio  # the provider does without aiobotocore, too

        made = aio.session(self.role_arn, **self._settings())
        made.register_component("data_loader", _LOADER)
        return made

    def _is_ours(self) -> bool:
        # By aws/hooks/base_aws.py and aws/utils/connection_wrapper.py of the provider, 9.39.0.
        return (
            self.conn.assume_role_method == "assume_role_with_web_identity"
            and self.extra_config.get("assume_role_with_web_identity_federation") == "google"
            and not self.conn.session_kwargs.keys() - {"region_name"}
            and not self.conn.get_service_endpoint_url("sts", sts_connection_assume=True)
        )

    def _settings(self) -> dict[str, Any]:
        given = self.conn.assume_role_kwargs
        settings = {_SETTINGS.get(name, name): value for name, value in given.items()}
        if "PolicyArns" in given:
            settings["policy_arns"] = [policy["arn"] for policy in given["PolicyArns"]]
        audience = self.extra_config.get("assume_role_with_web_identity_federation_audience")
        return {"region_name": self.region_name, "audience": audience, **settings}
