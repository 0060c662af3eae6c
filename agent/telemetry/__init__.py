"""What operators see of the worker: fields of log records, and metrics."""
