"""Session factory for Apache Airflow: AWS connections with a Google identity.

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

# Parameters of AssumeRoleWithWebIdentity (AWS STS API reference) in `assume_role_kwargs`.
_SETTINGS = {
    "RoleSessionName": "role_session_name",
    "DurationSeconds": "duration_seconds",
    "Policy": "policy",
    "PolicyArns": "policy_arns",
}
# All triggers create their clients in the event loop of the triggerer. With separate loaders, each
# would parse and keep the model of its service.
_LOADER = Loader()


class SessionFactory(BaseSessionFactory):  # type: ignore[misc]
    """Session factory for Airflow's AWS hooks, operators, sensors and triggers.

    It creates the sessions of connections with `assume_role_with_web_identity_federation` set to
    `google`, a value that Airflow's provider also supports. Airflow's provider creates all other
    sessions, and those with keys, a profile or an STS endpoint of their own.

    It reads these extras of a connection: `role_arn`, `region_name`,
    `assume_role_with_web_identity_federation_audience`, and `assume_role_kwargs` with the names of
    AWS or of `gcp_aws_bridge.session`, such as `chain`. Other settings come from the environment,
    as for `session`, including how STS is reached; `config_kwargs` are not used for STS.
    """

    def create_session(self, deferrable: bool = False) -> Any:
        """Return a boto3 session, or with *deferrable* an aiobotocore session. Makes no requests.

        Raises:
            ConfigError: A setting of the connection is malformed.
            MissingExtra: *deferrable* is set, and aiobotocore is not installed or too old.
            TypeError: `assume_role_kwargs` has a name that neither AWS nor the library knows.
        """
        if not self._is_google():
            return super().create_session(deferrable)
        if not deferrable:
            return session(self.role_arn, **self._settings())
        from gcp_aws_bridge import aio  # aiobotocore is optional

        made = aio.session(self.role_arn, **self._settings())
        made.register_component("data_loader", _LOADER)
        return made

    def _is_google(self) -> bool:
        # See aws/hooks/base_aws.py and aws/utils/connection_wrapper.py of the provider, 9.39.0.
        return (
            self.conn.assume_role_method == "assume_role_with_web_identity"
            and self.extra_config.get("assume_role_with_web_identity_federation") == "google"
            and not self.conn.session_kwargs.keys() - {"region_name"}
            and not self.conn.get_service_endpoint_url("sts", sts_connection_assume=True)
        )

    def _settings(self) -> dict[str, Any]:
        extras = self.conn.assume_role_kwargs
        settings = {_SETTINGS.get(name, name): value for name, value in extras.items()}
        if "PolicyArns" in extras:
            settings["policy_arns"] = [policy["arn"] for policy in extras["PolicyArns"]]
        audience = self.extra_config.get("assume_role_with_web_identity_federation_audience")
        return {"region_name": self.region_name, "audience": audience, **settings}
