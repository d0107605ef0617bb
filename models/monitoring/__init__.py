"""Whether a version still holds: are its customers the same, does what it says come true."""
