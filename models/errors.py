"""Errors of the model room: what was expected, what was found, where, what to do."""


class ModelError(ValueError):
    """Something the caller can act on; its message needs no traceback."""


class FrameError(ModelError):
    """A frame does not have the columns, kinds or keys that training or scoring asks for."""


class TooLittleDataError(ModelError):
    """The data does not reach the stated minimum for learning; the message is the reason."""


class StoreError(ModelError):
    """A stored version or the champion pointer is missing, damaged or of a foreign format."""
