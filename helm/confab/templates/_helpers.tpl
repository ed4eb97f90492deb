{{- define "confab.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 45 | trimSuffix "-" -}}
{{- end -}}

{{/* Names of pods are this and a number; a StatefulSet's may have 52 characters, as its revisions get ten more. */}}
{{- define "confab.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "confab.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "confab.meshName" -}}
{{- include "confab.fullname" . }}-mesh
{{- end -}}

{{- define "confab.selector" -}}
app.kubernetes.io/name: {{ include "confab.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "confab.podSelector" -}}
{{ include "confab.selector" . }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "confab.testSelector" -}}
{{ include "confab.selector" . }}
app.kubernetes.io/component: test
{{- end -}}

{{- define "confab.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "confab.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* metadata of a resource. Call with (dict "root" $ "name" NAME), "component", "annotations" and "labels" if there are any. */}}
{{- define "confab.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "confab.labels" .root | nindent 2 }}
  {{- with .component }}
  app.kubernetes.io/component: {{ . }}
  {{- end }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $annotations := merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "confab.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "confab.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "confab.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default .Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{/* "true" or nothing. */}}
{{- define "confab.isPostgres" -}}
{{- if eq .Values.store.kind "postgres" }}true{{ end -}}
{{- end -}}

{{- define "confab.hasMesh" -}}
{{- if and (include "confab.isPostgres" .) .Values.mesh.publicKeys }}true{{ end -}}
{{- end -}}

{{- define "confab.podsMin" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled | int -}}
{{- end -}}

{{- define "confab.podsMax" -}}
{{- ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled | int -}}
{{- end -}}

{{- define "confab.isScaled" -}}
{{- if gt (int (include "confab.podsMax" .)) 1 }}true{{ end -}}
{{- end -}}

{{/* The Secret that the chart makes, when it is given something for it. */}}
{{- define "confab.ownSecret" -}}
{{- if and (include "confab.isPostgres" .) (or .Values.store.url .Values.mesh.secretKeys) }}{{ include "confab.fullname" . }}{{ end -}}
{{- end -}}

{{- define "confab.everyInterface" -}}
{{- ternary "[::]" "0.0.0.0" .Values.ipv6 -}}
{{- end -}}

{{- define "confab.graceSeconds" -}}
{{- add (int .Values.shutdownSeconds) (int .Values.preStopSeconds) 15 -}}
{{- end -}}

{{/* A setting as confab reads it. Numbers come as floats, and large ones would be printed as 1e+06. */}}
{{- define "confab.setting" -}}
{{- if kindIs "float64" . -}}
{{- if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- else -}}
{{- toRawJson . -}}
{{- end -}}
{{- end -}}

{{/* The settings that the chart makes, besides those in the pods' environment. */}}
{{- define "confab.ownConfig" -}}
{{- if .Values.tls.existingSecret }}
http:
  tls_cert_file: /run/confab/tls/tls.crt
  tls_key_file: /run/confab/tls/tls.key
{{- end }}
shutdown:
  timeout: {{ .Values.shutdownSeconds }}s
{{- if include "confab.hasMesh" . }}
mesh:
  allowed_keys: {{ toRawJson .Values.mesh.publicKeys }}
{{- end }}
{{- end -}}

{{- define "confab.configFile" -}}
{{- $config := mergeOverwrite (deepCopy .Values.config) (include "confab.ownConfig" . | fromYaml) -}}
{{- range $section, $keys := $config }}
{{- if $keys }}
{{ $section }}:
  {{- range $key, $value := $keys }}
  {{ $key }}: {{ include "confab.setting" $value }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What keeps values from being a chat, all of it at once. */}}
{{- define "confab.refusals" -}}
{{- $values := .Values -}}
{{- with (($values.resources).limits).memory }}
{{- if not (regexMatch "^[0-9.]+([eE][+]?[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$" (toString .)) }}
- resources.limits.memory is {{ . }}: an amount such as 2Gi is needed.
{{- end }}
{{- end }}
{{- $most := int (include "confab.podsMax" .) -}}
{{- if include "confab.isPostgres" . }}
{{- if and (not $values.store.url) (not $values.store.existingSecret) }}
- store.existingSecret or store.url is needed: where the PostgreSQL database is. (store.kind=sqlite needs none, for one pod.)
{{- end }}
{{- if and $values.store.url $values.store.existingSecret }}
- store.url and store.existingSecret are both given: leave one out.
{{- end }}
{{- if and (gt $most 1) (not $values.mesh.publicKeys) }}
- mesh.publicKeys is needed for {{ $most }} pods, and mesh.secretKeys or mesh.existingSecret: `helm/mesh-keys {{ $most }}` makes them.
{{- end }}
{{- if $values.mesh.publicKeys }}
{{- if and (not $values.mesh.secretKeys) (not $values.mesh.existingSecret) }}
- mesh.secretKeys or mesh.existingSecret is needed beside mesh.publicKeys.
{{- end }}
{{- if lt (len $values.mesh.publicKeys) $most }}
- mesh.publicKeys has {{ len $values.mesh.publicKeys }} keys for {{ $most }} pods.
{{- end }}
{{- end }}
{{- if and $values.mesh.secretKeys $values.mesh.existingSecret }}
- mesh.secretKeys and mesh.existingSecret are both given: leave one out.
{{- end }}
{{- if and $values.mesh.secretKeys (not $values.mesh.publicKeys) }}
- mesh.secretKeys is given without mesh.publicKeys.
{{- end }}
{{- if and $values.mesh.secretKeys (lt (len $values.mesh.secretKeys) $most) }}
- mesh.secretKeys has {{ len $values.mesh.secretKeys }} keys for {{ $most }} pods.
{{- end }}
{{- else }}
{{- if $values.autoscaling.enabled }}
- autoscaling.enabled needs store.kind=postgres: SQLite belongs to one pod.
{{- else if gt $most 1 }}
- replicas must be 1 with store.kind=sqlite: SQLite belongs to one pod.
{{- end }}
{{- if or $values.store.url $values.store.existingSecret }}
- store.url and store.existingSecret are for store.kind=postgres.
{{- end }}
{{- if or $values.mesh.publicKeys $values.mesh.secretKeys $values.mesh.existingSecret }}
- mesh is for store.kind=postgres.
{{- end }}
{{- end }}
{{- if $values.autoscaling.enabled }}
{{- if gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas) }}
- autoscaling.minReplicas is above autoscaling.maxReplicas.
{{- end }}
{{- if and (not $values.autoscaling.cpuUtilization) (not $values.autoscaling.connections) }}
- autoscaling.enabled needs autoscaling.cpuUtilization or autoscaling.connections.
{{- end }}
{{- if and $values.autoscaling.cpuUtilization (not (dig "requests" "cpu" "" $values.resources)) }}
- autoscaling.cpuUtilization needs resources.requests.cpu.
{{- end }}
{{- end }}
{{- if and $values.ingress.enabled (not $values.ingress.hosts) }}
- ingress.enabled needs ingress.hosts.
{{- end }}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) }}
- httpRoute.enabled needs httpRoute.parentRefs.
{{- end }}
{{- if and $values.metrics.serviceMonitor.enabled $values.metrics.podMonitor.enabled }}
- metrics.serviceMonitor and metrics.podMonitor are both enabled: everything would be counted twice.
{{- end }}
{{- if and $values.networkPolicy.enabled $values.networkPolicy.models.enabled (not $values.networkPolicy.models.to) }}
- networkPolicy.models.enabled needs networkPolicy.models.to.
{{- end }}
{{- if and (not $values.serviceAccount.create) $values.serviceAccount.annotations }}
- serviceAccount.annotations is for one that the chart makes.
{{- end }}
{{- $ports := list (int $values.ports.http) (int $values.ports.metrics) (int $values.ports.mesh) }}
{{- if lt (len (uniq $ports)) 3 }}
- ports must be three different ones.
{{- end }}
{{- end -}}

{{- define "confab.check" -}}
{{- with include "confab.refusals" . | trim }}
{{- fail (printf "\n\nThis cannot be installed:\n\n%s\n" .) }}
{{- end }}
{{- end -}}

{{/* What is the container's own stands here, so that nothing an image says of it counts. */}}
{{- define "confab.env" -}}
{{- $all := include "confab.everyInterface" . -}}
- name: CONFAB_CONFIG
  value: /etc/confab/confab.yaml
- name: CONFAB_NODE_DATA_DIR
  value: /data
- name: CONFAB_HTTP_LISTEN
  value: "{{ $all }}:{{ .Values.ports.http }}"
- name: CONFAB_METRICS_LISTEN
  value: "{{ $all }}:{{ .Values.ports.metrics }}"
- name: CONFAB_NODE_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- if include "confab.isPostgres" . }}
- name: CONFAB_STORE_URL_FILE
  value: /run/confab/store/url
{{- end }}
{{- if include "confab.hasMesh" . }}
- name: CONFAB_MESH_LISTEN
  value: "{{ $all }}:{{ .Values.ports.mesh }}"
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: CONFAB_MESH_ENDPOINT
  value: {{ printf (ternary "tcp://[$(POD_IP)]:%v" "tcp://$(POD_IP):%v" .Values.ipv6) .Values.ports.mesh | quote }}
