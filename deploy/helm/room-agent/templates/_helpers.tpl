{{- define "room-agent.labels" -}}
app.kubernetes.io/name: room-agent
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "room-agent.selector" -}}
app.kubernetes.io/name: room-agent
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "room-agent.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* MB of limits.memory, which is in Mi or Gi. */}}
{{- define "room-agent.memory" -}}
{{- $limit := .Values.resources.limits.memory -}}
{{- if hasSuffix "Gi" $limit -}}
{{ mul 1024 (trimSuffix "Gi" $limit | int) }}
{{- else if hasSuffix "Mi" $limit -}}
{{ trimSuffix "Mi" $limit | int }}
{{- else -}}
{{ fail "resources.limits.memory: expected a number of Mi or Gi" }}
{{- end -}}
{{- end }}

{{/* One process more than there are has to fit, while it replaces another. */}}
{{- define "room-agent.memoryLimit" -}}
{{- $fits := div (include "room-agent.memory" . | int) (add1 (.Values.processes | int)) -}}
{{- if not .Values.memoryLimit -}}
{{ $fits }}
{{- else if gt (.Values.memoryLimit | int) (int $fits) -}}
{{ fail (printf "memoryLimit: at most %d fits into limits.memory with %d processes and a replacement" (int $fits) (.Values.processes | int)) }}
{{- else -}}
{{ .Values.memoryLimit }}
{{- end -}}
{{- end }}
