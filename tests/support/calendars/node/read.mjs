// Reads {name: calendar file} from standard input; writes what ical.js and node-ical make of each.
import { readFileSync } from "node:fs";

import ICAL from "ical.js";
import ical from "node-ical";

const compact = (date) => date.toISOString().replace(/\.000Z$/, "Z").replace(/[-:]/g, "");
const text = (value) => (value === undefined || value === null ? "" : String(value));

function readByIcalJs(file) {
  ICAL.design.strict = true;
  const calendar = new ICAL.Component(ICAL.parse(file));
  const components = calendar.getAllSubcomponents();
  const event = components[0];
  const value = (name) => text(event.getFirstPropertyValue(name));
  const instant = (name) => compact(event.getFirstPropertyValue(name).toJSDate());
  const organizer = event.getFirstProperty("organizer");
  const attendees = event.getAllProperties("attendee");
  const [attendee] = attendees;
  const parameter = (owner, name) => text(owner?.getFirstParameter(name));
  const names = (owner) => (owner ? Object.keys(owner.jCal[1]).join().toUpperCase() : "");
  return {
    components: components.map((each) => each.name.toUpperCase()).join(),
    properties: event
      .getAllProperties()
      .map((each) => each.name.toUpperCase())
      .join(),
    method: text(calendar.getFirstPropertyValue("method")),
    uid: value("uid"),
    sequence: value("sequence"),
    stamp: instant("dtstamp"),
    start: instant("dtstart"),
    end: instant("dtend"),
    summary: value("summary"),
    description: value("description"),
    location: value("location"),
    url: value("url"),
    status: value("status"),
    transp: value("transp"),
    class: value("class"),
    organizer: text(organizer?.getFirstValue()),
    organizer_name: parameter(organizer, "cn"),
    sent_by: parameter(organizer, "sent-by"),
    organizer_parameters: names(organizer),
    attendee: text(attendee?.getFirstValue()),
    attendee_name: parameter(attendee, "cn"),
    cutype: parameter(attendee, "cutype"),
    role: parameter(attendee, "role"),
    partstat: parameter(attendee, "partstat"),
    rsvp: parameter(attendee, "rsvp"),
    attendee_parameters: names(attendee),
    attendees: attendees.map((each) => each.getFirstValue()).join("\n"),
    attendee_names: attendees.map((each) => parameter(each, "cn")).join("\n"),
  };
}

const OWN_KEYS = new Set(["type", "params", "datetype", "method"]);
const NAMES = { start: "dtstart", end: "dtend", transparency: "transp" };

function readByNodeIcal(file) {
  const components = Object.values(ical.sync.parseICS(file));
  const event = components.find((each) => each.type === "VEVENT");
  const whole = (value) => (typeof value === "object" ? value : { val: value, params: {} });
  const { params: ofOrganizer, val: organizer } = whole(event.organizer ?? "");
  const attendees = [event.attendee ?? []].flat().map(whole);
  const { params: ofAttendee, val: attendee } = attendees[0] ?? whole("");
  return {
    components: components
      .map((each) => each.type)
      .filter((type) => type !== "VCALENDAR")
      .join(),
    properties: Object.keys(event)
      .filter((key) => !OWN_KEYS.has(key))
      .map((key) => NAMES[key] ?? key)
      .join()
      .toUpperCase(),
    method: text(event.method),
    uid: text(event.uid),
    sequence: text(event.sequence),
    stamp: compact(event.dtstamp),
    start: compact(event.start),
    end: compact(event.end),
    summary: text(event.summary),
    description: text(event.description),
    location: text(event.location),
    url: text(event.url),
    status: text(event.status),
    transp: text(event.transparency),
    class: text(event.class),
    organizer: text(organizer),
    organizer_name: text(ofOrganizer.CN),
    sent_by: text(ofOrganizer["SENT-BY"]),
    organizer_parameters: Object.keys(ofOrganizer).join(),
    attendee: text(attendee),
    attendee_name: text(ofAttendee.CN),
    cutype: text(ofAttendee.CUTYPE),
    role: text(ofAttendee.ROLE),
    partstat: text(ofAttendee.PARTSTAT),
    rsvp: text(ofAttendee.RSVP).toUpperCase(),
    attendee_parameters: Object.keys(ofAttendee).join(),
    attendees: attendees.map((each) => text(each.val)).join("\n"),
    attendee_names: attendees.map((each) => text(each.params.CN)).join("\n"),
  };
}

function attempt(read, file) {
  try {
    return read(file);
  } catch (error) {
    return { error: String(error) };
  }
}

const files = Object.entries(JSON.parse(readFileSync(0, "utf8")));
const readAll = (read) => Object.fromEntries(files.map(([name, file]) => [name, attempt(read, file)]));
process.stdout.write(
  JSON.stringify({ "ical.js": readAll(readByIcalJs), "node-ical": readAll(readByNodeIcal) }),
);
