"""AppError: an app that cannot run, with one sentence for its author."""


class AppError(ValueError):
    """An app is wrong; the text says how, and what is expected."""
