/**
 * What the access review found: access in m3ter that the warehouse does not agree with.
 *
 * @module
 */

import { addressText, copyable, idText } from "./copied_values.js";
import { h, prose, quoted, table } from "./elements.js";
import { choice, exportButton, exportLabel, fileName, ledgerChoice } from "./filters.js";
import { boundedNumber, capital, instant } from "./formats.js";
import { code, findingName } from "./glossary.js";
import { dagsBeside, ledgerToShow } from "./list_ledger.js";
import { showPage } from "./list_pages.js";
import { FIRST_PAGE, hashOf, keepPlace, placeOf, turnOf } from "./list_place.js";
import { dagsOf, ledgerProblem, nothingToRead, readOverview } from "./readable_dags.js";
import { download, post } from "./requests.js";

/** @typedef {import("../api_types").ReadableLedger} Ledger */
/** @typedef {import("../api_types").FindingPage} FindingPage */
/** @typedef {import("../api_types").FindingRow} FindingRow */
/** @typedef {import("../api_types").Finding} Finding */

const INTRODUCTION =
  "Who has access in m3ter, compared with who has a job in the warehouse. Nothing is changed in m3ter: correct it in " +
  "m3ter's console, or in the warehouse; the next review then ends the finding.";
/** Findings of a page. */
const PAGE = 100;
/** @type {Finding[]} */
const FINDINGS = ["access_end_changed", "access_end_differs", "no_job", "pending_for_leaver", "policies_differ"];
const HEADS = ["Address", "Employee", "Finding", "In m3ter", "By the warehouse", "Since", "Last seen", "Ended"];

/**
 * What is listed.
 * @typedef {object} Filter
 * @property {string} ledger
 * @property {boolean} ledgerNamed whether there are several, so that the address names one
 * @property {"open" | "ended"} shown
 * @property {Finding | null} finding
 * @property {import("./list_place.js").Turn} turn
 */

/** @returns {Promise<import("./page.js").Screen>} */
export async function accessScreen() {
  const overview = await readOverview({ again: true });
  const title = "Access";
  const ledgers = overview.ledgers.filter((ledger) => ledger.problem === null);
  const content = [h("h1", {}, title), h("p", {}, INTRODUCTION), overview.ledgers.map(ledgerProblem)];
  const [first, ...others] = ledgers;
  if (!first) return { title, content: [content, nothingToRead(overview.ledgers)] };
  const place = placeOf();
  const ledger = ledgerToShow([first, ...others], place.get("ledger"), ({ access }) => Object.keys(access).length > 0);
  const finding = place.get("finding") ?? "";
  /** @type {Filter} */
  const filter = {
    ledger: ledger.key,
    ledgerNamed: ledgers.length > 1,
    shown: place.get("show") === "ended" ? "ended" : "open",
    finding: FINDINGS.find((one) => one === finding) ?? null,
    turn: turnOf(place),
  };
  keepPlace(hash(filter), { again: true });
  const results = h("div", {});
  await load(filter, results);
  return { title, content: [content, filterForm(ledgers, ledger, filter, results), results] };
}

/** @param {Filter} filter */
function hash({ ledger, ledgerNamed, shown, finding, turn }) {
  const values = { ledger: ledgerNamed ? ledger : null, show: shown === "ended" ? shown : null, finding };
  return hashOf("#/access", { ...values, ...turn });
}

/**
 * @param {readonly Ledger[]} ledgers
 * @param {Ledger} ledger that is listed
 * @param {Filter} filter
 * @param {HTMLElement} results
 */
