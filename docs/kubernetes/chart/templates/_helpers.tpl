{{/* The prefix of all names. Of at most 50 characters: the longest suffix has 13, and a DNS label 63.
A Service's name has no dots and begins with a letter; a release's may. */}}
{{- define "gcp-aws-bridge.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- $full = default $full .Values.fullnameOverride | replace "." "-" -}}
{{- $full = regexReplaceAll "^([0-9])" $full "r${1}" -}}
{{- include "gcp-aws-bridge.shortened" (list $full 50) -}}
{{- end -}}

{{/* (list NAME LENGTH): a name that is too long ends in a digest, so that two names stay different. */}}
{{- define "gcp-aws-bridge.shortened" -}}
{{- $name := index . 0 -}}
{{- if gt (len $name) (index . 1) -}}
{{- $name = printf "%s-%s" ($name | trunc (int (sub (index . 1) 9)) | trimSuffix "-") (sha256sum $name | trunc 8) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* The name of objects without a namespace: releases in two namespaces may have the same name. The API
server calls webhooks in the order of their names: this one before EKS's `pod-identity-webhook`, which
then sees the sidecar. */}}
{{- define "gcp-aws-bridge.clusterName" -}}
{{- include "gcp-aws-bridge.shortened" (list (printf "%s-%s-%s" .Chart.Name .Release.Namespace (.Release.Name | replace "." "-")) 63) -}}
{{- end -}}

{{- define "gcp-aws-bridge.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* `metadata` of an object; (dict "root" $ "name" NAME "annotations" {...} "labels" {...} "cluster" BOOL). */}}
{{- define "gcp-aws-bridge.metadata" -}}
{{- $root := .root -}}
name: {{ .name | quote }}
{{- if not .cluster }}
namespace: {{ $root.Release.Namespace | quote }}
{{- end }}
labels:
  {{- $own := fromYaml (include "gcp-aws-bridge.selector" $root) }}
  {{- $_ := set $own "app.kubernetes.io/version" $root.Chart.AppVersion }}
  {{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service }}
  {{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63) }}
  {{- toYaml (merge $own (default dict .labels) (default dict $root.Values.labels)) | nindent 2 }}
{{- with merge (deepCopy (default dict .annotations)) (default dict $root.Values.annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "gcp-aws-bridge.image" -}}
{{- $repository := required "image.repository: the registry and name of the image, such as registry.example.com/gcp-aws-bridge" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{ $repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ $repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "gcp-aws-bridge.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "gcp-aws-bridge.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ required "serviceAccount.name: with serviceAccount.create=false, the name of an existing service account" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{- define "gcp-aws-bridge.secretName" -}}
{{- if eq .Values.certificates.mode "existingSecret" -}}
{{ .Values.certificates.existingSecret }}
{{- else -}}
{{ include "gcp-aws-bridge.fullname" . }}-tls
{{- end -}}
{{- end -}}

{{/* All that the webhook may do at the API server: the one list of verbs. */}}
{{- define "gcp-aws-bridge.serviceAccountVerbs" -}}
[get]
{{- end -}}
