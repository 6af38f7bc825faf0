"""Credentials for Apache Beam: its workers read and write `s3://` paths, by `--beam_plugins`.

import gcp_aws_bridge
from apache_beam.options.pipeline_options import PipelineOptions
from gcp_aws_bridge.adapters import beam

gcp_aws_bridge.install("arn:aws:iam::123456789012:role/etl")  # for this process
options = PipelineOptions(beam.options("arn:aws:iam::123456789012:role/etl"))

A worker imports this module before any step of the pipeline, which then calls `install()` there.
See: apache_beam/runners/worker/sdk_worker_main.py, `create_harness`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge._botocore.install import install
from gcp_aws_bridge._botocore.request import required_role, shared_session
from gcp_aws_bridge._extra import extra
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError, quoted

with extra("beam", "apache_beam", "2.60.0"):
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.options.value_provider import RuntimeValueProvider
    from apache_beam.utils.plugin import BeamPlugin

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from gcp_aws_bridge._botocore.request import RoleSettings

__all__ = ["BridgeOptions", "BridgePlugin", "options"]

_OPTION = "gcp_aws_bridge_role"


class BridgeOptions(PipelineOptions):
    """Pipeline option `--gcp_aws_bridge_role`: an ARN, or a JSON object with fields of `Role`."""

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        parser.add_argument(f"--{_OPTION}", help="AWS role of the workers: ARN, or JSON of a Role")


class BridgePlugin(BeamPlugin):
    """Plugin that installs the role of the pipeline's options on each worker.

    Without the option, a worker's role is the one in its environment. Dataflow's runner adds the
    plugin by itself if the launching program imports this module.
    """


def options(role_arn: str | Role | None = None, **settings: Unpack[RoleSettings]) -> list[str]:
    """Return pipeline options with which each worker has the role: settings, no secret.

    Args:
        role_arn: As for `gcp_aws_bridge.session`.
        **settings: As for `gcp_aws_bridge.session`.

    Raises:
        ConfigError: No role is configured, or a setting is malformed.
    """
    role = required_role(shared_session(), role_arn, **settings)
    default = Role(role.arn)
    names = [each.name for each in fields(Role)]
    differing = {name for name in names if getattr(role, name) != getattr(default, name)}
    changed = {name: value for name, value in asdict(role).items() if name in differing}
    text = json.dumps({"arn": role.arn, **changed}) if changed else role.arn
    plugin = f"{BridgePlugin.__module__}.{BridgePlugin.__qualname__}"
    return [f"--beam_plugins={plugin}", f"--{_OPTION}={text}"]


def _role(text: str) -> Role:
    """Return the role of the option.

    Raises:
        ConfigError: The option is malformed.
    """
    if not text.startswith("{"):
        return Role(text)
    try:
        return Role(**json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"The pipeline option --{_OPTION} is {quoted(text)}; it must be the ARN of a role, or "
            "a JSON object with fields of gcp_aws_bridge.Role.",
            fix="write the options with gcp_aws_bridge.adapters.beam.options(role).",
            error_id="config/beam",
        ) from error


if RuntimeValueProvider.runtime_options is not None:  # this process is a worker
    _text = RuntimeValueProvider.get_value(_OPTION, str, None)
    install(_role(_text) if _text else None)