- name: CONFAB_MESH_SECRET_KEY_FILE
  value: /run/confab/mesh/key
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A pod sees of the Secret with the nodes' keys its own alone: subPathExpr picks it by the pod's name. */}}
{{- define "confab.mounts" -}}
- name: config
  mountPath: /etc/confab
  readOnly: true
- name: data
  mountPath: /data
{{- if include "confab.isPostgres" . }}
- name: store
  mountPath: /run/confab/store
  readOnly: true
{{- end }}
{{- if include "confab.hasMesh" . }}
- name: mesh
  mountPath: /run/confab/mesh/key
  subPathExpr: $(CONFAB_NODE_NAME)
  readOnly: true
{{- end }}
{{- if .Values.tls.existingSecret }}
- name: tls
  mountPath: /run/confab/tls
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "confab.probe" -}}
httpGet:
  path: {{ .path }}
  port: metrics
{{- range $key, $value := omit .probe "enabled" }}
{{ $key }}: {{ int $value }}
{{- end }}
{{- end -}}

{{/* Endpoint of a ServiceMonitor or PodMonitor. */}}
{{- define "confab.endpoint" -}}
- port: metrics
  path: /metrics
  interval: {{ .interval }}
  relabelings:
    # what alerts look for, whatever the chart is called
    - action: replace
      targetLabel: job
      replacement: confab
    # which chat it is; the operator's Prometheus adds the namespace
    - action: replace
      targetLabel: release
      replacement: {{ .release | quote }}
    {{- with .relabelings }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Bytes, of an amount as Kubernetes or confab writes it. */}}
{{- define "confab.bytes" -}}
{{- $amount := toString . | trimSuffix "B" -}}
{{- $number := regexFind "^[0-9.]+([eE][+]?[0-9]+)?" $amount -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- mulf $number (trimPrefix $number $amount | get $units) | printf "%.0f" -}}
{{- end -}}

