"""The exit codes of all commands: one table, which --help and docs/cli.md repeat."""

DONE = 0
REFUSED = 1
WRONG_USAGE = 2
NO_ANSWER = 3
INTERRUPTED = 130
OUTPUT_CLOSED = 141

EXIT_CODES_HELP = """\
exit codes:
  0    done: accepted, SERVING, or changed as asked
  1    not done: the service or you said no, or the command failed
  2    wrong usage, a value that is not valid, settings that are missing or contradictory, or
       packages that are not installed
  3    no answer: unreachable, out of time, overloaded; asking again is safe
  130  interrupted
  141  nothing reads the output any more
  143  ended by SIGTERM"""
