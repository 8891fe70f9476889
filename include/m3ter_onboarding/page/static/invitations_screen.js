/**
 * The list of invitations: searched, filtered, sorted and paged by the server. The address says what is shown.
 *
 * @module
 */

import { invitationHash } from "./addresses.js";
import { namedCells } from "./copied_values.js";
import { h, table } from "./elements.js";
import { besideInvitations } from "./elsewhere.js";
import { choice, exportButton, exportLabel, fileName, ledgerChoice, searchField } from "./filters.js";
import { capital, counted, instant, m3terAnswer } from "./formats.js";
import { invitationStates, stateBadge, stateName } from "./glossary.js";
import { ledgerToShow } from "./list_ledger.js";
import { EVERYTHING, isNarrowed, narrowingBody, narrowingOf, narrowingPlace, narrowingText } from "./list_narrowing.js";
import { showPage, sortable } from "./list_pages.js";
import { FIRST_PAGE, hashOf, keepPlace, keepSearch, placeOf, searchOf, turnOf } from "./list_place.js";
import { dagsOf, ledgerProblem, nothingToRead, organisationName, readOverview } from "./readable_dags.js";
import { download, post } from "./requests.js";
import { reachText } from "./search_reach.js";

/** @typedef {import("../api_types").ReadableLedger} Ledger */
/** @typedef {import("../api_types").InvitationPage} InvitationPage */
/** @typedef {import("../api_types").InvitationRow} InvitationRow */
/** @typedef {import("../api_types").InvitationState} InvitationState */
/** @typedef {import("./list_place.js").Turn} Turn */

/** @typedef {{ name: string, sort: "changed" | "address" | "expires", descending: boolean, label: string }} Order */

/** @type {Order} */
const NEWEST_FIRST = { name: "", sort: "changed", descending: true, label: "Last change, newest first" };
/** @type {Order[]} */
const ORDERS = [
  NEWEST_FIRST,
  { name: "oldest", sort: "changed", descending: false, label: "Last change, oldest first" },
  { name: "address", sort: "address", descending: false, label: "Address, A to Z" },
  { name: "address-down", sort: "address", descending: true, label: "Address, Z to A" },
  { name: "expires", sort: "expires", descending: false, label: "Expires soonest (those that still can)" },
];
const HEADS = ["Address", "Employee", "State", "Invited", "Expires", "Last change", "m3ter's answer"];

/**
 * What is listed.
 * @typedef {object} Filter
 * @property {string} ledger
 * @property {string} search
 * @property {InvitationState[]} states
 * @property {string | null} org_id
 * @property {import("./list_narrowing.js").Narrowing} narrowing
 * @property {Order} order
 * @property {Turn} turn
 * @property {number} otherLedgers where there are some, the address names the ledger
 */

/**
 * @param {string} [state] the only one
 * @param {string} [key] of a ledger; undefined: as the address has it
 * @returns {Promise<import("./page.js").Screen>}
 */
export async function invitationsScreen(state, key) {
  const overview = await readOverview();
  const title = "Invitations";
  const ledgers = overview.ledgers.filter((ledger) => ledger.problem === null);
  const content = [h("h1", {}, title), overview.ledgers.map(ledgerProblem)];
  const [first, ...others] = ledgers;
  if (!first) return { title, content: [content, nothingToRead(overview.ledgers)] };
  const place = placeOf();
  const ledger = ledgerToShow([first, ...others], key ?? place.get("ledger"), ({ states }) =>
    Object.values(states).some(Boolean),
  );
  const filter = filterOf(place, ledger, others.length, state);
  keepPlace(hash(filter), { again: true });
  const results = h("div", {});
  await load(filter, results);
  return { title, content: [content, filterForm(ledgers, ledger, filter, results), results] };
}

/**
 * @param {URLSearchParams} place
 * @param {Ledger} ledger
 * @param {number} otherLedgers
 * @param {string | undefined} only a state, as links to this screen name it
 * @returns {Filter}
 */
