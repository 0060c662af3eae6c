"""Data that goes for good: what people ask to have erased, and what has been kept long enough."""
