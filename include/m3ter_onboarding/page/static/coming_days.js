/**
 * The next days on the overview: who starts and has no access yet, and which invitations expire when.
 *
 * @module
 */

import { h, table } from "./elements.js";
import { boundedNumber, exactNumber, instant } from "./formats.js";
import { standingName, withoutAccess } from "./glossary.js";
import { daysLeft } from "./list_narrowing.js";
import { hashOf } from "./list_place.js";
import { newestFirst, runLink } from "./runs_table.js";

/** @typedef {import("../api_types").ReadableLedger} Ledger */
/** @typedef {import("../api_types").Standing} Standing */

/**
 * Return in words which first days the lists of the day-one DAG have: today is one of them.
 * @param {number} days
 */
export function inTheNext(days) {
  if (days === 0) return "today";
  return days === 1 ? "today or tomorrow" : `in the next ${exactNumber(days)} days`;
}

/**
 * People who start soon and have no access yet, by first day; the sums are links to the list.
 * @param {Ledger} ledger
 */
export function startingTable({ key, name, starting, runs }) {
  if (!starting.as_of) {
    const text = `Unknown: the day-one DAG has not made its lists in ${name}. The guide docs/day_one.md sets it up. `;
    const planned = newestFirst(runs).find((run) => run.plan);
    return h(
      "p",
      { class: "empty" },
      text,
      h("a", { href: hashOf("#/day-one", { ledger: key }) }, "Day one"),
      planned && [". Until then, the rows of a plan show first days: ", runLink(planned.dag_id, planned)],
      ".",
    );
  }
  const without = withoutAccess();
  const shown = starting.days.filter((one) => without.some((standing) => standing === one.standing));
  const days = [...new Set(shown.map((one) => one.day))].sort();
  const of = (/** @type {string | null} */ day, /** @type {Standing} */ standing) =>
    shown
      .filter((one) => one.standing === standing && (day === null || one.day === day))
      .reduce((all, one) => all + one.many, 0);
  const rows = days.map((day) => [
    h("span", { class: "whole" }, weekday(day)),
    ...without.map((standing) => {
      const href = hashOf("#/day-one", { show: standing, ledger: key, starts_from: day, starts_until: day });
      return linked(of(day, standing), href, `${standingName(standing)} on ${weekday(day)}`);
    }),
  ]);
  const sums = without.map((standing) =>
    linked(of(null, standing), `#/day-one/${standing}/${encodeURIComponent(key)}`, standingName(standing)),
  );
  const soon = inTheNext(starting.within_days);
  return [
    h("p", {}, `Who starts ${soon} and has no access, as of `, instant(starting.as_of), "."),
    table(
      `Who starts ${soon} without access (${name})`,
      ["First day", ...without.map(standingName)],
      days.length ? [...rows, [h("strong", {}, "All"), ...sums]] : [],
      { empty: `Everybody who starts ${soon}, and is not excluded, has access.`, unseen: true },
    ),
  ];
}

/**
 * @param {number} many
 * @param {string} href of the list
 * @param {string} name of those who are counted
 */
function linked(many, href, name) {
  return many ? h("a", { href, "aria-label": `${exactNumber(many)} ${name}` }, exactNumber(many)) : "0";
}

/** @param {string} day of ISO 8601: the warehouse's, in no time zone */
function weekday(day) {
  const name = new Intl.DateTimeFormat("en-GB", { weekday: "short", timeZone: "UTC" }).format(new Date(day));
  return `${name} ${day}`;
}

/**
 * Invitations that wait to be accepted, by the days that are left; the heading leads to their list.
 * @param {Ledger} ledger
 */
export function pendingDays({ key, pending }) {
  if (pending.every(({ many }) => !many)) return h("p", { class: "empty" }, "No invitation waits to be accepted.");
  const most = Math.max(...pending.map(({ many }) => many));
  const href = `#/invitations?order=expires&state=sent&ledger=${encodeURIComponent(key)}`;
  return h(
    "div",
    { class: "funnel" },
    h(
      "ol",
      {},
      pending.map(({ within_days, many }, place) => {
        const after = pending[place - 1]?.within_days ?? 0;
        const text = `${boundedNumber(many)} ${daysLeft(after, within_days)}`;
        const meter = h("meter", { min: "0", max: String(most), value: many, "aria-label": text });
        const days = { after_days: after, within_days };
        const href = hashOf("#/invitations", { order: "expires", state: "sent", ledger: key, ...days });
        return h("li", {}, h("span", { class: "step" }, many ? h("a", { href }, text) : text), meter);
      }),
    ),
    h("p", {}, h("a", { href }, "Those that wait, the soonest to expire first")),
  );
}