function filterOf(place, ledger, otherLedgers, only) {
  const names = only === "unknown" ? ["sending", "unknown"] : (only ?? place.get("state") ?? "").split(",");
  const org = place.get("org");
  return {
    ledger: ledger.key,
    otherLedgers,
    search: searchOf(place),
    states: invitationStates().filter((state) => names.includes(state)),
    org_id: ledger.organisations.length > 1 && org && ledger.organisations.includes(org) ? org : null,
    narrowing: narrowingOf(place),
    order: ORDERS.find((one) => one.name === place.get("order")) ?? NEWEST_FIRST,
    turn: turnOf(place),
  };
}

/** @param {Filter} filter */
function hash({ ledger, otherLedgers, search, states, org_id, narrowing, order, turn }) {
  return hashOf("#/invitations", {
    ledger: otherLedgers ? ledger : null,
    state: states.join(","),
    org: org_id,
    ...narrowingPlace(narrowing),
    order: order.name,
    search: keepSearch(search),
    ...turn,
  });
}

/**
 * @param {Filter} filter
 * @returns {import("../api_types").ListBody}
 */
function requestBody({ ledger, search, states, org_id, narrowing, order, turn }) {
  const { sort, descending } = order;
  const page = { after: turn.after || null, before: turn.before || null };
  return { ledger, search, states, org_id, ...narrowingBody(narrowing), sort, descending, ...page };
}

/**
 * @param {readonly Ledger[]} ledgers
 * @param {Ledger} ledger that is listed
 * @param {Filter} filter
 * @param {HTMLElement} results
 */
function filterForm(ledgers, ledger, filter, results) {
  const { field, input } = searchField(
    "Part of an address or a name, or a whole employee_id or m3ter id",
    filter.search,
  );
  const apply = () => show(filter, results, FIRST_PAGE);
  /** @param {Event} event */
  const onsubmit = (event) => {
    event.preventDefault();
    filter.search = input.value;
    apply();
  };
  return h(
    "form",
    { class: "filters", role: "search", "aria-label": "Invitations", onsubmit },
    field,
    ledgerChoice(ledgers, filter.ledger, (chosen) => {
      location.hash = hash({ ...filter, ledger: chosen, org_id: null, narrowing: EVERYTHING, turn: FIRST_PAGE });
    }),
    ledger.organisations.length > 1 && organisationChoice(ledger.organisations, filter, apply),
    orderChoice(filter, apply),
    stateBoxes(filter, apply),
  );
}

/**
 * @param {readonly string[]} organisations
 * @param {Filter} filter
 * @param {() => unknown} apply
 */
function organisationChoice(organisations, filter, apply) {
  const names = organisations.map(organisationName);
  const text = (/** @type {string} */ one, /** @type {string} */ name) =>
    names.filter((other) => other === name).length > 1 ? `${name} (${one})` : name;
  const each = organisations.map((one) => ({ value: one, text: text(one, organisationName(one)) }));
  const options = [{ value: "", text: "all" }, ...each];
  return choice("org", "Organisation", options, filter.org_id ?? "", (value) => {
    filter.org_id = value || null;
    apply();
  });
}

/**
 * @param {Filter} filter
 * @param {() => unknown} apply
 */
function orderChoice(filter, apply) {
  const options = ORDERS.map(({ name, label }) => ({ value: name, text: label }));
  const field = choice("sort", "Order", options, filter.order.name, (value) => {
    filter.order = ORDERS.find((one) => one.name === value) ?? NEWEST_FIRST;
    apply();
  });
  orderApplies(field, filter);
  return field;
}

/**
 * Let the order be chosen only where it holds: a search has its own.
 * @param {ParentNode} form
 * @param {Filter} filter
 */
function orderApplies(form, { search }) {
  form.querySelector("#sort")?.toggleAttribute("disabled", search.trim() !== "");
}

/**
 * @param {Filter} filter
 * @param {() => unknown} apply
 */
