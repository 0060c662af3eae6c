"""From settings to the models that answer."""
