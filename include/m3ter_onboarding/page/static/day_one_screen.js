/**
 * Who starts soon and where each of them stands, and the invitations that nobody has accepted.
 *
 * @module
 */

import { invitationHash, rowHash } from "./addresses.js";
import { announce, badge, button, fill, h, messageOf, problem, quoted, table } from "./elements.js";
import { choice } from "./filters.js";
import { instant } from "./formats.js";
import { stateBadge } from "./glossary.js";
import { ledgerProblem, nothingToRead, readOverview } from "./readable_dags.js";
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
const STARTING_HEADS = ["Address", "Employee", "Starts", "Standing", "Since", "Last decision", "Invitation", "Expires"];
const CHASE_HEADS = ["Address", "Employee", "Starts", "Why", "Since", "Expires"];

/** What is shown: kept while the page is open. */
const filter = { ledger: "", shown: "" };
// Answers may overtake one another: only the newest request is shown.
let newest = 0;

/**
 * @param {string} [only] a standing, or `chase`
 * @param {string} [key] of a ledger; undefined: as it was chosen
 * @returns {Promise<import("./page.js").Screen>}
 */
export async function dayOneScreen(only, key) {
  const overview = await readOverview();
  const title = "Day one";
  const ledgers = overview.ledgers.filter((ledger) => ledger.problem === null);
  const content = [h("h1", {}, title), overview.ledgers.map(ledgerProblem)];
  const [first] = ledgers;
  if (!first) return { title, content: [content, nothingToRead(overview.ledgers)] };
  if (only) filter.shown = only;
  filter.ledger = (ledgers.find((one) => one.key === (key ?? filter.ledger)) ?? first).key;
  const results = h("div", {});
  await load(results);
  return { title, content: [content, filterForm(ledgers, () => load(results)), results] };
}

/**
 * @param {readonly Ledger[]} ledgers
 * @param {() => unknown} apply
 */
function filterForm(ledgers, apply) {
  const standings = Object.entries(STANDINGS).map(([value, text]) => ({ value, text: `Starts soon: ${text}` }));
  const shown = [
    { value: "", text: "Everybody who starts soon" },
    ...standings,
    { value: "chase", text: "Invitations to chase" },
  ];
  const places = ledgers.map((one) => ({ value: one.key, text: one.name }));
  return h(
    "form",
    { class: "filters", "aria-label": "Day one" },
    choice("shown", "Show", shown, filter.shown, (value) => {
      filter.shown = value;
      apply();
    }),
    ledgers.length > 1 &&
      choice("ledger", "Ledger", places, filter.ledger, (value) => {
        filter.ledger = value;
        apply();
      }),
  );
}

/**
 * @param {number} [after] how many rows come before
 * @returns {import("../api_types").StartingBody}
 */
function requestBody(after = 0) {
  const { ledger, shown } = filter;
  if (shown === "chase") return { ledger, name: "chase", after };
  const standings = /** @type {Standing[]} */ (Object.keys(STANDINGS)).filter((one) => one === shown);
  return { ledger, name: "day_one", standings, after };
}

/**
 * Read a page of the list, and show it.
 * @param {HTMLElement} results
 * @param {number} [after] how many rows come before
 */
async function load(results, after = 0) {
  const mine = ++newest;
  results.setAttribute("aria-busy", "true");
  try {
    const page = await post("day-one", requestBody(after));
    if (mine !== newest) return;
    const next = page.after;
    const chase = filter.shown === "chase";
    const empty = chase ? "No invitation to chase." : "Nobody. The day-one DAG makes this list.";
    const rows = page.rows.map(chase ? chaseCells : startingCells);
    fill(
      results,
      table(chase ? "Invitations to chase" : "Who starts soon", chase ? CHASE_HEADS : STARTING_HEADS, rows, {
        empty,
        unseen: true,
      }),
      h(
        "div",
        { class: "actions" },
        after > 0 && button("First page", () => load(results)),
        next !== null && button("Next page", () => load(results, next)),
        page.rows.length > 0 && exportButton(),
      ),
    );
    announce(`${page.rows.length} rows shown${next ? ", there are more" : ""}.`);
  } catch (error) {
    if (mine === newest) fill(results, problem(messageOf(error)));
  } finally {
    if (mine === newest) results.removeAttribute("aria-busy");
  }
}

function exportButton() {
  const start = button("Export all of these as CSV", async () => {
    start.disabled = true;
    try {
      await download("day-one/export", requestBody(), "m3ter-day-one.csv");
      announce("The file is complete.");
    } catch (error) {
      start.after(problem(messageOf(error)));
    } finally {
      start.disabled = false;
    }
  });
  return start;
}

/** @param {Row} row */
function startingCells(row) {
  const { standing, plan_id, row_no } = row;
  const linked = plan_id !== null && row_no !== null;
  const href = linked ? rowHash(filter.ledger, plan_id, row_no) : null;
  return [
    href ? h("a", { href }, quoted(row.email)) : quoted(row.email),
    quoted(row.employee_id),
    row.start_date,
    standing && badge(`standing-${standing}`, STANDINGS[standing]),
    instant(row.since),
    h("span", { class: "long" }, h("code", {}, row.decision), ` ${row.said}`),
    row.invitation_state ? stateBadge(row.invitation_state) : "",
    instant(row.expires_at),
  ];
}

/** @param {Row} row */
function chaseCells(row) {
  const { invitation_id, why } = row;
  const href = invitation_id === null ? null : invitationHash(filter.ledger, invitation_id);
  return [
    href ? h("a", { href }, quoted(row.email)) : quoted(row.email),
    quoted(row.employee_id),
    row.start_date ?? "",
    why && WHYS[why],
    instant(row.since),
    instant(row.expires_at),
  ];
}
