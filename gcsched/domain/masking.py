"""Masks personal texts of a mail in a relay's reply, so that it can be logged. Pure.

A relay may repeat a name or a subject in part, folded, or encoded. So each word of the mail is
searched for by itself, and encoded pieces are decoded first. Too much is masked rather than too
little: the job's history keeps the full reply, and an operator reads it by GetJob.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

from gcsched.domain.address_forms import mask_addresses
from gcsched.domain.encodings import decodings, is_encoded_word
from gcsched.domain.invisible_text import INVISIBLE
from gcsched.domain.meeting import Person

MAX_LENGTH = 2048  # characters of a text; a job's reason has some 600
MAX_VALUES_LENGTH = 16 * 1024  # as in a request: the rest is not searched for
HIDDEN, ADDRESS = "\x00", "\x01"  # placeholders: the text has no control characters by then
MIN_PART_LENGTH = 4  # of a word that a relay cut off; 2 outside ASCII, where a character says more
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")

# A word ends at white space and punctuation, but not at vowel signs, which \w lacks.
WORD = re.compile(r"[^\s\x00-\x1f!-/:-@\[-`{-\xbf\u2000-\u206f\u3000-\u303f\uff00-\uff0f]+")
CHUNK = re.compile(r"\S+")
# Code and stage, which this service itself writes before a relay's text.
FACT = re.compile(r"\b[245]\d\d(?: [245]\.\d{1,3}\.\d{1,3})? at [A-Z]+:")
NOT_ASCII, UNREADABLE = re.compile(r"[^\x00-\x7f]"), "\ufffd"
MASKS = re.compile(rf"{HIDDEN}(?:[^\w{ADDRESS}{HIDDEN}]*+{HIDDEN})*+")

# Words of ordinary replies, which stay readable unless they are a part of the recipient's name.
STOP_WORD_LIST = """
a about access account action address addresses administrator after again all allowed already an
and any are as at authentication auth bad be because been before blocked body bounce but by busy
can cannot check client closed code command complete connect connection contact content could
daily data day delivery denied details disabled disk dns do does domain due email error exceeded
exist exists failed failure find first for found from full getting greylisted has have header help
host hour hours http https if in inactive internal invalid ip is it its item later length limit
limits line list local long look mail mailbox mails many max maximum may me message messages
minute minutes more must my name network new no not nothing now of off ok on one only or order org
other our out over per permanent please policy port possible postmaster problem protocol quota
rate reached reason receive received recipient recipients refused reject rejected relay remote
reply request requested required resources retry sec second seconds see send sender sending sent
server service session size smtp so sorry space spam spf storage subject such support syntax
system taken temporarily temporary test than that the their there this time timeout timed to too
transaction transfer try unable unavailable unknown until up us use user users valid via was we
were what when which while will with without would wrong you your
"""
STOP_WORDS = frozenset(STOP_WORD_LIST.split())


class MeetingTexts(Protocol):
    """The texts of a meeting, as a mail shows them."""

    @property
    def summary(self) -> str: ...
    @property
    def location(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def organizer(self) -> Person: ...
    @property
    def guests(self) -> tuple[Person, ...]: ...
    @property
    def reason(self) -> str: ...


class MeetingMailTexts(Protocol):
    """The texts of the meeting that a mail is about, and those that it corrects."""

    @property
    def revision(self) -> MeetingTexts: ...
    @property
    def earlier(self) -> MeetingTexts | None: ...


class PersonalTexts(Protocol):
    """The texts of a mail that identify its recipient or its content; a Job has them."""

    @property
    def email(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def empid(self) -> str: ...
    @property
    def reply_to(self) -> str: ...
    @property
    def variables(self) -> Mapping[str, str]: ...
    @property
    def meeting(self) -> MeetingMailTexts | None: ...


def mask(text: str, personal: PersonalTexts | None) -> str:
    """Return *text* in one line without addresses, and without the words of *personal* if given.

    Takes time linear in the text and in the mail; both are bounded.
    """
    return mask_words(None if personal is None else PersonalWords(personal), text)


def mask_words(words: "PersonalWords | None", text: str) -> str:
    """Do what `mask` does; the words can be used again for further texts about the same mail."""
    line = mask_addresses(CONTROLS.sub(" ", text[:MAX_LENGTH]), ADDRESS)
    if words is not None:
        line = MASKS.sub(HIDDEN, _mask_text(line, words))
    return line.replace(HIDDEN, "(hidden)").replace(ADDRESS, "(address)")


def mask_traceback(trace: str, personal: PersonalTexts) -> str:
    """Return *trace* with its messages masked; its frames, which are indented, stay whole."""
    lines = trace.splitlines()
    return "\n".join(line if line.startswith(" ") else mask(line, personal) for line in lines)


@dataclass(frozen=True)
class PersonalWords:
    """The words of a mail, folded: those that identify it by themselves, and their order."""

    personal: PersonalTexts

    @cached_property
    def masked_anywhere(self) -> frozenset[str]:
        """Words that are masked wherever they occur."""
        mail = self.personal
        people = [person for each in list_meetings(mail) for person in list_people(each)]
        named = (mail.name, *(each.name for each in people))
        names = (*named, *(INVISIBLE.sub("", name) for name in named), _local_part(mail.email))
        of_people = {word for text in names for word in _fold_words(text)}
        others = {
            word for text in self.texts for word in (*_fold_words(text), *_garble_words(text))
        }
        others -= STOP_WORDS
        identifying = {word for word in of_people | others if len(word) > 1}
        return frozenset({*identifying, fold_word(_local_part(mail.email))} - {""})

    @cached_property
    def texts(self) -> tuple[str, ...]:
        mail = self.personal
        values = " ".join(mail.variables.values())[:MAX_VALUES_LENGTH]
        locals_ = (_local_part(mail.email), _local_part(mail.reply_to))
        of_meetings = [text for each in list_meetings(mail) for text in list_meeting_texts(each)]
        given = (mail.message, mail.name, values, mail.empid, *locals_, *of_meetings)
        # A relay may drop invisible characters, and so join the words that they separate.
        return (*given, *(INVISIBLE.sub("", text) for text in given if not text.isascii()))

    @cached_property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Pairs of adjacent words."""
        return frozenset(pair for text in self.texts for pair in pairwise(_fold_words(text)))

    @cached_property
    def triples(self) -> frozenset[tuple[str, ...]]:
        orders = [list(_fold_words(text)) for text in self.texts]
        return frozenset(
            triple for words in orders for triple in zip(words, words[1:], words[2:], strict=False)
        )

    @cached_property
    def _sorted(self) -> tuple[list[str], list[str]]:
        return sorted(self.masked_anywhere), sorted(word[::-1] for word in self.masked_anywhere)

    @cached_property
    def _not_ascii(self) -> tuple[str, ...]:
        """Words of scripts that may not put spaces between words."""
        return tuple(word for word in self.masked_anywhere if not word.isascii())[:200]

    def matches(self, word: str) -> bool:
        """Return whether *word* (folded) is one of these words, a part of one, or contains one."""
        if word in self.masked_anywhere:
            return True
        if word in STOP_WORDS or len(word) < (MIN_PART_LENGTH if word.isascii() else 2):
            return False
        forward, backward = self._sorted
        if _is_prefix_of_any(word, forward) or _is_prefix_of_any(word[::-1], backward):
            return True
        return not word.isascii() and any(each in word for each in self._not_ascii)


