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
  const attendee = event.getFirstProperty("attendee");
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
    organizer: organizer.getFirstValue(),
    organizer_name: text(organizer.getFirstParameter("cn")),
    sent_by: text(organizer.getFirstParameter("sent-by")),
    organizer_parameters: Object.keys(organizer.jCal[1]).join().toUpperCase(),
    attendee: attendee.getFirstValue(),
    attendee_name: text(attendee.getFirstParameter("cn")),
    cutype: text(attendee.getFirstParameter("cutype")),
    role: text(attendee.getFirstParameter("role")),
    partstat: text(attendee.getFirstParameter("partstat")),
    rsvp: text(attendee.getFirstParameter("rsvp")),
    attendee_parameters: Object.keys(attendee.jCal[1]).join().toUpperCase(),
  };
}

const OWN_KEYS = new Set(["type", "params", "datetype", "method"]);
const NAMES = { start: "dtstart", end: "dtend", transparency: "transp" };

function readByNodeIcal(file) {
  const components = Object.values(ical.sync.parseICS(file));
  const event = components.find((each) => each.type === "VEVENT");
  const whole = (value) => (typeof value === "object" ? value : { val: value, params: {} });
  const { params: ofOrganizer, val: organizer } = whole(event.organizer);
  const { params: ofAttendee, val: attendee } = whole(event.attendee);
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