{{/* The alerts of docs/alerts.yml about this release, with its bounds. */}}
{{- define "confab.alerts" -}}
{{- $text := .Files.Get "files/alerts.yml" -}}
{{- $memory := ((.Values.resources).limits).memory -}}
{{- $bounds := dict -}}
{{- range $name, $bound := .Values.metrics.prometheusRule.bounds -}}
{{- $_ := set $bounds $name (toJson $bound) -}}
{{- end -}}
{{- range $name := list "auth.hash_queue" "gateway.pool_bytes" "http.request_pool_bytes" -}}
{{- with dig (splitList "." $name | first) (splitList "." $name | last) "" $.Values.config -}}
{{- $_ := set $bounds $name (include "confab.bytes" .) -}}
{{- end -}}
{{- end -}}
{{- with $memory -}}
{{- $_ := set $bounds "resources.limits.memory" (include "confab.bytes" .) -}}
{{- end -}}
{{- range $name, $bound := $bounds -}}
{{- $text = regexReplaceAll (printf "[0-9.]+( # bound: %s\n)" $name) $text (printf "%s${1}" $bound) -}}
{{- end -}}
{{- if or .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
{{- /* other releases have rules of their own; what somebody else scrapes may lack these labels */ -}}
{{- $text = replace `job="confab"` (printf `job="confab",namespace="%s",release="%s"` .Release.Namespace .Release.Name) $text -}}
{{- end -}}
{{- range $group := ($text | fromYaml).groups }}
- name: {{ $group.name }}
  rules:
    {{- range $rule := $group.rules }}
    {{- if or $memory (ne $rule.alert "ConfabMemoryNearLimit") }}
    {{- list $rule | toYaml | nindent 4 }}
    {{- end }}
    {{- end }}
{{- end }}
{{- end -}}
