"""A setting that does not fit: to another one, or to what it is for."""


class InvalidSetting(ValueError):
    """A setting does not fit to another one; the text continues after the variable's name."""
