"""The conversation: its queue, its context, one answer to each message, and its storage."""
