"""AppError: an app that cannot be run, in one sentence for whoever wrote it."""


class AppError(ValueError):
    """What is wrong with an app, and what is expected instead."""
