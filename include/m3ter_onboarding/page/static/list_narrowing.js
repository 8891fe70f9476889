/**
 * The invitations that a figure of another screen counts: of one run, of the runs of some days, or by the days that are
 * left until they expire. The address of the list says which, and the list has a line about it.
 *
 * @module
 */

import { runHash } from "./addresses.js";
import { h } from "./elements.js";
import { counted, instant } from "./formats.js";

/**
 * @typedef {object} Narrowing
 * @property {{ dag_id: string, run_id: string } | null} run
 * @property {string | null} runsSince an instant: of the runs that began then or later and may send
 * @property {number | null} afterDays they expire later than in so many days
 * @property {number | null} withinDays they expire in so many days
 */

/** @type {Narrowing} */
export const EVERYTHING = { run: null, runsSince: null, afterDays: null, withinDays: null };

/**
 * @param {URLSearchParams} place
 * @returns {Narrowing}
 */
export function narrowingOf(place) {
  const [dag_id, run_id, since] = [place.get("dag"), place.get("run"), place.get("runs_since")];
  return {
    run: dag_id && run_id ? { dag_id, run_id } : null,
    runsSince: since && !Number.isNaN(Date.parse(since)) ? since : null,
    afterDays: daysOf(place.get("after_days")),
    withinDays: daysOf(place.get("within_days")),
  };
}

/** @param {string | null} text */
function daysOf(text) {
  return text !== null && /^\d{1,3}$/u.test(text) ? Number(text) : null;
}

/**
 * Return what the address has of it.
 * @param {Narrowing} narrowing
 */
export function narrowingPlace({ run, runsSince, afterDays, withinDays }) {
  return {
    dag: run?.dag_id ?? null,
    run: run?.run_id ?? null,
    runs_since: runsSince,
    after_days: afterDays,
    within_days: withinDays,
  };
}

/**
 * Return what the server is asked for.
 * @param {Narrowing} narrowing
 */
export function narrowingBody({ run, runsSince, afterDays, withinDays }) {
  return { run, runs_since: runsSince, expires_after_days: afterDays, expires_within_days: withinDays };
}

/** @param {Narrowing} narrowing */
export function isNarrowed(narrowing) {
  return Object.values(narrowing).some((one) => one !== null);
}

/**
 * Return the line that says which invitations are listed; null: nothing but the form decides.
 * @param {Narrowing} narrowing
 * @param {string} everything the address of the same list without it
 */
export function narrowingText(narrowing, everything) {
  if (!isNarrowed(narrowing)) return null;
  const { run, runsSince, afterDays, withinDays } = narrowing;
  const expire = afterDays !== null || withinDays !== null;
  const parts = [
    run && ["of ", h("a", { href: runHash(run.dag_id, run.run_id) }, "one run"), " "],
    runsSince && ["of the runs since ", instant(runsSince), " that may send "],
    expire && `that expire ${daysLeft(afterDays ?? 0, withinDays)} `,
  ];
  return h("p", { class: "note" }, "Only invitations ", parts, "are listed. ", h("a", { href: everything }, "All"));
}

/**
 * @param {number} from
 * @param {number | null} within
 */
export function daysLeft(from, within) {
  if (within === null) return `later than in ${counted(from, "day")}`;
  return within === 1 ? "within a day" : `in ${from + 1} to ${within} days`;
}
