/**
 * The list of invitations: searched, filtered, sorted and paged by the server.
 *
 * @module
 */

import { invitationHash } from "./addresses.js";
import { announce, button, fill, h, messageOf, problem, quoted, table } from "./elements.js";
import { choice } from "./filters.js";
import { instant, m3terAnswer } from "./formats.js";
import { invitationStates, stateBadge, stateName } from "./glossary.js";
import { ledgerProblem, nothingToRead, readOverview } from "./readable_dags.js";
import { download, post } from "./requests.js";

/** @typedef {import("../api_types").ReadableLedger} Ledger */
/** @typedef {import("../api_types").InvitationRow} InvitationRow */
/** @typedef {import("../api_types").InvitationState} InvitationState */

/** @typedef {{ sort: "changed" | "address" | "expires", descending: boolean, label: string }} Order */

/** @type {Order} */
const NEWEST_FIRST = { sort: "changed", descending: true, label: "Last change, newest first" };
/** @type {Order[]} */
const ORDERS = [
  NEWEST_FIRST,
  { sort: "changed", descending: false, label: "Last change, oldest first" },
  { sort: "address", descending: false, label: "Address, A to Z" },
  { sort: "address", descending: true, label: "Address, Z to A" },
  { sort: "expires", descending: false, label: "Expires soonest (those that still can)" },
];
const HEADS = ["Address", "Employee", "State", "Invited", "Expires", "Last change", "m3ter's answer"];

/** The filter: kept while the page is open, in no address. */
const filter = {
  ledger: "",
  search: "",
  /** @type {InvitationState[]} */
  states: [],
  /** @type {string | null} */
  org_id: null,
  order: NEWEST_FIRST,
};
let ledgersToChoose = 1;
// Answers may overtake one another: only the newest request is shown.
let newest = 0;

/**
 * @param {string} [only] a state
 * @param {string} [key] of a ledger; undefined: as it was chosen
 * @returns {Promise<import("./page.js").Screen>}
 */
export async function invitationsScreen(only, key) {
  const overview = await readOverview();
  const title = "Invitations";
  const ledgers = overview.ledgers.filter((ledger) => ledger.problem === null);
  const content = [h("h1", {}, title), overview.ledgers.map(ledgerProblem)];
  const [first] = ledgers;
  if (!first) return { title, content: [content, nothingToRead(overview.ledgers)] };
  if (only) Object.assign(filter, { search: "", org_id: null, order: NEWEST_FIRST });
  if (only) filter.states = invitationStates().filter((state) => state === only);
  if (only === "unknown") filter.states = ["sending", "unknown"];
  const ledger = ledgers.find((one) => one.key === (key ?? filter.ledger)) ?? first;
  filter.ledger = ledger.key;
  ledgersToChoose = ledgers.length;
  const results = h("div", {});
  await load(results);
  return { title, content: [content, filterForm(ledgers, ledger, () => load(results)), results] };
}

/**
 * @param {string | null} [after] where the page begins; null: at the beginning
 * @returns {import("../api_types").ListBody}
 */
function requestBody(after = null) {
  const { ledger, search, states, org_id } = filter;
  const { sort, descending } = filter.order;
  return { ledger, search, states, org_id, sort, descending, after };
}

/**
 * @param {readonly Ledger[]} ledgers
 * @param {Ledger} ledger that is listed
 * @param {() => unknown} apply
 */
function filterForm(ledgers, ledger, apply) {
  const search = h("input", {
    id: "search",
    type: "search",
    maxlength: "400",
    autocomplete: "off",
    spellcheck: "false",
  });
  search.value = filter.search;
  /** @param {Event} event */
  const onsubmit = (event) => {
    event.preventDefault();
    filter.search = search.value;
    apply();
  };
  return h(
    "form",
    { class: "filters", role: "search", "aria-label": "Invitations", onsubmit },
    h(
      "div",
      { class: "field grow" },
      h("label", { for: "search" }, "Beginning of an address, or a whole employee_id or m3ter id"),
      h("div", { class: "together" }, search, h("button", { type: "submit", class: "primary" }, "Search")),
    ),
    ledgers.length > 1 && ledgerChoice(ledgers, apply),
    ledger.organisations.length > 1 && organisationChoice(ledger.organisations, apply),
    orderChoice(apply),
    stateBoxes(apply),
  );
}

