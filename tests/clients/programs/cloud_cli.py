"""A stand-in for gcloud and for kubectl, by the name that it is run by.

It knows what `setup` runs and no more, answers in the words of gcloud 529 and kubectl 1.32, and
keeps what was made in `state.json` beside it; `calls.jsonl` has each command.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(sys.argv[0]).parent
STATE = HERE / "state.json"
state: dict[str, Any] = json.loads(STATE.read_text()) if STATE.exists() else {}
words = [word for word in sys.argv[1:] if not word.startswith("-")]
flags = dict(word[2:].partition("=")[::2] for word in sys.argv[1:] if word.startswith("--"))


def things(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = state.setdefault(kind, {})
    return found


def fail(text: str) -> None:
    sys.exit(f"ERROR: (gcloud.{'.'.join(words[:3])}) {text}")


def show(found: Any) -> None:
    """In the format that was asked for: all of it, or one value."""
    wanted = flags.get("format", "")
    if wanted == "json":
        print(json.dumps(found))
    elif wanted.startswith("value("):
        values = []
        for path in wanted[6:-1].split(","):
            value = found
            for step in path.replace("[", ".").replace("]", "").split("."):
                if value is not None:
                    value = value[int(step)] if step.isdigit() else value.get(step)
            values.append("" if value is None else str(value))
        print("\t".join(values))


def describe(kind: str, name: str, absent: str) -> None:
    if name not in things(kind):
        fail(absent)
    show(things(kind)[name])


def google_account() -> None:
    name = words[3]
    if words[2] == "create":
        email = f"{name}@{flags['project']}.iam.gserviceaccount.com"
        things("gsa")[email] = {"email": email, "uniqueId": "104203741234567890123", "roles": []}
    elif words[2] == "describe":
        describe("gsa", name, "NOT_FOUND: Unknown service account.")
    elif name not in things("gsa"):
        fail("NOT_FOUND: Unknown service account.")
    elif words[2] == "add-iam-policy-binding":
        binding = {"role": flags["role"], "members": [flags["member"]]}
        roles = things("gsa")[name]["roles"]
        roles += [] if binding in roles else [binding]
    else:
        show({"bindings": things("gsa")[name]["roles"]} if things("gsa")[name]["roles"] else {})


def cluster() -> None:
    made = things("cluster")
    if words[2] == "describe":
        describe("cluster", words[3], "ResponseError: code=404, message=Not found: projects/…")
    elif words[2] == "create-auto":
        pool = {"workloadPool": f"{flags['project']}.svc.id.goog"}
        made[words[3]] = {"autopilot": {"enabled": True}, "workloadIdentityConfig": pool}
    elif words[2] == "update":
        made[words[3]]["workloadIdentityConfig"] = {"workloadPool": flags["workload-pool"]}
    elif words[1] == "node-pools":
        for pool in made[flags["cluster"]].get("nodePools", []):
            if pool["config"].get("workloadMetadataConfig", {}).get("mode") != "GKE_METADATA":
                print(pool["name"])


def pool_or_provider() -> None:
    # `gcloud iam workload-identity-pools [providers] VERB NAME`
    kind = "provider" if words[2] == "providers" else "pool"
    verb, name = words[-2], words[-1]
    if verb == "describe":
        describe(kind, name, f"NOT_FOUND: Requested entity was not found. {name}")
        return
    made = things(kind).setdefault(name, {"state": "ACTIVE"})
    if kind == "pool":
        return
    made["description"] = flags["description"]
    made["attributeCondition"] = flags["attribute-condition"]
    pairs = (one.split("=", 1) for one in flags["attribute-mapping"].split(","))
    made["attributeMapping"] = dict(pairs)
    if verb.endswith("aws"):
        made["aws"] = {"accountId": flags["account-id"]}
    else:
        made["oidc"] = {"issuerUri": flags["issuer-uri"]}


def project() -> None:
    if words[1] == "describe":
        show({"projectId": words[2], "projectNumber": "345678901234"})
        return
    bindings = things("project").setdefault(words[2], [])
    if words[1] == "add-iam-policy-binding":
        binding = {"role": flags["role"], "members": [flags["member"]]}
        bindings += [] if binding in bindings else [binding]
    else:
        show({"bindings": bindings})


def run() -> None:
    kind, verb, name = words[1:4]
    if verb == "describe":
        describe(f"run {kind}", name, f"Cannot find {kind.removesuffix('s')} [{name}].")
        return
    found: dict[str, Any] = {"spec": {"serviceAccountName": flags["service-account"]}}
    for _ in range(1 if kind == "services" else 2):
        found = {"spec": {"template": found}}
    things(f"run {kind}")[name] = found


def trigger() -> None:
    # `gcloud builds triggers describe NAME`, `gcloud builds triggers update TYPE NAME`
    describe("trigger", words[-1], "NOT_FOUND: Requested entity was not found.")
    if words[2] == "update":
        things("trigger")[words[-1]]["serviceAccount"] = flags["service-account"]


def gcloud() -> None:
    if words[:2] == ["iam", "workload-identity-pools"]:
        pool_or_provider()
    elif words[0] == "projects":
        project()
    elif words[:2] == ["iam", "service-accounts"]:
        google_account()
    elif words[0] == "container":
        cluster()
    elif words[0] == "run":
        run()
    elif words[:2] == ["builds", "triggers"]:
        trigger()
    elif words[0] in ("dataproc", "workbench", "composer"):
        describe(words[0], words[3], f"NOT_FOUND: Resource '{words[3]}' was not found")
    elif words[0] == "compute":
        describe("vm", words[3], "Could not fetch resource:\n - The resource was not found")
    elif words[0] == "functions":
        describe("function", words[2], "ResponseError: status=[404], code=[Ok], message=[…]")


def kubectl() -> None:
    made = things("kubernetes")
    if words[0] == "apply":
        for one in yaml.safe_load_all(sys.stdin):
            made[f"{one['kind']}/{one['metadata']['name']}"] = one
    elif words[:2] == ["create", "namespace"]:
        made[f"Namespace/{words[2]}"] = {}
    elif words[0] == "get":
        kind = {"namespace": "Namespace", "serviceaccount": "ServiceAccount"}[words[1]]
        if f"{kind}/{words[2]}" not in made:
            sys.exit(f'Error from server (NotFound): {words[1]}s "{words[2]}" not found')
        print(json.dumps(made[f"{kind}/{words[2]}"]))
    elif words[0] == "logs":
        print("{'Arn': 'arn:aws:sts::123456789012:assumed-role/etl/proof'}")


with (HERE / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps([Path(sys.argv[0]).name, *sys.argv[1:]]) + "\n")
{"gcloud": gcloud, "kubectl": kubectl}[Path(sys.argv[0]).name]()
STATE.write_text(json.dumps(state))
