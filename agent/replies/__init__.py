"""Outgoing answers: each over all its outputs, in public or in private, and its replays."""
