/**
 * Instants, numbers and answers of m3ter as people read them.
 *
 * @module
 */

import { h, quoted } from "./elements.js";

// The server counts no further.
const COUNTED = 1000;

/** Return the time zone that Airflow's UI is set to; undefined: the browser's own. */
function timeZone() {
  try {
    const kept = localStorage.getItem("timezone");
    if (!kept || kept === "local") return undefined;
    const name = kept.replaceAll('"', "");
    new Intl.DateTimeFormat("en", { timeZone: name });
    return name;
  } catch {
    return undefined;
  }
}

/** Return the name of the time zone in which times are shown. */
export function zoneName() {
  return timeZone() ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/**
 * @param {Date} when
 * @param {Intl.DateTimeFormatOptions} [more] parts
 */
function localTime(when, more) {
  return new Intl.DateTimeFormat("en-GB", {
    year: "numeric",
    month: "short",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    ...more,
    hour12: false,
    timeZone: timeZone(),
    timeZoneName: "short",
  }).format(when);
}

/**
 * @param {string | null | undefined} value an instant in ISO 8601
 */
export function instant(value) {
  if (!value) return h("span", { class: "faint" }, "–");
  const when = new Date(value);
  const [day = "", ...time] = localTime(when).split(", ");
  // A narrow column breaks between them, and nowhere else.
  const parts = [h("span", {}, `${day},`), " ", h("span", {}, time.join(", "))];
  return h("time", { datetime: when.toISOString(), title: when.toISOString() }, parts);
}

/**
 * Write a run as its kind and when it began, by the second: a run_id is too long to be read, and a minute can have two.
 * @param {{ run_type: string, started_at: string }} run
 */
export function runName({ run_type, started_at }) {
  return `${run_type.replaceAll("_", " ")}, ${localTime(new Date(started_at), { second: "2-digit" })}`;
}

/**
 * Write how long something took, or takes.
 * @param {string | number} from an instant, or milliseconds
 * @param {string | number} to
 */
export function duration(from, to) {
  const seconds = Math.max(0, Math.round((new Date(to).getTime() - new Date(from).getTime()) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${exactNumber(Math.floor(seconds / 3600))} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/**
 * Write a count that stops at the largest that is counted: `1,000+`.
 * @param {number} value
 */
export function boundedNumber(value) {
  return value > COUNTED ? `${exactNumber(COUNTED)}+` : exactNumber(value);
}

/**
 * Write a sum of counts that each stop at the largest that is counted.
 * @param {readonly number[]} values
 */
export function boundedSum(values) {
  const sum = values.reduce((all, value) => all + Math.min(value, COUNTED), 0);
  return `${exactNumber(sum)}${values.some((value) => value > COUNTED) ? "+" : ""}`;
}

/** @param {number | null | undefined} value */
export function exactNumber(value) {
  return (value ?? 0).toLocaleString("en");
}

/**
 * Write a number with its noun: `1 row`, `2 rows`.
 * @param {number} value
 * @param {string} one
 * @param {string} [many]
 */
export function counted(value, one, many = `${one}s`) {
  return `${exactNumber(value)} ${value === 1 ? one : many}`;
}

/** @param {string} text */
export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Return the time of now: `10:32`. */
export function timeOfNow() {
  return new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: timeZone() }).format();
}

/**
 * @param {{ http_status?: number | null, message: string | null }} answer
 */
export function m3terAnswer({ http_status, message }) {
  if (!message) return "";
  return h("span", { class: "long" }, http_status ? `${http_status}: ` : "", quoted(message));
}
