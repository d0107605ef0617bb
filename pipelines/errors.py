"""What can go wrong in a way that a user can mend. Nothing here knows where it is shown.

An error of this family carries one message: what was expected, what was found, where, and what
to do. It is printed as it stands; anything else that escapes is a defect and keeps its traceback.
"""

import errno
import socket

# What servers, networks and mounted folders say that may do better a little later. Lost
# connections and time-outs are told by their class.
_PASSING = {
    errno.EAGAIN,
    errno.EBUSY,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.EIO,
    errno.ENETDOWN,
    errno.ENETRESET,
    errno.ENETUNREACH,
    errno.ENOTCONN,
    errno.ESTALE,
    socket.EAI_AGAIN,
}


class HomingError(Exception):
    """Base of every error whose message is meant for the user."""


class SettingsError(HomingError):
    """A setting is missing or has a value that cannot be used."""


class SourceError(HomingError):
    """What a source delivered cannot be used at all (single bad rows go to quarantine instead)."""


class SourceUnreachableError(SourceError):
    """A source did not answer, or broke off: the same may work a little later."""


def source_error(message: str, cause: BaseException) -> SourceError:
    """The error for a source that could not be read: unreachable where waiting can help.

    Args:
        message: for the user.
        cause: what was raised. A missing file, one that may not be read and one that is damaged
            stay as they are, however long one waits.
    """
    is_passing = isinstance(cause, ConnectionError | TimeoutError) or (
        isinstance(cause, OSError) and cause.errno in _PASSING
    )
    return (SourceUnreachableError if is_passing else SourceError)(message)


class BorderError(HomingError):
    """A check at one of the three borders refused the data."""


class TablesError(HomingError):
    """Tables could not be built, or did not keep what they promise."""


class PublishError(HomingError):
    """A version could not be published; the one before it still stands."""
