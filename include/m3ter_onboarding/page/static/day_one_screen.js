/**
 * Who starts soon and where each of them stands, and the invitations that nobody has accepted.
 *
 * @module
 */

import { invitationHash, rowHash } from "./addresses.js";
import { personCells } from "./copied_values.js";
import { badge, h, prose, table } from "./elements.js";
import { choice, exportButton, fileName, ledgerChoice } from "./filters.js";
import { instant } from "./formats.js";
import { stateBadge } from "./glossary.js";
import { dagsBeside, ledgerToShow } from "./list_ledger.js";
import { showPage } from "./list_pages.js";
import { FIRST_PAGE, hashOf, keepPlace, placeOf, turnOf } from "./list_place.js";
import { dagsOf, ledgerProblem, nothingToRead, readOverview } from "./readable_dags.js";
import { download, post } from "./requests.js";

/** @typedef {import("../api_types").ReadableLedger} Ledger */
/** @typedef {import("../api_types").StartingRow} Row */
/** @typedef {import("../api_types").Standing} Standing */

/** @type {Record<Standing, string>} */
const STANDINGS = {
  not_invited: "not invited",
  expires_before_start: "expires before the first day",
  expired: "expired",
  pending: "invited, not accepted",
  accepted: "accepted",
  member: "has access",
};
/** @type {Record<"starts" | "expires" | "both", string>} */
const WHYS = { starts: "starts soon", expires: "expires soon", both: "starts and expires soon" };
/** Rows of a page. */
const PAGE = 50;
const STARTING_HEADS = ["Address", "Employee", "Starts", "Standing", "Since", "Last decision", "Invitation", "Expires"];
const CHASE_HEADS = ["Address", "Employee", "Starts", "Why", "Since", "Expires"];

/**
 * What is listed.
 * @typedef {object} Filter
 * @property {string} ledger
 * @property {boolean} ledgerNamed
 * @property {string} shown
 * @property {string} day of ISO 8601; empty: any
 * @property {import("./list_place.js").Turn} turn
 */

/**
 * @param {string} [only] a standing, or `chase`
 * @param {string} [key] of a ledger; undefined: as the address has it
 * @returns {Promise<import("./page.js").Screen>}
 */
export async function dayOneScreen(only, key) {
  const overview = await readOverview();
  const title = "Day one";
  const ledgers = overview.ledgers.filter((ledger) => ledger.problem === null);
  const content = [h("h1", {}, title), overview.ledgers.map(ledgerProblem)];
  const [first, ...others] = ledgers;
  if (!first) return { title, content: [content, nothingToRead(overview.ledgers)] };
  const place = placeOf();
  const shown = only ?? place.get("show") ?? "";
  const named = key ?? place.get("ledger");
  /** @type {Filter} */
  const filter = {
    ledger: ledgerToShow([first, ...others], named, ({ starting }) => starting.listed).key,
    ledgerNamed: ledgers.length > 1,
    shown: shown in STANDINGS || shown === "chase" ? shown : "",
    day: dayOf(place.get("day")),
    turn: turnOf(place),
  };
  keepPlace(hash(filter), { again: true });
  const results = h("div", {});
  await load(filter, results);
  return { title, content: [content, filterForm(ledgers, filter, results), results] };
}

/** @param {string | null} text */
function dayOf(text) {
  return text && /^\d{4}-\d\d-\d\d$/u.test(text) && !Number.isNaN(Date.parse(text)) ? text : "";
}

/** @param {Filter} filter */
function hash({ ledger, ledgerNamed, shown, day, turn }) {
  return hashOf("#/day-one", { show: shown, ledger: ledgerNamed ? ledger : null, day, ...turn });
}

/**
 * @param {readonly Ledger[]} ledgers
 * @param {Filter} filter
 * @param {HTMLElement} results
 */
function filterForm(ledgers, filter, results) {
  const standings = Object.entries(STANDINGS).map(([value, text]) => ({ value, text: `Starts soon: ${text}` }));
  const shown = [
    { value: "", text: "Everybody who starts soon" },
    ...standings,
    { value: "chase", text: "Invitations to chase" },
  ];
  const day = dayField(filter, () => show(filter, results, FIRST_PAGE));
  return h(
    "form",
    { class: "filters", "aria-label": "Day one" },
    choice("shown", "Show", shown, filter.shown, (value) => {
      filter.shown = value;
      day.hidden = value === "chase";
      return show(filter, results, FIRST_PAGE);
    }),
    day,
    ledgerChoice(ledgers, filter.ledger, (chosen) => {
      location.hash = hash({ ...filter, ledger: chosen, turn: FIRST_PAGE });
    }),
  );
}

