"""What can go wrong in a way that a user can mend. Nothing here knows where it is shown.

An error of this family carries one message: what was expected, what was found, where, and what
to do. It is printed as it stands; anything else that escapes is a defect and keeps its traceback.
"""


class HomingError(Exception):
    """Base of every error whose message is meant for the user."""


class SettingsError(HomingError):
    """A setting is missing or has a value that cannot be used."""


class SourceError(HomingError):
    """What a source delivered cannot be used at all (single bad rows go to quarantine instead)."""


class BorderError(HomingError):
    """A check at one of the three borders refused the data."""


class TablesError(HomingError):
    """Tables could not be built, or did not keep what they promise."""


class PublishError(HomingError):
    """A version could not be published; the one before it still stands."""
