"""The exit codes of all commands; --help and docs/cli.md repeat the table."""

DONE = 0
REFUSED = 1
WRONG_USAGE = 2
NO_ANSWER = 3
INTERRUPTED = 130
OUTPUT_CLOSED = 141

EXIT_CODES_HELP = """\
exit codes:
  0    done: accepted, SERVING, or changed as requested
  1    not done: the service refused, you answered no, or the command failed
  2    wrong usage, an invalid value, settings that are missing or contradictory, or packages
       that are not installed
  3    no answer: unreachable, out of time, overloaded; running the command again is safe
  130  interrupted
  141  the reader of the output has gone
  143  ended by SIGTERM"""