function filterForm(ledgers, ledger, filter, results) {
  const kinds = FINDINGS.filter((one) => one in ledger.access || one === filter.finding);
  const options = kinds.map((value) => ({
    value,
    text: `${capital(findingName(value))} (${boundedNumber(ledger.access[value] ?? 0)})`,
  }));
  const views = [
    { value: "open", text: "Now" },
    { value: "ended", text: "Ended" },
  ];
  return h(
    "form",
    { class: "filters", "aria-label": "Findings" },
    ledgerChoice(ledgers, filter.ledger, (chosen) => {
      location.hash = hash({ ...filter, ledger: chosen, turn: FIRST_PAGE });
    }),
    choice("shown", "Findings", views, filter.shown, (value) => {
      filter.shown = value === "ended" ? "ended" : "open";
      return show(filter, results, FIRST_PAGE);
    }),
    choice("finding", "Kind", [{ value: "", text: "Any" }, ...options], filter.finding ?? "", (value) => {
      filter.finding = FINDINGS.find((one) => one === value) ?? null;
      return show(filter, results, FIRST_PAGE);
    }),
  );
}

/**
 * @param {Filter} filter
 * @returns {import("../api_types").FindingsBody}
 */
function requestBody({ ledger, shown, finding, turn }) {
  return { ledger, shown, finding, after: Number(turn.after) || 0, before: Number(turn.before) || null };
}

/**
 * Show another page or another list, and let the address say so.
 * @param {Filter} filter
 * @param {HTMLElement} results
 * @param {import("./list_place.js").Turn} turn
 * @param {{ turned?: boolean }} [options]
 */
function show(filter, results, turn, options) {
  filter.turn = turn;
  keepPlace(hash(filter));
  return load(filter, results, options);
}

/**
 * Read a page of findings, and show it.
 * @param {Filter} filter
 * @param {HTMLElement} results
 * @param {{ turned?: boolean }} [options] whether a person turned the page
 */
async function load(filter, results, { turned = false } = {}) {
  const body = requestBody(filter);
  await showPage(results, {
    turn: filter.turn,
    size: PAGE,
    turned,
    read: () => post("access", body),
    show: (page) =>
      isUnknown(page)
        ? neverReviewed(filter.ledger)
        : [
            page.reads.map(readText),
            table("Findings about access", HEADS, page.rows.map(cells), { empty: "No such finding.", unseen: true }),
          ],
    unknown: isUnknown,
    go: (turn) => show(filter, results, turn, { turned: true }),
    beside: (page) =>
      page.rows.length > 0 &&
      exportButton(
        () =>
          download(
            "access/export",
            { ...body, after: 0, before: null },
            fileName("m3ter-access-review", dagsOf(filter.ledger)),
          ),
        exportLabel(page),
      ),
  });
}

/** @param {FindingPage} page */
function isUnknown({ reads, rows }) {
  return !rows.length && !reads.length;
}

/** @param {string} ledger */
function neverReviewed(ledger) {
  return h(
    "p",
    { class: "note" },
    prose(
      `Unknown: access was never reviewed in this ledger. ${dagsBeside(ledger, "m3ter_access_review__")} does it: ` +
        "unpause it, or start a run of it, in Airflow. If Airflow has no such DAG, add `access_review_dag` beside " +
        "`onboarding_dag` in the DAG file, with the same YAML file (`docs/access_review.md`).",
    ),
  );
}

/** @param {FindingPage["reads"][number]} read */
function readText({ started_at, outcome, why }) {
  if (outcome === "accepted") return h("p", { class: "faint" }, "Last reviewed ", instant(started_at), ".");
  const text = `The last review is ${outcome}; the findings are those of the last accepted one. `;
  return h("p", { class: "note" }, text, instant(started_at), " ", why ? quoted(why) : "");
}

/** @param {FindingRow} one */
function cells(one) {
  return [
    copyable(addressText(one.email), one.email, "address"),
    copyable(idText(one.employee_id), one.employee_id, "employee_id"),
    h("span", { class: "long" }, capital(findingName(one.finding)), " ", code(one.finding)),
    quoted(one.in_m3ter),
    quoted(one.wanted),
    instant(one.first_seen_at),
    instant(one.last_seen_at),
    instant(one.ended_at),
  ];
}
