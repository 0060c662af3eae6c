"""Errors of the history. No error text quotes messages or a password."""

from __future__ import annotations


class HistoryError(Exception):
    """Base of all errors of the history; the text is for the log."""


class UnavailableError(HistoryError):
    """The database cannot be used now; the same call may work later."""


class InvalidValueError(HistoryError, ValueError):
    """An id, cursor, limit or value that no message can have (for its sender: 400)."""


class NotAllowedError(HistoryError):
    """The thread is somebody else's (403)."""


class NotFoundError(HistoryError):
    """There is no such message, or none any more (404)."""


class RejectedError(HistoryError):
    """The database refuses this write, now and later. Public: a store of an app's own raises it."""


class SchemaError(HistoryError):
    """The database has a schema that this version cannot work with."""
