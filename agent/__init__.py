"""The worker that LiveKit dispatches into rooms."""
