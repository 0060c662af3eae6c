"""AppError: an app that cannot run, with one sentence for its author."""


class AppError(ValueError):
    """An app is not valid; the text says why, and what is expected."""
