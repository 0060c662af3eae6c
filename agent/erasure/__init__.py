"""Erasure of data for good: on request, and after the retention period."""
