"""Incoming streams and packets become messages, with their senders, for the agent or not."""
