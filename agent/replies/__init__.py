"""Outgoing answers: one over every output, in public or in private, and its replays."""
