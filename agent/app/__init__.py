"""An app: the agents of a worker, their tools, models and hooks, in a file of one's own."""
