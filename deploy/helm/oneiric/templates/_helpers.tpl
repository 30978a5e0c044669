{{- define "oneiric.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "oneiric.selector" -}}
app.kubernetes.io/name: oneiric
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "oneiric.labels" -}}
{{ include "oneiric.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "oneiric.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "oneiric.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "oneiric.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "oneiric.secret" -}}
{{- .Values.existingSecret | default (include "oneiric.fullname" .) -}}
{{- end -}}

{{- define "oneiric.hasClaim" -}}
{{- and .Values.persistence.enabled (not .Values.postgresql.enabled) -}}
{{- end -}}

{{- define "oneiric.podSecurity" -}}
runAsNonRoot: true
{{- range $name := list "runAsUser" "runAsGroup" "fsGroup" }}
{{- $number := get $.Values.podSecurityContext $name }}
{{- if not (or (kindIs "invalid" $number) (eq (toString $number) "")) }}
{{ $name }}: {{ $number | int64 }}
{{- end }}
{{- end }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "oneiric.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "oneiric.check" -}}
{{- $several := or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) -}}
{{- if and $several (not .Values.postgresql.enabled) -}}
{{- fail "replicaCount above 1 and autoscaling.enabled need postgresql.enabled: pods that share nothing are paused one by one" -}}
{{- end -}}
{{- if and (or .Values.ingress.enabled .Values.httpRoute.enabled) (not .Values.http.enabled) -}}
{{- fail "ingress.enabled and httpRoute.enabled need http.enabled: the metrics are not for them" -}}
{{- end -}}
{{- if and .Values.secret .Values.existingSecret -}}
{{- fail "secret and existingSecret exclude each other" -}}
{{- end -}}
{{- if and .Values.postgresql.enabled (not .Values.existingSecret) (not (hasKey .Values.secret .Values.postgresql.secretKey)) -}}
{{- fail (printf "postgresql.enabled needs existingSecret, or secret.%s" .Values.postgresql.secretKey) -}}
{{- end -}}
{{- $stop := dig "runtime" "stop_timeout" 25 .Values.settings | int -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (add $stop 10) -}}
{{- fail (printf "terminationGracePeriodSeconds must be at least settings.runtime.stop_timeout + 10 = %d" (add $stop 10)) -}}
{{- end -}}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) -}}
{{- fail "autoscaling.minReplicas must be at most autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (not .Values.autoscaling.targetCPU) (not .Values.autoscaling.targetMemory) (not .Values.autoscaling.metrics) -}}
{{- fail "autoscaling.enabled needs targetCPU, targetMemory or metrics" -}}
{{- end -}}
{{- end -}}
