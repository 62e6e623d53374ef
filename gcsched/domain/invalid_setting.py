"""The error of a setting that contradicts another one or cannot be used."""


class InvalidSetting(ValueError):
    """A setting cannot be used; the text is the sentence that follows the variable's name."""


class ContradictorySettings(InvalidSetting):
    """Settings contradict each other; the text is the whole sentence."""
