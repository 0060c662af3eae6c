"""The model service: requests, streams, retries, and the tool loop."""
