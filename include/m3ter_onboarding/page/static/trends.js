/**
 * The last 30 or 90 days on the overview: from rows to acceptance, how soon people accept, and the chart.
 *
 * @module
 */

import { h, loadInto, table } from "./elements.js";
import { duration, exactNumber, zoneName } from "./formats.js";
import { invitationChart } from "./invitation_chart.js";
import { hashOf, placeOf } from "./list_place.js";
import { get } from "./requests.js";

/** @typedef {import("../api_types").Chart} Chart */
/** @typedef {Chart["funnel"]} Funnel */
/** @typedef {import("../api_types").ReadableLedger} Ledger */

const DAYS = ["30", "90"];

/**
 * Return the place of the trends, which are read after the first paint: nothing waits for them.
 * @param {readonly Ledger[]} ledgers
 */
export function trends(ledgers) {
  const days = placeOf().get("days") === "90" ? "90" : "30";
  const place = h("div", { "aria-busy": "true" }, h("p", { class: "faint" }, "Loading the chart …"));
  const load = () => loadInto(place, async () => shown(await get("chart", { days, zone: zoneName() }), ledgers));
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
  return [
    steps(chart),
    chart.funnels.length > 1 && byLedger(chart, ledgers),
    timeToAccept(chart),
    invitationChart(chart.days, chart.zone),
  ];
}

/**
 * Return the steps from the rows that runs read to those who have accepted: name, number, list of these rows.
 * @param {Funnel} funnel
 * @param {import("../api_types").LedgerFunnel | undefined} of where they are lists of one ledger
 * @returns {[string, number, string | null][]}
 */
function stepsOf({ rows, usable, invited, accepted, expired }, of) {
  const runs = of ? hashOf("#/runs", { ledger: of.ledger, since: of.since }) : null;
  const list = (/** @type {string} */ state) =>
    of ? hashOf("#/invitations", { ledger: of.ledger, state, runs_since: of.since }) : null;
  return [
    ["rows read", rows, runs],
    ["usable", usable, runs],
    ["invited", invited, list("sent,accepted,expired")],
    ["accepted", accepted, list("accepted")],
    ["expired", expired, list("expired")],
  ];
}

/**
 * @param {[string, number, string | null]} step
 * @param {import("./elements.js").Child} text
 * @param {string} [where] the ledger, where there are several
 */
function stepLink([name, many, href], text, where = "") {
  if (!href || !many) return text;
  const label = `${exactNumber(many)} ${name}${where}${href.startsWith("#/runs") ? ": the runs that read them" : ""}`;
  return h("a", { href, "aria-label": label }, text);
}

/** @param {Chart} chart */
function steps({ days, zone, funnel, funnels }) {
  const max = String(Math.max(funnel.rows, 1));
  const since = days[0]?.day;
  return h(
    "div",
    { class: "funnel" },
    h(
      "ol",
      {},
      stepsOf(funnel, funnels.length === 1 ? funnels[0] : undefined).map((one) => {
        const [name, many] = one;
        const text = h("span", { class: "step" }, h("strong", {}, exactNumber(many)), ` ${name}`);
        const meter = h("meter", { min: "0", max, value: many, "aria-label": `${exactNumber(many)} ${name}` });
        return h("li", {}, stepLink(one, text), meter);
      }),
    ),
    h(
      "p",
      { class: "faint" },
      `Of the runs since ${since} (${zone}) that may send. A row that is read again counts again. Rows lead to these ` +
        "runs, since no list holds the rows of several plans.",
    ),
  );
}

/**
 * @param {Chart} chart
 * @param {readonly Ledger[]} ledgers
 */
function byLedger({ funnels }, ledgers) {
  const rows = funnels.map((of) => {
    const name = ledgers.find((one) => one.key === of.ledger)?.name ?? of.ledger;
    return [name, ...stepsOf(of.funnel, of).map((one) => stepLink(one, exactNumber(one[1]), ` (${name})`))];
  });
  const heads = ["Ledger", "Rows read", "Usable", "Invited", "Accepted", "Expired"];
  return h(
    "details",
    { id: "funnel-by-ledger" },
    h("summary", {}, "By ledger, with their lists"),
    table("From rows to acceptance, by ledger", heads, rows, { unseen: true }),
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
