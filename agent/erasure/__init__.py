"""Data that goes for good: on request, and after the retention period."""
