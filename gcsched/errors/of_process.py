"""The errors that operators see: those of the start, of templates, and of the process."""

from gcsched.errors.of_calls import GcschedError


class SettingsProblems(GcschedError):
    """Settings are missing or contradict each other: one sentence each, all at once."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class TemplateProblem(GcschedError):
    """A template cannot be used; the message names file and line."""

    def __init__(self, file: str, line: int | None, problem: str) -> None:
        where = file if line is None else f"{file}, line {line}"
        super().__init__(f"template {where}: {problem}")

    @classmethod
    def join(cls, problems: list["TemplateProblem"]) -> "TemplateProblem":
        """Join *problems* into one error, a line each."""
        joined = cls.__new__(cls)
        Exception.__init__(joined, "\n".join(str(problem) for problem in problems))
        return joined


class MalformedMail(GcschedError):
    """A composed mail cannot be sent: its envelope or its content violates SMTP."""


class CannotListen(GcschedError):
    """The address to listen on cannot be used; *problem* says why and what to do."""

    def __init__(self, address: str, problem: str) -> None:
        super().__init__(f"cannot listen on {address}: {problem}")


class EmbeddedStoreProblem(GcschedError):
    """An embedded MongoDB or Valkey cannot be used here; the message says what to do."""


class BackgroundTaskEnded(GcschedError):
    """A background task ended unexpectedly; the whole process ends then."""

    def __init__(self, task: str, how: str) -> None:
        super().__init__(
            f"the background task {task!r} {how}; the process stops and its log says why:"
            " start it again, and report it if it recurs"
        )
        self.task = task
        self.how = how
