"""Observability for operators: fields of log records, and metrics."""
