"""The JSON document that an app and the agent share in each conversation."""
