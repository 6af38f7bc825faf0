"""What `gcp-aws-bridge explain` prints; written by `python -m tests.site`."""

SECTIONS = {
    "config/at-least": """\
`at_least` is the number of seconds for which the credentials are needed: zero
or more. `math.inf` asks for as much as there can be, which is 90 % of the
session's life.
""",
    "config/audience": """\
The audience is empty or unprintable, or the token source names another one than
the role. Say it once, with the role or session.
""",
    "config/boto-config": """\
`exec` cannot take away a boto file (`BOTO_CONFIG`, else `/etc/boto.cfg` and
`~/.boto`), which gsutil reads as well, and botocore looks at AWS keys in it
first. Take them out, or set `BOTO_CONFIG=/dev/null`.
""",
    "config/botocore-data": """\
botocore reads endpoints and service models from files in its own folder, and
does not find them: it runs from a zip archive (zipapp), or an image or a frozen
application leaves them out. It is not a matter of the region. Install botocore
unpacked (shiv and pex do that), add its data (`pyinstaller --collect-data
botocore`), or set `AWS_DATA_PATH` to a copy of `botocore/data`.
""",
    "config/chain-duration": """\
AWS caps role chaining at one hour. Ask for 3600 seconds or less, or do without
the further hop.
""",
    "config/circular": """\
The token source makes an AWS request with the credentials that it helps to get.
Give it a session of its own.
""",
    "config/claims": """\
What should be the claims of an ID token are not: no JSON object, or one without
`iss`, `sub` or `aud`.
""",
    "config/default-profile": """\
`exec` cannot take away the default profile of the AWS config file, which has
credentials of its own that SDKs look at first. Give the profile a name, or set
`AWS_CONFIG_FILE` to another file.
""",
    "config/duration": """\
AWS takes 900 to 43200 seconds, and no more than the role's own maximum.
""",
    "config/environment-changed": """\
botocore would reach another STS than when this session was made, since a
variable, a profile or a setting of the session has changed: another endpoint,
proxy or certificate file. Nothing was sent there. It concerns chained roles and
forked processes, whose clients botocore makes later. Make the session again, in
the environment that it is for. When the environment is read.
""",
    "config/extra": """\
What the module adapts to is not installed, or older than what it was tested
with; the message has the `pip install` for it.
""",
    "config/extra-boto3": """\
`bridge.session()` needs boto3: `pip install 'gcp-aws-bridge[boto3]'`.
""",
    "config/extra-demo": """\
The demonstration needs moto: `pip install 'gcp-aws-bridge[demo]'`.
""",
    "config/extra-google": """\
Key files, impersonation and application-default credentials need requests: `pip
install 'gcp-aws-bridge[google]'`.
""",
    "config/extra-server": """\
`serve`, `exec`, `google-serve` and `google-exec` need uvicorn and
prometheus-client: `pip install 'gcp-aws-bridge[server]'`.
""",
    "config/google-audience": """\
The audience is no provider of a workload identity pool, is of another universe
than the one that is asked, or has the project's id where its number belongs:
`//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`.
""",
    "config/google-aws-region": """\
The AWS region that is configured is not the name of a region: an availability
zone (`us-east-1a`), or a misspelt name. Set `AWS_REGION` and
`AWS_DEFAULT_REGION`, or `region` in the profile. Nothing was sent.
""",
    "config/google-default-file": """\
`google-exec` cannot take away a developer's own login (`gcloud auth
application-default login`), which Google's SDKs look at before any metadata
server. Revoke it, or run the command with another `HOME`.
""",
    "config/google-executable": """\
`google-token --executable` was asked for a signed request. The protocol of
executables carries OIDC tokens and SAML responses alone. Name `--source
outbound` or `token-file`, for a provider of OIDC; where the provider is of AWS,
use google-exec or google-serve.
""",
    "config/google-file": """\
The file of `GOOGLE_APPLICATION_CREDENTIALS` cannot be read, or is no credential
configuration for a workload. `gcp-aws-bridge google-config --audience PROVIDER
--service-account EMAIL --output FILE` writes one.
""",
    "config/google-none": """\
No provider is configured. Give `audience`, or set
`GCP_AWS_BRIDGE_GOOGLE_AUDIENCE`.
""",
    "config/google-plain-http": """\
An address of Google's, or `token_uri` or `token_url` in a credentials file, is
plain HTTP on another machine: the token could be read on the network.
config/sts-plain-http says which addresses are on this machine.
""",
    "config/google-proxy-forwarding": """\
The transport that you gave as `request=` would send HTTPS requests to an HTTPS
proxy in forwarding mode (`use_forwarding_for_https` of urllib3): the proxy
decrypts them and could read the tokens. Nothing was sent. Remove that option:
urllib3 then asks the proxy for a tunnel (CONNECT).
""",
    "config/google-scopes": """\
`scopes` is not a list of strings, one of them is not a scope, or an access
token was asked for without any. A scope is a URL, such as
`https://www.googleapis.com/auth/devstorage.read_only`. Leave `scopes` out for
cloud-platform; with `scopes=[]` each client adds its own.
""",
    "config/google-service-account": """\
What is given for a service account is neither an e-mail nor a unique id, or
none is given where an ID token is asked for, which is always of one. The name
becomes a part of a URL: letters, digits, `.`, `-`, `_` and one `@` are all that
it may have. The same goes for the account that `GoogleCredentials`
impersonates.
""",
    "config/google-setting": """\
The lifetime is not 600 to 43200 seconds, the universe domain is none, an
address of Google's has a user or a query in it, that of STS has no path
(`/v1/token`), or a `Federation` came with settings that it has itself.
""",
    "config/google-source": """\
There is no such source of a subject token: `signed-request`, `token-file`,
`outbound`, or a callable. For `token-file`, a file must be named. A credential
configuration with an `executable` of another program names no source either:
set `GCP_AWS_BRIDGE_GOOGLE_SOURCE`, or have google-auth read the file.
""",
    "config/input-file": """\
A file that a command was to read is missing, unreadable, not text in UTF-8, or
far too long.
""",
    "config/internals": """\
A release of botocore, boto3 or google-auth that is newer than this library has
renamed an attribute that this library uses and that is not public; the message
names it. Upgrade gcp-aws-bridge, or install an older release of the other.
""",
    "config/list": """\
`chain` and `policy_arns` take a list or tuple, not one string.
""",
    "config/listen": """\
`serve` or `google-serve` cannot listen there: the port is taken, the address is
not this machine's, or two listeners were given one port. Give another `--port`
(0 is any free one), `--host` or `--status-port`.
""",
    "config/metadata-deadline": """\
`GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS` or the profile key
`gcp_metadata_deadline_seconds` is not a number of seconds from 1 to 60. It is
how long a metadata server that refuses, or is not ready, is asked again.
""",
    "config/metadata-host": """\
`GCE_METADATA_HOST` is neither a host nor host:port: no `http://`, no path.
""",
    "config/no-loop": """\
Something of `gcp_aws_bridge.aio` was awaited where neither asyncio nor (by
anyio) trio runs. In a thread without an event loop use
`gcp_aws_bridge.session()` or `.credentials()`.
""",
    "config/no-role": """\
No argument, variable or profile key names a role. See settings.
""",
    "config/outbound": """\
botocore is older than `sts:GetWebIdentityToken`. Upgrade it.
""",
    "config/patched-late": """\
gevent or eventlet patched `ssl` after it was imported, and each TLS connection
ends in a `RecursionError`; boto3 alone fails in the same way. Call
`gevent.monkey.patch_all()` before anything imports `boto3`, `botocore` or
`ssl`. With `gunicorn --preload -k gevent` the application is imported before
gunicorn patches: leave out `--preload`, or patch in the first lines of
`gunicorn.conf.py`.
""",
    "config/path": """\
A token source takes the path of a file, as text or `pathlib.Path`.
""",
    "config/pickle": """\
A role or token source was pickled by another version of this library, with a
setting that this one does not know: have the same version everywhere. Or what
is to be pickled cannot be: google-auth credentials are a secret, and a
`botocore_session` of one's own exists in its process only.
""",
    "config/policy": """\
The session policy is not a JSON object, or longer than 2,048 characters. Long
ones go into managed policies, named in `policy_arns`.
""",
    "config/policy-arns": """\
Up to ten ARNs of managed policies.
""",
    "config/profile": """\
There is no such AWS profile. Look at `--profile`, `AWS_PROFILE` and the files
in `~/.aws`.
""",
    "config/region": """\
Not the name of a region; or, in a partition whose regions are not known here,
none was given.
""",
    "config/role-and-settings": """\
A `Role` is the whole request. Change it with `dataclasses.replace(role, ...)`.
""",
    "config/role-arn": """\
Not the ARN of an IAM role. An ARN of an STS session
(`arn:aws:sts::...:assumed-role/...`) is none either.
""",
    "config/served-twice": """\
Two roles of `serve` have one name. Name them: `--role-arn first=arn:...
--role-arn second=arn:...`.
""",
    "config/session": """\
`register()` takes a boto3 or botocore session, `aio.register()` one of
aiobotocore or aioboto3.
""",
    "config/session-name": """\
2 to 64 of letters, digits and `_+=,.@-`.
""",
    "config/setup-file": """\
A file that `setup` was to read (`--policy`, `--from-pod`) is not there, or not
UTF-8 text.
""",
    "config/setup-format": """\
Kubernetes manifests were asked for where no Kubernetes is.
""",
    "config/setup-manifest": """\
The manifest is not YAML. Of a Helm chart or another template, give what it
renders.
""",
    "config/setup-missing": """\
`setup` was not told all it needs, and there is no terminal to ask at. The
message has the flags. Manifests of a workload on AWS have the Google project's
number in them: `--project-number`.
""",
    "config/setup-name": """\
Google Cloud, Kubernetes or AWS would refuse this name; the message has the rule
and an example. Of a Google service account
`NAME@PROJECT.iam.gserviceaccount.com` is taken, made for this one workload, and
none of Google's default accounts. Audiences have letters, digits and
`:/.+=,@~_-`: AWS takes more, but `*`, `?` and `${` mean something in a policy.
""",
    "config/setup-option": """\
An option was given that does nothing with this `--on`: of the other direction,
of a place that the workload is not in, or both `--gsa` and `--direct`. Left out
without a word, it would not do what it was meant for.
""",
    "config/setup-output": """\
A file in the `--output` folder (of `google-config`, the file) is there already
and differs, or the folder cannot be written. Nothing was written: what you have
changed in such a file is not lost.
""",
    "config/setup-policy": """\
The permissions policy is not JSON, no policy, or longer than the 10,240
characters that IAM takes of a role's inline policies. Long ones go into managed
policies, with `--policy-arn`.
""",
    "config/setup-subject": """\
Google takes 127 bytes of `google.subject`. It is the provider's id with
namespace and Kubernetes service account, or the role's ARN for `aws-outbound`;
for other roles account and name, which always fit.
""",
    "config/sts-client": """\
botocore could not make an STS client; its own message is quoted. Mostly a wrong
`AWS_ENDPOINT_URL_STS` or config file.
""",
    "config/sts-plain-http": """\
`AWS_ENDPOINT_URL_STS` or `AWS_ENDPOINT_URL` is plain HTTP on another machine. A
token in clear text can be read on the network. Plain HTTP to loopback is
allowed, for emulators, and never uses a proxy. Loopback is an address of
127.0.0.0/8 in four decimal numbers, `[::1]`, or `localhost` where it resolves
to only such addresses on this machine. Other spellings (`127.1`, `0x7f.1`) and
other names are refused.
""",
    "config/sts-proxy-forwarding": """\
STS would be reached through an HTTPS proxy with
`proxy_use_forwarding_for_https`. botocore then sends the request to the proxy
itself, which decrypts it and could read the ID token and the AWS keys. Nothing
was sent. Remove the option from `proxies_config` of the session's default
client config: botocore then asks the proxy for a tunnel (CONNECT). Where the
proxy comes from `HTTPS_PROXY`, `NO_PROXY` can exclude the host instead.
""",
    "config/token-file": """\
The file for the token cannot be written. The message has the cause:

- The folder is missing or read-only, or the disk is full.
- "other users can rename a folder on its path": a folder above the file's
  folder belongs to a user other than you and root, or other users can write to
  it and it is not sticky. Such a user could direct the file elsewhere. Choose
  another folder, or take the permission away (`chmod go-w`).
- "it is not a regular file": a symbolic link, pipe, device or folder has the
  file's name. Remove it, or choose another name.

While `serve` or `token --watch` runs, the token in the file stays valid, and
the command tries again.
""",
    "config/token-on-command-line": """\
An ID token was given as an argument, which every user of a machine can read,
and a shell remembers. Write it to a file, or pipe it in. The one that was shown
is good for an hour at most.
""",
    "config/token-source": """\
`token_source` must be callable without arguments.
""",
    "config/trust-policy": """\
This is not a trust policy, or not one that IAM would store; the message says
what is wrong with it. See trust policies.
""",
    "config/trust-policy-value": """\
A trust policy was to be written with something that none can hold: an e-mail
for a service account's number, a policy variable (`${...}`) for an audience, a
name that AWS or Kubernetes would refuse, more than 2,048 characters. For tokens
of a key file, give the file (`--key-file`) or, in Python, its account's number
and e-mail (`key_file_emails`): `:aud` is compared with `azp`, which is the
e-mail there.
""",
    "demo/no-refresh": """\
No fresh credentials came. Please report it.
""",
    "doctor/audience": """\
The role's trust policy names another audience than the workload requests. The
finding says where the workload's audience comes from; usually it is the
default, since no setting names the role's own. Correct the setting, not the
policy: with the default in the policy, the role would admit tokens that were
made for other roles.
""",
    "doctor/aws-keys": """\
AWS rejects the keys: `ExpiredToken` (they have expired), `InvalidClientTokenId`
(they were deleted, or are of another partition), `SignatureDoesNotMatch` (the
secret does not belong to the id, or the clock is wrong).
""",
    "doctor/aws-long-lived-keys": """\
The AWS keys are a user's and do not expire. A provider whose condition admits a
role does not admit a user, and a copy of such keys gives the user's access.
""",
    "doctor/aws-node-role": """\
The pod has the role of the node: it has no role of its own, and the instance's
metadata service answers pods (a hop limit of 2, or `hostNetwork`).
""",
    "doctor/aws-pod-without-role": """\
A pod of EKS with neither Pod Identity nor IRSA. A pod gets both when it is
created: recreate it after you have made an association or an annotation.
""",
    "doctor/aws-signed-out": """\
The profile uses IAM Identity Center or `aws login`, and there is no login, or
it has expired.
""",
    "doctor/aws-timeout": """\
A botocore provider returned no keys in time: egress to AWS is closed, or the
program of `credential_process` hangs.
""",
    "doctor/clock": """\
This machine's clock differs by more than five minutes from both clouds', or
from the only one that sent the time. AWS rejects signatures that differ by
more.
""",
    "doctor/config-file": """\
botocore cannot parse the AWS config file. `AWS_CONFIG_FILE` names it; the
default is `~/.aws/config`.
""",
    "doctor/container-address": """\
`AWS_CONTAINER_CREDENTIALS_FULL_URI` is plain HTTP to an address to which
botocore sends no request for keys.
""",
    "doctor/container-endpoint": """\
The endpoint of `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `..._FULL_URI` (that
of ECS, or a sidecar) returns no keys. The variables belong to one task: a task
definition with `taskRoleArn` sets them for each new task.
""",
    "doctor/google-api": """\
The IAM Credentials API is disabled in the project of the workload identity
pool. Its token endpoint needs `sts.googleapis.com`, this API needs
`iamcredentials.googleapis.com`.
""",
    "doctor/google-audience": """\
The provider does not allow the token's audience. A provider without a list of
audiences allows its own name, `https://iam.googleapis.com/projects/...`; a
provider with a list allows only its entries.
""",
    "doctor/google-aws-account": """\
AWS accepts the keys, and Google does not accept their account: the provider is
for another AWS account.
""",
    "doctor/google-binding": """\
The federated identity may not act as the service account. Google's answer is
the same if there is no such account: the first command of the fix distinguishes
them. A member is `principalSet://.../attribute.aws_role/` and the ARN of the
role's sessions without the session's name, or `principal://.../subject/` and
the value that the provider maps to `google.subject`.
""",
    "doctor/google-blocked": """\
Connections to Google get no answer: egress to port 443 is not allowed, or the
subnet has no NAT gateway.
""",
    "doctor/google-clock": """\
The server that answers as Google has another time, while AWS's clock agrees
with this machine's: a proxy with a cache.
""",
    "doctor/google-closed": """\
Google's address refuses or closes connections, or there is no route to it: a
firewall that reads the host names in TLS, or a private endpoint.
""",
    "doctor/google-dns": """\
The name of the endpoint does not resolve.
""",
    "doctor/google-issuer": """\
The token was signed by another issuer than the provider's: another cluster, or
another AWS account.
""",
    "doctor/google-issuer-keys": """\
Google does not have the issuer's key that signed the token. It reads the keys
at the issuer's `/.well-known/openid-configuration`, which must be public,
unless they are uploaded to the provider.
""",
    "doctor/google-key-file": """\
`GOOGLE_APPLICATION_CREDENTIALS` names another identity than the configured
provider. This library uses the provider; clients without credentials of their
own use the file.
""",
    "doctor/google-kind": """\
A provider of AWS accepts a signed request, a provider of OIDC a token. The kind
was chosen when the provider was created.
""",
    "doctor/google-lifetime": """\
A service account's token is valid for one hour at most, or for twelve if the
organization's policy lists the account.
""",
    "doctor/google-no-account": """\
There is no service account with that e-mail. Correct the setting if the
project's list has it under another name; otherwise create the account, and bind
the identity to it.
""",
    "doctor/google-perimeter": """\
VPC Service Controls: the perimeter around the project admits no identity from
outside.
""",
    "doctor/google-provider": """\
The AWS account has an IAM OIDC provider for `accounts.google.com`. It is not
needed, and replaces the built-in one: then the token's `azp`, and not its
audience, must be among its client ids.
""",
    "doctor/google-proxy": """\
Requests to Google go through a proxy that cannot be reached or does not let
them pass: `HTTPS_PROXY` and `NO_PROXY`.
""",
    "doctor/google-silent": """\
A server accepts the connection to Google and gives no complete answer in time.
""",
    "doctor/google-stale": """\
By Google's clock the token has expired, or was made in the future.
""",
    "doctor/google-tls": """\
Google's certificate is not trusted here, or `REQUESTS_CA_BUNDLE` names no file.
Requests to Google are sent by the library requests, which does not read
`AWS_CA_BUNDLE`.
""",
    "doctor/host-network": """\
The pod has `hostNetwork: true`, so it reaches the node's own metadata server,
which has the node's service account. Without it, the pod has its own.
""",
    "doctor/instance-disabled": """\
`AWS_EC2_METADATA_DISABLED` is set on an instance of EC2, and there are no other
keys.
""",
    "doctor/instance-hop-limit": """\
The instance's metadata service does not answer, on hardware of EC2. The packets
of version 2 make as many network hops as the instance's option allows, by
default one, and a container is one hop further.
""",
    "doctor/instance-refuses": """\
The instance's metadata service answers with an error. It does so if it is
disabled.
""",
    "doctor/instance-role": """\
The instance has a role, and EC2 may not assume it.
""",
    "doctor/instance-without-role": """\
The instance's metadata service answers and has no role: there is no instance
profile.
""",
    "doctor/irsa-provider": """\
The role's account has no IAM OIDC provider for the cluster's issuer, or one
without the client id `sts.amazonaws.com`.
""",
    "doctor/irsa-token": """\
The file of `AWS_WEB_IDENTITY_TOKEN_FILE` does not exist, or AWS cannot accept
the token in it.
""",
    "doctor/irsa-trust": """\
The role's trust policy does not admit the pod's service account. The finding
contains a policy that does.
""",
    "doctor/key-file-first": """\
`GOOGLE_APPLICATION_CREDENTIALS` is set on a machine that has an identity of its
own. The file comes first (if it exists); the role may trust the other identity.
""",
    "doctor/keys-first": """\
`AWS_ACCESS_KEY_ID` is set. SDKs use keys in the environment first: in sessions
with `install()` or `register()`, in AWS profiles with `credential_process`, and
in clients of `serve`. `session()` and `exec` use the role.
""",
    "doctor/metadata-blocked": """\
Packets to 169.254.169.254 get no answer, on a machine of Google Cloud: a
network policy does not allow it, or a firewall. A server that accepts
connections and hangs looks the same from here, and is rarer. GKE's is reached
at 169.254.169.254 port 80 and 169.254.169.252 ports 987 and 988.
""",
    "doctor/metadata-clock": """\
The metadata server's clock is wrong; this machine's agrees with AWS's. The
library uses no token from a server whose clock is wrong: set the node's clock.
""",
    "doctor/metadata-closed": """\
Nothing listens at the metadata server's address: on GKE the node's
`gke-metadata-server` is down or restarting.
""",
    "doctor/metadata-cut": """\
The connection was accepted and closed: by a service mesh's sidecar, which
should exclude 169.254.169.254, or by a server that is shutting down.
""",
    "doctor/metadata-forwarded": """\
Google's server rejects requests that a proxy has forwarded, and requests
without its header: a proxy changes the request.
""",
    "doctor/metadata-host": """\
`GCE_METADATA_HOST` is set, and the server there is not Google's metadata
server. On Google Cloud the variable should not be set at all; this library uses
its value.
""",
    "doctor/new-pod": """\
The metadata server does not answer yet, and the container started within the
last minute. The library waits for 20 s. If it still does not answer after a
minute, the server of this node is down.
""",
    "doctor/no-account": """\
The instance was created without a service account. You can add one while the
instance is stopped.
""",
    "doctor/no-such-role": """\
The AWS keys here may read roles, and there is no role of this name in their
account. To a caller with a token, AWS answers only that the caller is not
authorized. Correct the setting if the list has the role under another name;
otherwise create the role, with the printed trust policy.
""",
    "doctor/node-pool": """\
The virtual machine's own metadata server answers a pod: Workload Identity is
off on the node pool, or in the whole cluster. The pod has the node's service
account, so most things work, but with the wrong identity.
""",
    "doctor/not-bound": """\
The Kubernetes service account is annotated with a Google one that it may not
use. Google's answer is the same if there is no such account: the first command
of the fix distinguishes them.
""",
    "doctor/not-google-cloud": """\
This is not Google Cloud, and nothing is broken: it is the wrong machine, or
needs `--impersonate` or `--id-token-file`.
""",
    "doctor/not-the-role": """\
The trust policy, as IAM has it now, admits the token, and STS denied it: a
change that has not reached every region yet, or a policy of the AWS
organization (service or resource control).
""",
    "doctor/pod-identity-agent": """\
The EKS Pod Identity agent, at 169.254.170.23 port 80, does not answer or
returns no keys.
""",
    "doctor/pod-identity-association": """\
EKS has no association for the pod's service account, though there was one when
the pod was created.
""",
    "doctor/pod-identity-token": """\
The projected token for `pods.eks.amazonaws.com` cannot be read, or the agent
rejects it.
""",
    "doctor/pod-identity-trust": """\
The associated role does not let `pods.eks.amazonaws.com` assume it
(`sts:AssumeRole` and `sts:TagSession`).
""",
    "doctor/profile-first": """\
An AWS profile has `credential_process`, or `AWS_CONTAINER_CREDENTIALS_FULL_URI`
is set (`serve`), and the profile has another identity that SDKs use first: keys
in the shared credentials file, `role_arn`, IAM Identity Center, or, before the
endpoint of `serve`, keys in the config file. Neither `session()` nor
`install()` is affected.

| method | what SDKs use first | |---|---| | `session()`, `credentials()`,
`env`, `token` | nothing | | `exec` | nothing: it removes variables and the
shared credentials file, and does not start if the config file has more | |
`install()`, `register()` | keys in the environment, unless a profile is named |
| `credential_process` | those, and in the same profile `role_arn`,
`sso_account_id`, keys in the shared credentials file (and `login_session`, if
botocore has it first) | | `serve` (`AWS_CONTAINER_CREDENTIALS_FULL_URI`) | all
of these, `credential_process`, and keys in the config file |
""",
    "doctor/role-arn": """\
There is a role of this name in the account, with another ARN: a path was left
out.
""",
    "doctor/somebody-else": """\
STS returned credentials of another role or account. AWS does not do that; an
emulator may.
""",
    "doctor/sts-blocked": """\
Connections to STS get no answer: egress to port 443 is not allowed, or a
private cluster has no Cloud NAT.
""",
    "doctor/sts-clock": """\
The server that answers as STS has another time, while Google's clock agrees
with this machine's: a proxy with a cache, or an emulator.
""",
    "doctor/sts-closed": """\
Nothing listens at the STS endpoint, or there is no route to it.
""",
    "doctor/sts-cut": """\
Connections to STS are closed without an answer: by a firewall that reads the
host names in TLS, or by a proxy.
""",
    "doctor/sts-dns": """\
The name of the STS endpoint does not resolve: DNS, a region that does not
exist, or a private endpoint's name outside its network.
""",
    "doctor/sts-proxy": """\
Requests to STS go through a proxy that cannot be reached, does not answer or
does not let them pass. botocore chooses the proxy, from `HTTPS_PROXY` and
`NO_PROXY`.
""",
    "doctor/sts-silent": """\
A server accepts the connection to STS and gives no complete answer in time.
""",
    "doctor/sts-tls": """\
The certificate is not trusted here, is for another name, or has expired; or
`AWS_CA_BUNDLE` names no file. If a proxy of your own inspects TLS, set
`AWS_CA_BUNDLE` to the file of its authority.
""",
    "doctor/subject-audience": """\
The token in the file is for another audience than the provider's. It is the
cause if Google rejects the audience.
""",
    "doctor/subject-timeout": """\
The subject token was not returned in time.
""",
    "doctor/token-timeout": """\
The token source returned nothing in time: for a key file or impersonation,
Google is not reached.
""",
    "doctor/trust-policy": """\
The trust policy was read, and does not admit this token. The finding names the
values that differ. Its command changes these values only and leaves the rest of
the policy as it is; run it only if the token's account is the one that should
have the role. AWS compares `accounts.google.com:aud` with the token's `azp`,
`:oaud` with its `aud`, `:sub` with the service account's number.
""",
    "doctor/web-identity-variables": """\
`AWS_ROLE_ARN` counts only while `AWS_WEB_IDENTITY_TOKEN_FILE` is not set: if
both are set, botocore uses the pair itself.
""",
    "exchange/clock": """\
The credentials have ended, or almost, by this machine's clock. Set it right.
""",
    "exchange/denied": """\
AWS answered `AccessDenied` to a valid token. It says the same of a role that
does not exist and of a trust policy that does not admit the token, and either
side may be wrong. Check in this order:

1. The role exists: `aws iam get-role --role-name NAME`, in the account of the
   ARN. With a path, the ARN has it.
2. The audience. If the message calls it the default (`sts.amazonaws.com`) and
   the policy names another under `accounts.google.com:oaud` (for a cluster's
   own issuer, under `:aud`), the workload's setting is missing: set
   `GCP_AWS_BRIDGE_AUDIENCE`, the profile key `gcp_audience` or the argument. Do
   not put the default into the policy.
3. The account. The details say whose token it is. A node's default account
   (`...-compute@developer.gserviceaccount.com`) or a key file's instead of the
   pod's own is a fault of the workload.
4. The trust policy, last. The details end with the statement that admits this
   token; add it to the others.

`gcp-aws-bridge doctor` does the same, and compares the policy itself where AWS
keys with `iam:GetRole` are in the environment or the profile.
""",
    "exchange/duration": """\
Longer than the role's maximum session duration.
""",
    "exchange/expired-token": """\
STS says the token has ended. A fresh one was tried as well: compare the clocks.
""",
    "exchange/garbage": """\
What answered is not STS: a proxy's page, a wrong endpoint. The message has the
HTTP status.
""",
    "exchange/google-account": """\
There is no such service account. Correct the e-mail, or create the account.
Where the identity has no role on it, Google answers
exchange/google-impersonation instead.
""",
    "exchange/google-answer": """\
Something answered what Google does not: a proxy's page, or another address in
`token_url`.
""",
    "exchange/google-api": """\
The IAM Service Account Credentials API is off in the project that the message
names. `gcloud services enable iamcredentials.googleapis.com --project=NUMBER`
enables it.
""",
    "exchange/google-aws": """\
Google asked AWS who signed, and AWS did not say: the keys are expired or
revoked, or a clock is minutes off. Or Google could not read the request,
because there is no such AWS region; the message names the region.
""",
    "exchange/google-aws-account": """\
The AWS keys are of another account than the provider's. The message has both
numbers where Google names them. Use a provider of the keys' account, or keys of
the provider's account.
""",
    "exchange/google-aws-region": """\
AWS STS in the region that the message names does not take the keys: the account
has not enabled the region. Set `AWS_REGION` and `AWS_DEFAULT_REGION` to one
that is enabled.
""",
    "exchange/google-condition": """\
The provider's attribute condition is false for this identity. An assumed role
is `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION` there, without the role's
path.
""",
    "exchange/google-impersonation": """\
The federated identity may not act as the service account. The permission in
Google's message decides which role is missing: `roles/iam.workloadIdentityUser`
for access tokens and ID tokens, `roles/iam.serviceAccountTokenCreator` for
signatures (signed URLs).
""",
    "exchange/google-lifetime": """\
The service account's tokens may not live so long. Ask for 3600 s at most, or
have the organization's policy allow more.
""",
    "exchange/google-perimeter": """\
A perimeter of VPC Service Controls keeps the identity out. An ingress rule of
the perimeter must admit it.
""",
    "exchange/google-provider": """\
There is no such pool or provider, or it is disabled or deleted. Google says the
same of each; `gcp-aws-bridge doctor --google` prints the commands that show
which it is, restore what was deleted and enable what was disabled.
""",
    "exchange/google-request": """\
The request failed before an answer came, and not in the network: a transport
that was given as `request=` does not behave like google-auth's.
""",
    "exchange/google-scope": """\
Google does not know one of the scopes. The IAM Credentials API does not say
which argument is invalid; all others are checked by the library. Give URLs, or
leave `scopes` out.
""",
    "exchange/google-subject": """\
What the provider maps to `google.subject` is longer than 127 bytes, or is a
claim that the token does not have. The ARN of an EKS Pod Identity session is:
map the account and the role, not the session.
""",
    "exchange/google-token": """\
Google does not take the subject token: another kind than the provider's,
another issuer or audience, or past its end.
""",
    "exchange/google-unavailable": """\
Google cannot answer just now, or a quota is used up. The library tries again by
itself.
""",
    "exchange/google-unknown": """\
Google refused in words that this library does not know. The message quotes
them, and no cause is guessed. Google's page "Troubleshoot Workload Identity
Federation" may explain them; `gcp-aws-bridge doctor --google` tests each step.
""",
    "exchange/google-unreachable": """\
Google's token endpoint or the IAM Credentials API was not reached. The message
tells TLS, certificates, proxies, DNS, time-outs and refused connections apart,
and says where the cause is not known.
""",
    "exchange/hop": """\
A further role was refused: the role before it needs the permission
`sts:AssumeRole`, and the further role's trust policy must name it.
""",
    "exchange/invalid-token": """\
AWS could not validate the token. Three causes that are easily missed: an IAM
OIDC provider for `accounts.google.com` in the account (not needed; delete it,
or add the token's `azp` to its client ids), a cluster's provider whose client
ids do not have the token's audience, and a wrong clock. Where AWS says that
there is no provider for the issuer, the fix is the command that creates it,
with this token's issuer and audience. Where AWS says that the signature is
invalid, get a new token from its issuer.
""",
    "exchange/no-thread": """\
No thread can be started for an exchange in the background, which tasks of an
event loop need: the process or its cgroup is at its limit (`ulimit -u`,
`pids.max`), or the interpreter is ending. Raise the limit; get credentials
before the end. Threads are not affected: they make the exchange themselves.
""",
    "exchange/policy": """\
STS does not take the session policy, or it is too large once packed.
""",
    "exchange/refused": """\
Another code of STS's; its reference says what it means.
""",
    "exchange/region": """\
STS is not enabled in this region for the account. Enable it in the IAM console
(Account settings), or set a region that is enabled in `AWS_REGION` and
`AWS_DEFAULT_REGION`.
""",
    "exchange/timeout": """\
The exchange did not end in 90 seconds, or in the three that a command with
valid credentials waits; mostly a token source of one's own that hangs.
""",
    "exchange/tls": """\
STS was reached, and TLS with it fails; the details have OpenSSL's words. It is
not a matter of DNS or egress rules. By kind:

- The file of trusted certificates cannot be used: `AWS_CA_BUNDLE`,
  `REQUESTS_CA_BUNDLE` or the profile's `ca_bundle` names a file that is
  missing, unreadable, or has no certificate (PEM) in it.
- The certificate is for another name, or its authority is not trusted:
  something else answers. A proxy that intercepts TLS signs with an authority of
  its own; if it is yours, name that authority in `AWS_CA_BUNDLE`.
- The certificate is not valid at this time: compare the clock first.
- The certificate, or one of its authority, was rejected: the details have the
  reason, such as a key that is too weak. What answers there, often a proxy,
  needs another certificate.
- The other side wants a certificate of this client: it is not STS, which asks
  for none.
- What answers does not speak TLS: a wrong port, or a proxy of plain HTTP.
- A record arrived damaged (`BAD_RECORD_MAC`), the handshake was refused or cut:
  a proxy or a firewall on the way, or two processes that use one connection.
  These are tried again.
""",
    "exchange/unavailable": """\
STS, or a proxy before it, throttles or fails (HTTP 429, 5xx). It was retried,
and is again with the next request.
""",
    "exchange/unexpected": """\
A bug in the library, in a token source, or in something that botocore calls (a
hook, a tracer). The error's cause has the type and text of the original, and a
note that names the functions that raised it (Python 3.11 and later print
notes). Its own frames are left out: they hold the ID token and the keys, which
crash reporters would send.
""",
    "exchange/unreachable": """\
STS was not reached: DNS, egress rules or a proxy. For TLS see exchange/tls.
""",
    "token/audience": """\
The token is for another audience than the role's. A projected Kubernetes token
has its `audience` in the pod's volume.
""",
    "token/aws-changed": """\
The environment names another AWS identity than when these Google credentials
were made, or it was changed during an exchange. Make the credentials again;
give `session=boto3.Session(...)` to those that are to stay what they are. What
counts as another identity: a variable that chooses the AWS profile or its files
(`AWS_PROFILE`, `HOME`, `AWS_CONFIG_FILE`...), the role, session name or token
file of IRSA, a container's address or authorization token
(`AWS_CONTAINER_CREDENTIALS_FULL_URI`, `AWS_CONTAINER_AUTHORIZATION_TOKEN`...),
the address of STS (`AWS_ENDPOINT_URL_STS`...), and access keys that have come
into the environment, or gone. While there are any, no other variable counts.

Other access keys in the environment are taken up if AWS STS says that both sets
are of the same role or user. If the former keys have expired by then, or STS is
not reached, that cannot be known: make the credentials again. The whole table.
""",
    "token/aws-none": """\
botocore finds no AWS identity here. In a pod: is there a Pod Identity
association, or the annotation of IRSA, and was the pod made after it?

On EC2, botocore says the same where the instance's metadata service did not
answer, and does not tell the two apart. A container is one hop further than the
instance, and answers go one hop by default: raise the hop limit to 2. An
instance that has just started may need a moment: later calls ask again.
`gcp-aws-bridge doctor --google` asks the service itself, and says which it is.
""",
    "token/aws-refused": """\
There is an AWS identity, and botocore could not get its keys; the message has
botocore's own words.
""",
    "token/clock": """\
The token was issued in this machine's future, or the server's clock differs by
more than five minutes. AWS refuses signatures that are off by more: set the
clock right.
""",
    "token/environment-changed": """\
A token source of your own gave a token of another identity than before, and a
variable that decides identities has changed since the session was made. What
was exchanged now would be credentials of another workload. Make the session
again; or give it a source that does not read the environment, such as
`TokenFile("/path")`. When the environment is read.
""",
    "token/expired": """\
The source gives a token that has ended. Is something still writing the file?
""",
    "token/file-missing": """\
The token file does not exist: is the volume mounted, the path right?
""",
    "token/file-unreadable": """\
It exists and cannot be read. In a pod, `securityContext.fsGroup` lets a
non-root user.
""",
    "token/google-file": """\
The file that `GOOGLE_APPLICATION_CREDENTIALS` names, or gcloud's own, is there
and broken, or its `credential_source` names a file, a program or a metadata
server that gives no token. Nothing else is tried: another identity than the one
you chose would be worse than none.
""",
    "token/google-kind": """\
These google-auth credentials give no ID token for an audience of choice. The
message names the file and its type:

| type in the file | gives an ID token | what works | |---|---|---| |
`service_account` | yes, of the key's account | | |
`impersonated_service_account` | yes, of the impersonated account | | |
`external_account` with `service_account_impersonation_url` | yes, of that
account, by `generateIdToken` | | | `external_account` without it | no | write
the file with `--service-account`, or impersonate | | `authorized_user`,
`external_account_authorized_user` (a user's login) | no | impersonate | |
`gdch_service_account` (Google Distributed Cloud) | no | a service account of
Google Cloud |

To impersonate a service account:
`GoogleCredentials(impersonate="sa@project.iam.gserviceaccount.com")`.
""",
    "token/google-none": """\
google-auth found no credentials at all.
""",
    "token/google-refused": """\
Google was reached and refused. Where Google names a permission, the message has
the command that grants the role with it: a federated identity
(`external_account`) needs `roles/iam.workloadIdentityUser` on the service
account, any other caller `roles/iam.serviceAccountTokenCreator`. The IAM
Credentials API must be enabled.
""",
    "token/google-unreachable": """\
Google was not reached: DNS, egress to port 443, a proxy or TLS. No role and no
file is at fault. It is tried again.
""",
    "token/issuer": """\
A token of somebody else's came from what should be the metadata server. Look at
`GCE_METADATA_HOST`.
""",
    "token/key-file": """\
The key file is missing, unreadable, or not a service account's.
""",
    "token/malformed": """\
What the source returned is not a JWT: empty, a web page, cut short. The message
says which.
""",
    "token/metadata-not-ready": """\
Google's metadata server answers, but with errors or with tokens near their end,
for as long as it was waited for. On GKE look at the `gke-metadata-server` pods
in `kube-system`.
""",
    "token/metadata-refused": """\
The metadata server answered with an error. On GKE mostly the binding: the
Kubernetes service account needs `roles/iam.workloadIdentityUser` on the Google
one.
""",
    "token/metadata-unreachable": """\
No metadata server answered in time. On Google Cloud: a network policy without
169.254.169.254:80 and 169.254.169.252:988, or a node pool without Workload
Identity. Where new pods need longer than 20 s, set
`GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS`. Elsewhere there is none.
""",
    "token/no-service-account": """\
404: the pod's Kubernetes service account is linked to no Google service
account, and so has no ID token. Link it, or trust the cluster's own OIDC issuer
in AWS and use `TokenFile`.
""",
    "token/none": """\
No source of the default ones is here; the message says why of each.
""",
    "token/not-google": """\
Something answers at the metadata server's address, and it is not Google's:
EC2's, Azure's, a proxy.
""",
    "token/outbound-denied": """\
The role may not call `sts:GetWebIdentityToken`, or not for this audience.
""",
    "token/outbound-disabled": """\
The AWS account has outbound identity federation switched off. An administrator
enables it once.
""",
    "token/outbound-refused": """\
AWS refused `sts:GetWebIdentityToken` for another reason, and the message has
its words. `aws sts get-caller-identity` in the same place shows whether the
keys are valid.
""",
    "token/outbound-session": """\
The session of the AWS keys ends within two minutes, and a token of AWS may not
outlive it. Get fresh keys.
""",
    "token/source-raised": """\
Your own token source raised an error. The cause in the traceback has its type,
its text with secrets redacted, and a note that names the functions that raised
it; its frames, which may hold the token, are left out.
""",
}