/**
 * @param {Filter} filter
 * @param {() => unknown} apply
 */
function dayField(filter, apply) {
  const input = h("input", { id: "first-day", type: "date", onchange: () => choose() });
  input.value = filter.day;
  const choose = () => {
    filter.day = dayOf(input.value);
    return apply();
  };
  const label = h("label", { for: "first-day" }, "First day (empty: any)");
  return h("div", { class: "field", hidden: filter.shown === "chase" }, label, input);
}

/**
 * @param {Filter} filter
 * @returns {import("../api_types").StartingBody}
 */
function requestBody({ ledger, shown, day, turn }) {
  const after = Number(turn.after) || 0;
  if (shown === "chase") return { ledger, name: "chase", after };
  const standings = /** @type {Standing[]} */ (Object.keys(STANDINGS)).filter((one) => one === shown);
  return { ledger, name: "day_one", standings, day: day || null, after };
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
 * Read a page of the list, and show it.
 * @param {Filter} filter
 * @param {HTMLElement} results
 * @param {{ turned?: boolean }} [options] whether a person turned the page
 */
async function load(filter, results, { turned = false } = {}) {
  const body = requestBody(filter);
  const after = body.after ?? 0;
  await showPage(results, {
    turn: { ...filter.turn, from: after },
    size: PAGE,
    turned,
    // This list is paged by how many rows come before.
    read: async () => ({ ...(await post("day-one", body)), before: after > 0 ? Math.max(after - PAGE, 0) : null }),
    show: (page) => (isUnknown(page) ? neverMade(filter.ledger) : startingTable(filter, page)),
    unknown: isUnknown,
    go: ({ after, before }) => {
      const begins = Number(after || before) || 0;
      return show(filter, results, { after: begins ? String(begins) : "", before: "", from: 0 }, { turned: true });
    },
    beside: ({ rows }) =>
      rows.length > 0 &&
      exportButton(() =>
        download("day-one/export", { ...body, after: 0 }, fileName("m3ter-day-one", dagsOf(filter.ledger))),
      ),
  });
}

/** @param {import("../api_types").StartingPage} page */
function isUnknown({ rows, listed }) {
  return !rows.length && !listed;
}

/** @param {string} ledger */
function neverMade(ledger) {
  const dags = dagsBeside(ledger, "m3ter_day_one__");
  return h(
    "p",
    { class: "note" },
    prose(
      `Unknown: the day-one DAG has never made this list in this ledger. It is ${dags}: ` +
        "unpause it, or start a run of it, in Airflow. If Airflow has no such DAG, add `day_one_dag` beside " +
        "`onboarding_dag` in the DAG file, with the same YAML file (`docs/day_one.md`).",
    ),
  );
}

/**
 * @param {Filter} filter
 * @param {import("../api_types").StartingPage} page
 */
function startingTable({ ledger, shown, day }, { rows }) {
  if (shown === "chase") {
    const cells = rows.map((row) => chaseCells(ledger, row));
    return table("Invitations to chase", CHASE_HEADS, cells, { empty: "No invitation to chase.", unseen: true });
  }
  const cells = rows.map((row) => startingCells(ledger, row));
  const empty = shown || day ? "Nobody who starts soon stands there." : "Nobody starts soon.";
  return table("Who starts soon", STARTING_HEADS, cells, { empty, unseen: true });
}

/**
 * @param {string} ledger
 * @param {Row} row
 */
function startingCells(ledger, row) {
  const { standing, plan_id, row_no } = row;
  const linked = plan_id !== null && row_no !== null;
  const href = linked ? rowHash(ledger, plan_id, row_no) : null;
  return [
    ...personCells(href, row),
    row.start_date,
    standing && badge(`standing-${standing}`, STANDINGS[standing]),
    instant(row.since),
    h("span", { class: "long" }, h("code", {}, row.decision), ` ${row.said}`),
    row.invitation_state ? stateBadge(row.invitation_state) : "",
    instant(row.expires_at),
  ];
}

/**
 * @param {string} ledger
 * @param {Row} row
 */
function chaseCells(ledger, row) {
  const { invitation_id, why } = row;
  const href = invitation_id === null ? null : invitationHash(ledger, invitation_id);
  return [
    ...personCells(href, row),
    row.start_date ?? "",
    why && WHYS[why],
    instant(row.since),
    instant(row.expires_at),
  ];
}
