/**
 * The last 30 or 90 days on the overview: from rows to acceptance, how soon people accept, and the chart.
 *
 * @module
 */

import { h, loadInto } from "./elements.js";
import { duration, exactNumber } from "./formats.js";
import { invitationChart } from "./invitation_chart.js";
import { placeOf } from "./list_place.js";
import { get } from "./requests.js";

/** @typedef {import("../api_types").Chart} Chart */
/** @typedef {import("../api_types").ReadableLedger} Ledger */

const DAYS = ["30", "90"];

/**
 * Return the place of the trends, which are read after the first paint: nothing waits for them.
 * @param {readonly Ledger[]} ledgers
 */
export function trends(ledgers) {
  const days = placeOf().get("days") === "90" ? "90" : "30";
  const place = h("div", { "aria-busy": "true" }, h("p", { class: "faint" }, "Loading the chart …"));
  const load = () => loadInto(place, async () => shown(await get("chart", days === "90" ? { days } : {}), ledgers));
  requestAnimationFrame(() => setTimeout(load, 0));
  return [periods(days), place];
}

/** @param {string} chosen */
function periods(chosen) {
  const links = DAYS.map((days) => {
    const href = days === "30" ? "#/" : `#/?days=${days}`;
    return h("a", { href, "aria-current": days === chosen ? "true" : null }, `${days} days`);
  });
  return h("p", { class: "periods" }, "The last ", links[0], " ", links[1]);
}

/**
 * @param {Chart} chart
 * @param {readonly Ledger[]} ledgers
 */
function shown(chart, ledgers) {
  return [steps(chart, ledgers), timeToAccept(chart), invitationChart(chart.days)];
}

/**
 * From the rows that runs read to those who have accepted.
 * @param {Chart} chart
 * @param {readonly Ledger[]} ledgers
 */
function steps({ days, funnel }, ledgers) {
  const [only] = ledgers.length === 1 ? ledgers : [];
  const list = (/** @type {string} */ state) => only && `#/invitations/${state}/${encodeURIComponent(only.key)}`;
  /** @type {[string, number, string | undefined][]} */
  const all = [
    ["rows read", funnel.rows, undefined],
    ["usable", funnel.usable, undefined],
    ["invited", funnel.invited, undefined],
    ["accepted", funnel.accepted, list("accepted")],
    ["expired", funnel.expired, list("expired")],
  ];
  const max = String(Math.max(funnel.rows, 1));
  const since = days[0]?.day;
  return h(
    "div",
    { class: "funnel" },
    h(
      "ol",
      {},
      all.map(([name, many, href]) => {
        const text = `${exactNumber(many)} ${name}`;
        const step = h("span", { class: "step" }, h("strong", {}, exactNumber(many)), ` ${name}`);
        const label = href ? h("a", { href, "aria-label": `All that are ${name}` }, step) : step;
        return h("li", {}, label, h("meter", { min: "0", max, value: many, "aria-label": text }));
      }),
    ),
    h(
      "p",
      { class: "faint" },
      `Of the runs since ${since} (UTC) that may send. A row that is read again counts again; the lists have all days.`,
    ),
  );
}

/** @param {Chart} chart */
function timeToAccept({ time_to_accept: found }) {
  if (!found) return h("p", {}, "How soon people accept is unknown: nobody has accepted in the last 90 days.");
  const [median, ninety] = [found.median_seconds, found.p90_seconds].map(daysAndHours);
  const of = `of the newest ${exactNumber(found.of)} that were accepted in the last 90 days`;
  return h("p", {}, "Time to accept: half within ", h("strong", {}, median), ", nine of ten within ", [
    h("strong", {}, ninety),
    ` (${of}).`,
  ]);
}

/** @param {number} seconds */
function daysAndHours(seconds) {
  const hours = Math.round(seconds / 3600);
  if (hours < 1) return duration(0, seconds * 1000);
  if (hours < 48) return `${hours} h`;
  return `${exactNumber(Math.floor(hours / 24))} days ${hours % 24} h`;
}