def _is_prefix_of_any(part: str, words: list[str]) -> bool:
    place = bisect_left(words, part)
    return place < len(words) and words[place].startswith(part)


def list_meetings(mail: PersonalTexts) -> tuple[MeetingTexts, ...]:
    if mail.meeting is None:
        return ()
    earlier = mail.meeting.earlier
    return (mail.meeting.revision, *(() if earlier is None else (earlier,)))


def list_people(meeting: MeetingTexts) -> tuple[Person, ...]:
    return (meeting.organizer, *meeting.guests)


def list_meeting_texts(meeting: MeetingTexts) -> tuple[str, ...]:
    named = [text for each in list_people(meeting) for text in (each.name, _local_part(each.email))]
    description = meeting.description[:MAX_VALUES_LENGTH]
    texts = (meeting.summary, meeting.location, meeting.url, description, meeting.reason)
    return (*texts, *named)


def _local_part(address: str) -> str:
    return address.rpartition("@")[0]


def fold_word(word: str) -> str:
    """Return *word* without case, width and accents, for comparison."""
    if word.isascii():
        return word.lower()
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(each for each in plain if not unicodedata.combining(each))


def _fold_words(text: str) -> Iterator[str]:
    for found in WORD.finditer(unicodedata.normalize("NFC", text)):
        yield fold_word(found[0])


def _garble_words(text: str) -> Iterator[str]:
    """Yield the words of *text* as they arrive from a relay that answers in another charset."""
    for word in () if text.isascii() else WORD.findall(unicodedata.normalize("NFC", text)):
        if not word.isascii():
            yield fold_word(NOT_ASCII.sub(UNREADABLE, word))


def _mask_text(text: str, words: PersonalWords) -> str:
    """Mask the encoded pieces that hold words of the mail, then these words."""
    facts = [range(*found.span()) for found in FACT.finditer(text)]
    pieces: list[str] = []
    for found in CHUNK.finditer(text):
        hides = not any(found.start() in fact for fact in facts) and _has_personal_words(
            found[0], words
        )
        pieces.append(HIDDEN if hides else found[0])
    return _mask_plain(" ".join(pieces), words)


def _has_personal_words(chunk: str, words: PersonalWords) -> bool:
    return is_encoded_word(chunk) or any(
        _mask_plain(text, words) != text for text in decodings(chunk)
    )


def _mask_plain(text: str, words: PersonalWords) -> str:
    text = unicodedata.normalize("NFC", text)
    facts = [range(*found.span()) for found in FACT.finditer(text)]
    spans = [
        found.span()
        for found in WORD.finditer(text)
        if not any(found.start() in fact for fact in facts)
    ]
    hidden = _find_hidden(words, [fold_word(text[a:b]) for a, b in spans])
    return _hide_spans(
        text, [span for span, is_hidden in zip(spans, hidden, strict=True) if is_hidden]
    )


def _find_hidden(words: PersonalWords, reply: list[str]) -> list[bool]:
    """Return for each word of a *reply* whether it is masked.

    Any three adjacent words of the mail are masked, even ordinary ones, and so is a word next to a
    masked one if the two are adjacent in the mail.
    """
    hidden = [words.matches(word) for word in reply]
    for place in range(len(reply) - 2):
        if tuple(reply[place : place + 3]) in words.triples:
            hidden[place : place + 3] = [True] * 3
    # Forwards, then backwards: so a mask spreads along adjacent words in both directions.
    for places in (range(len(reply) - 1), range(len(reply) - 2, -1, -1)):
        for place in places:
            one_is = hidden[place] or hidden[place + 1]
            if one_is and (reply[place], reply[place + 1]) in words.pairs:
                hidden[place] = hidden[place + 1] = True
    return hidden


def _hide_spans(text: str, spans: Iterable[tuple[int, int]]) -> str:
    pieces, done = [], 0
    for start, end in spans:
        pieces += [text[done:start], HIDDEN]
        done = end
    return "".join([*pieces, text[done:]])