/**
 * @param {readonly Ledger[]} ledgers
 * @param {() => unknown} apply
 */
function ledgerChoice(ledgers, apply) {
  const options = ledgers.map((one) => ({ value: one.key, text: one.name }));
  return choice("ledger", "Ledger", options, filter.ledger, (value) => {
    filter.ledger = value;
    apply();
  });
}

/**
 * @param {readonly string[]} organisations
 * @param {() => unknown} apply
 */
function organisationChoice(organisations, apply) {
  const options = [{ value: "", text: "all" }, ...organisations.map((one) => ({ value: one, text: one }))];
  return choice("org", "Organisation", options, filter.org_id ?? "", (value) => {
    filter.org_id = value || null;
    apply();
  });
}

/** @param {() => unknown} apply */
function orderChoice(apply) {
  const options = ORDERS.map(({ label }, position) => ({ value: String(position), text: label }));
  return choice("sort", "Order", options, String(ORDERS.indexOf(filter.order)), (value) => {
    filter.order = ORDERS[Number(value)] ?? NEWEST_FIRST;
    apply();
  });
}

/** @param {() => unknown} apply */
function stateBoxes(apply) {
  const boxes = invitationStates().map((state) => {
    const checked = filter.states.includes(state);
    return { state, box: h("input", { type: "checkbox", value: state, checked, onchange: () => choose() }) };
  });
  const choose = () => {
    filter.states = boxes.filter(({ box }) => box.checked).map(({ state }) => state);
    apply();
  };
  return h(
    "fieldset",
    { class: "choices" },
    h("legend", {}, "State; none chosen: all"),
    boxes.map(({ state, box }) => h("label", { class: "choice" }, box, ` ${stateName(state)}`)),
  );
}

/**
 * Read a page of the list, and show it.
 * @param {HTMLElement} results
 * @param {string | null} [after] where it begins; null: at the beginning
 */
async function load(results, after = null) {
  const mine = ++newest;
  results.setAttribute("aria-busy", "true");
  try {
    const page = await post("invitations", requestBody(after));
    if (mine !== newest) return;
    const next = page.after;
    fill(
      results,
      h("p", { class: "faint" }, filter.search.trim() && "A search lists by address, after exact matches of an id."),
      table("Invitations", HEADS, page.rows.map(invitationCells), { empty: emptyText(), unseen: true }),
      h(
        "div",
        { class: "actions" },
        after && button("First page", () => load(results)),
        next && button("Next page", () => load(results, next)),
        page.rows.length > 0 && exportButton(),
      ),
    );
    announce(`${page.rows.length} invitations shown${next ? ", there are more" : ""}.`);
  } catch (error) {
    if (mine === newest) fill(results, problem(messageOf(error)));
  } finally {
    if (mine === newest) results.removeAttribute("aria-busy");
  }
}

function emptyText() {
  const others = ledgersToChoose > 1 ? " There are other ledgers; choose one above." : "";
  const order = filter.order.sort === "expires" ? " This order lists only invitations that can still expire." : "";
  return `No invitation of this ledger matches.${order}${others}`;
}

function exportButton() {
  const start = button("Export all of these as CSV", async () => {
    start.disabled = true;
    try {
      await download("export", requestBody(), "m3ter-invitations.csv");
      announce("The file is complete.");
    } catch (error) {
      start.after(problem(messageOf(error)));
    } finally {
      start.disabled = false;
    }
  });
  return start;
}

/** @param {InvitationRow} one */
function invitationCells(one) {
  return [
    h("a", { href: invitationHash(filter.ledger, one.invitation_id) }, h("bdi", {}, one.email)),
    quoted(one.employee_id),
    stateBadge(one.state),
    instant(one.sent_at),
    instant(one.expires_at),
    instant(one.updated_at),
    m3terAnswer(one),
  ];
}