function stateBoxes(filter, apply) {
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
 * Show another page or another list, and let the address say so.
 * @param {Filter} filter
 * @param {HTMLElement} results
 * @param {Turn} turn
 * @param {{ turned?: boolean }} [options]
 */
function show(filter, results, turn, options) {
  filter.turn = turn;
  keepPlace(hash(filter));
  orderApplies(document, filter);
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
  await showPage(results, {
    turn: filter.turn,
    turned,
    read: () => post("invitations", body),
    show: (page) => [
      narrowingText(filter.narrowing, hash({ ...filter, narrowing: EVERYTHING, turn: FIRST_PAGE })),
      page.rows.length > 0 && acceptedText(filter),
      reachText(filter.search, page),
      invitationsTable(filter, results, page),
      !page.rows.length && besideInvitations(filter.ledger, filter.states, filter.search),
    ],
    go: (turn) => show(filter, results, turn, { turned: true }),
    beside: (page) =>
      page.rows.length > 0 &&
      exportButton(
        () =>
          download(
            "export",
            { ...body, after: null, before: null },
            fileName("m3ter-invitations", dagsOf(filter.ledger)),
          ),
        exportLabel(page),
      ),
  });
}

/**
 * Say who is in a list of accepted invitations and was not invited here; null: it has no such people.
 * @param {Filter} filter
 */
function acceptedText({ states, narrowing }) {
  if (!states.includes("accepted") || narrowing.run || narrowing.runsSince) return null;
  return h(
    "p",
    { class: "note" },
    `"${capital(stateName("accepted"))}" includes people found as members in m3ter, without an invitation from ` +
      "here. The overview's steps count only people that its runs invited.",
  );
}

/**
 * @param {Filter} filter
 * @param {HTMLElement} results
 * @param {InvitationPage} page
 */
function invitationsTable(filter, results, { rows }) {
  const list = table(
    "Invitations",
    HEADS,
    rows.map((one) => invitationCells(filter, one)),
    { empty: emptyText(filter), unseen: true },
  );
  if (filter.search.trim()) return list; // it has an order of its own
  const head = (/** @type {Order["sort"]} */ sort, /** @type {boolean} */ descendingFirst) => {
    const { order } = filter;
    const sorted = order.sort === sort;
    const other = ORDERS.find(
      (one) => one.sort === sort && one.descending === (sorted ? !order.descending : descendingFirst),
    );
    const direction = /** @type {"ascending" | "descending"} */ (order.descending ? "descending" : "ascending");
    const choose = () => {
      filter.order = other ?? order;
      const select = document.getElementById("sort");
      if (select instanceof HTMLSelectElement) select.value = filter.order.name;
      return show(filter, results, FIRST_PAGE, { turned: true });
    };
    return { sorted: sorted ? direction : null, choose };
  };
  return sortable(list, {
    Address: head("address", false),
    Expires: head("expires", false),
    "Last change": head("changed", true),
  });
}

/** @param {Filter} filter */
function emptyText({ order, search, states, org_id, narrowing, otherLedgers }) {
  const there = otherLedgers === 1 ? "There is" : "There are";
  const others = otherLedgers ? ` ${there} ${counted(otherLedgers, "other ledger")}; choose above.` : "";
  const everything = !search.trim() && !states.length && !org_id && !isNarrowed(narrowing) && order.sort !== "expires";
  if (everything) return `This ledger holds no invitation yet.${others}`;
  const only = order.sort === "expires" ? " This order lists only invitations that can still expire." : "";
  return `No invitation of this ledger matches.${only}${others}`;
}

/**
 * @param {Filter} filter
 * @param {InvitationRow} one
 */
function invitationCells({ ledger, search }, one) {
  return [
    ...namedCells(invitationHash(ledger, one.invitation_id), one, search),
    stateBadge(one.state),
    instant(one.sent_at),
    instant(one.expires_at),
    instant(one.updated_at),
    m3terAnswer(one),
  ];
}
