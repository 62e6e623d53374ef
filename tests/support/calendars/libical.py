"""What libical reads from a calendar file, and whether its iTIP tables accept it (RFC 5546).

The library is called as it is packaged, without its headers: the numbers are those of libical 3.
"""

import ctypes
import os
from collections.abc import Iterator
from ctypes import c_char_p, c_int, c_void_p
from ctypes.util import find_library
from functools import cache

import pytest

from tests.support.calendars.reading import WITHOUT_PEOPLE, Reading

ANY_COMPONENT, ANY_PROPERTY, ANY_PARAMETER = 1, 0, 0  # ICAL_ANY_…
MISSING = "libical is missing: install the Debian or Ubuntu package libical3"
SIGNATURES = {
    "icalparser_parse_string": (c_void_p, c_char_p),
    "icalrestriction_check": (c_int, c_void_p),
    "icalcomponent_count_errors": (c_int, c_void_p),
    "icalcomponent_as_ical_string": (c_char_p, c_void_p),
    "icalcomponent_get_first_component": (c_void_p, c_void_p, c_int),
    "icalcomponent_get_next_component": (c_void_p, c_void_p, c_int),
    "icalcomponent_get_first_property": (c_void_p, c_void_p, c_int),
    "icalcomponent_get_next_property": (c_void_p, c_void_p, c_int),
    "icalcomponent_isa": (c_int, c_void_p),
    "icalcomponent_kind_to_string": (c_char_p, c_int),
    "icalcomponent_free": (None, c_void_p),
    "icalproperty_get_property_name": (c_char_p, c_void_p),
    "icalproperty_get_value": (c_void_p, c_void_p),
    "icalproperty_get_value_as_string": (c_char_p, c_void_p),
    "icalproperty_get_parameter_as_string": (c_char_p, c_void_p, c_char_p),
    "icalproperty_get_first_parameter": (c_void_p, c_void_p, c_int),
    "icalproperty_get_next_parameter": (c_void_p, c_void_p, c_int),
    "icalparameter_isa": (c_int, c_void_p),
    "icalparameter_kind_to_string": (c_char_p, c_int),
    "icalparameter_string_to_kind": (c_int, c_char_p),
    "icalparameter_get_cn": (c_char_p, c_void_p),
    "icalvalue_get_text": (c_char_p, c_void_p),
}
NAMES = {"DTSTAMP": "stamp", "DTSTART": "start", "DTEND": "end"}
OPTIONAL = ("description", "location", "url", "status", "transp", "class")
TEXTS = frozenset({"UID", "SUMMARY", "DESCRIPTION", "LOCATION"})


class LibicalMissing(Exception):
    """This machine has no libical."""


def require() -> None:
    """Fail the test in CI, and skip it elsewhere, if this machine has no libical."""
    try:
        load()
    except LibicalMissing as error:
        pytest.fail(str(error)) if os.environ.get("CI") else pytest.skip(str(error))


@cache
def load() -> ctypes.CDLL:
    """Load the library. Raises LibicalMissing."""
    if (name := find_library("ical")) is None:
        raise LibicalMissing(MISSING)
    library = ctypes.CDLL(name)
    for function, (result, *arguments) in SIGNATURES.items():
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    return library


def read_by_libical(file: bytes) -> Reading:
    library = load()
    calendar = library.icalparser_parse_string(file)
    try:
        if not library.icalrestriction_check(calendar) or count_errors(calendar):
            return {"error": library.icalcomponent_as_ical_string(calendar).decode()}
        return read_calendar(calendar)
    finally:
        library.icalcomponent_free(calendar)


def count_errors(calendar: int) -> int:
    """Count what libical found wrong; it adds each as a property to the component concerned."""
    return int(load().icalcomponent_count_errors(calendar))


def read_calendar(calendar: int) -> Reading:
    library = load()
    components = list(each_of("icalcomponent_get_{}_component", calendar, ANY_COMPONENT))
    method = [each for each in properties_of(calendar) if name_of(each) == "METHOD"]
    kinds = [library.icalcomponent_isa(component) for component in components]
    reading = {
        "components": ",".join(
            library.icalcomponent_kind_to_string(kind).decode() for kind in kinds
        ),
        "method": value_of(method[0]) if method else "",
        **dict.fromkeys(OPTIONAL, ""),
        **WITHOUT_PEOPLE,
    }
    properties = properties_of(components[0])
    for each in reversed(properties):  # the first attendee counts
        name = name_of(each)
        reading[NAMES.get(name, name.lower())] = value_of(each)
        if name in {"ORGANIZER", "ATTENDEE"}:
            reading |= parameters_of(each, name.lower())
    attendees = [each for each in properties if name_of(each) == "ATTENDEE"]
    return {
        **reading,
        "properties": ",".join(map(name_of, properties)),
        "attendees": "\n".join(map(value_of, attendees)),
        "attendee_names": "\n".join(
            parameters_of(each, "attendee")["attendee_name"] for each in attendees
        ),
    }


def each_of(function: str, parent: int, kind: int) -> Iterator[int]:
    found = getattr(load(), function.format("first"))(parent, kind)
    while found:
        yield found
        found = getattr(load(), function.format("next"))(parent, kind)


def properties_of(component: int) -> list[int]:
    return list(each_of("icalcomponent_get_{}_property", component, ANY_PROPERTY))


def name_of(a_property: int) -> str:
    return str(load().icalproperty_get_property_name(a_property).decode())


def value_of(a_property: int) -> str:
    library = load()
    if name_of(a_property) in TEXTS:
        value = library.icalvalue_get_text(library.icalproperty_get_value(a_property))
    else:
        value = library.icalproperty_get_value_as_string(a_property)
    return str(value.decode())


def parameters_of(a_property: int, owner: str) -> dict[str, str]:
    library = load()
    names, values = [], dict.fromkeys(("CN", "SENT-BY"), "")
    for each in each_of("icalproperty_get_{}_parameter", a_property, ANY_PARAMETER):
        name = library.icalparameter_kind_to_string(library.icalparameter_isa(each))
        names.append(name.decode())
        shown = library.icalproperty_get_parameter_as_string(a_property, name)
        values[names[-1]] = (
            library.icalparameter_get_cn(each) if name == b"CN" else shown
        ).decode()
    named = {f"{owner}_name": values.pop("CN"), f"{owner}_parameters": ",".join(names)}
    sent_by = values.pop("SENT-BY")
    if owner == "organizer":
        return {**named, "sent_by": sent_by}
    return {**named, **{name.lower(): value for name, value in values.items()}}
