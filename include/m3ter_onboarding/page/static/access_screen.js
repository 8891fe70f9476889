/**
 * What the access review found: access in m3ter that the warehouse does not agree with.
 *
 * @module
 */

import { announce, button, fill, h, messageOf, problem, quoted, section, table } from "./elements.js";
import { choice } from "./filters.js";
import { boundedNumber, instant } from "./formats.js";
import { ledgerProblem, nothingToRead, readOverview } from "./readable_dags.js";
import { download, post } from "./requests.js";

/** @typedef {import("../api_types").ReadableLedger} Ledger */
/** @typedef {import("../api_types").FindingPage} FindingPage */
/** @typedef {import("../api_types").FindingRow} FindingRow */
/** @typedef {import("../api_types").Finding} Finding */

const INTRODUCTION =
  "Who has access in m3ter, compared with who has a job in the warehouse. Nothing is changed in m3ter: correct it in " +
  "m3ter's console, or in the warehouse; the next review then ends the finding.";
const HEADS = ["Address", "Employee", "Finding", "In m3ter", "By the warehouse", "Since", "Last seen", "Ended"];

/** The filter: kept while the page is open, in no address. */
const filter = {
  /** @type {"open" | "ended"} */
  shown: "open",
  /** @type {Finding | null} */
  finding: null,
};

/** @returns {Promise<import("./page.js").Screen>} */
export async function accessScreen() {
  const overview = await readOverview({ again: true });
  const title = "Access";
  /** @type {Ledger[]} */
  const ledgers = overview.ledgers.filter((ledger) => ledger.problem === null);
  const places = ledgers.map((ledger) => ({ ledger, results: h("div", {}) }));
  const loadAll = () => Promise.all(places.map(({ ledger, results }) => load(ledger, results)));
  await loadAll();
  return {
    title,
    content: [
      h("h1", {}, title),
      h("p", {}, INTRODUCTION),
      overview.ledgers.map(ledgerProblem),
      ledgers.length ? filterForm(ledgers, loadAll) : nothingToRead(overview.ledgers),
      places.map(({ ledger, results }) =>
        section(`access-${ledger.key}`, ledgers.length > 1 ? `Findings (${ledger.name})` : "Findings", results),
      ),
    ],
  };
}

/**
 * @param {readonly Ledger[]} ledgers
 * @param {() => unknown} apply
 */
function filterForm(ledgers, apply) {
  const kinds = new Set(ledgers.flatMap((ledger) => Object.keys(ledger.access)));
  if (filter.finding) kinds.add(filter.finding);
  const options = [...kinds].sort().map((value) => {
    const many = ledgers.map((ledger) => ledger.access[value] ?? 0);
    return { value, text: `${value} (${many.map(boundedNumber).join(", ")})` };
  });
  const views = [
    { value: "open", text: "Now" },
    { value: "ended", text: "Ended" },
  ];
  return h(
    "form",
    { class: "filters", "aria-label": "Findings" },
    choice("shown", "Findings", views, filter.shown, (value) => {
      filter.shown = value === "ended" ? "ended" : "open";
      apply();
    }),
    choice("finding", "Kind", [{ value: "", text: "Any" }, ...options], filter.finding ?? "", (value) => {
      filter.finding = value ? /** @type {Finding} */ (value) : null;
      apply();
    }),
  );
}

/**
 * @param {Ledger} ledger
 * @param {number} [after] the last finding of the page before; 0: none
 * @returns {import("../api_types").FindingsBody}
 */
function requestBody(ledger, after = 0) {
  return { ledger: ledger.key, shown: filter.shown, finding: filter.finding, after };
}

/**
 * Read a page of findings, and show it.
 * @param {Ledger} ledger
 * @param {HTMLElement} results
 * @param {number} [after] where it begins; 0: at the beginning
 */
async function load(ledger, results, after = 0) {
  try {
    const page = await post("access", requestBody(ledger, after));
    const next = page.after;
    fill(
      results,
      page.reads.map(readText),
      !page.reads.length && h("p", { class: "faint" }, "Access was never reviewed here; access_review_dag does it."),
      table("Findings about access", HEADS, page.rows.map(cells), { empty: "None.", unseen: true }),
      h(
        "div",
        { class: "actions" },
        after > 0 && button("First page", () => load(ledger, results)),
        next !== null && button("Next page", () => load(ledger, results, next)),
        page.rows.length > 0 && exportButton(ledger),
      ),
    );
    announce(`${page.rows.length} findings shown${next === null ? "" : ", there are more"}.`);
  } catch (error) {
    fill(results, problem(messageOf(error)));
  }
}

/** @param {FindingPage["reads"][number]} read */
function readText({ started_at, outcome, why }) {
  if (outcome === "accepted") return h("p", { class: "faint" }, "Last reviewed ", instant(started_at), ".");
  const text = `The last review is ${outcome}; the findings are those of the last accepted one. `;
  return h("p", { class: "note" }, text, instant(started_at), " ", why ? quoted(why) : "");
}

/** @param {Ledger} ledger */
function exportButton(ledger) {
  const start = button("Export all of these as CSV", async () => {
    start.disabled = true;
    try {
      await download("access/export", requestBody(ledger), "m3ter-access-review.csv");
      announce("The file is complete.");
    } catch (error) {
      start.after(problem(messageOf(error)));
    } finally {
      start.disabled = false;
    }
  });
  return start;
}

/** @param {FindingRow} one */
function cells(one) {
  return [
    quoted(one.email),
    quoted(one.employee_id),
    h("span", { class: "long" }, h("code", {}, one.finding), ` ${one.said}`),
    quoted(one.in_m3ter),
    quoted(one.wanted),
    instant(one.first_seen_at),
    instant(one.last_seen_at),
    instant(one.ended_at),
  ];
}
