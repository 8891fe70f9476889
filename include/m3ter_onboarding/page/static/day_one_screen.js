/**
 * Who starts soon and where each of them stands, and the invitations that nobody has accepted.
 *
 * @module
 */

import { invitationHash, rowHash } from "./addresses.js";
import { inTheNext } from "./coming_days.js";
import { namedCells } from "./copied_values.js";
import { badge, h, prose, table } from "./elements.js";
import { besideStarting } from "./elsewhere.js";
import { choice, exportButton, exportLabel, fileName, ledgerChoice } from "./filters.js";
import { daysField, daysOf } from "./first_days.js";
import { exactNumber, instant } from "./formats.js";
import { code, kindName, standingName, standings, stateBadge, withoutAccess } from "./glossary.js";
import { dagsBeside, ledgerToShow } from "./list_ledger.js";
import { showPage } from "./list_pages.js";
import { FIRST_PAGE, hashOf, keepPlace, placeOf, turnOf } from "./list_place.js";
import { dagsOf, ledgerProblem, nothingToRead, readOverview } from "./readable_dags.js";
import { download, post } from "./requests.js";

/** @typedef {import("../api_types").ReadableLedger} Ledger */
/** @typedef {import("../api_types").StartingRow} Row */
/** @typedef {import("../api_types").Standing} Standing */

/** @type {Record<"starts" | "expires" | "both", string>} */
const WHYS = { starts: "starts soon", expires: "expires soon", both: "starts and expires soon" };
const LEFT_OUT = "People excluded by a setting or by their row are left out, unless they have an invitation.";
/** Rows of a page. */
const PAGE = 50;
const STARTING_HEADS = ["Address", "Employee", "Starts", "Standing", "Since", "Last decision", "Invitation", "Expires"];
const CHASE_HEADS = ["Address", "Employee", "Starts", "Why", "Since", "Expires"];

/**
 * What is listed.
 * @typedef {object} Filter
 * @property {string} ledger
 * @property {boolean} ledgerNamed
 * @property {string} shown a standing, `without_access` or `chase`; empty: everybody who starts soon
 * @property {import("./first_days.js").Days} days
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
  const ledger = ledgerToShow([first, ...others], named, ({ starting }) => starting.as_of !== null);
  /** @type {Filter} */
  const filter = {
    ledger: ledger.key,
    ledgerNamed: ledgers.length > 1,
    shown: ["without_access", "chase", ...standings()].includes(shown) ? shown : "",
    days: daysOf(place),
    turn: turnOf(place),
  };
  keepPlace(hash(filter), { again: true });
  const results = h("div", {});
  await load(filter, results);
  return { title, content: [content, filterForm(ledgers, ledger, filter, results), results] };
}

/** @param {Filter} filter */
function hash({ ledger, ledgerNamed, shown, days, turn }) {
  const starts = { starts_from: days.from, starts_until: days.until };
  return hashOf("#/day-one", { show: shown, ledger: ledgerNamed ? ledger : null, ...starts, ...turn });
}

/**
 * @param {readonly Ledger[]} ledgers
 * @param {Ledger} ledger that is shown
 * @param {Filter} filter
 * @param {HTMLElement} results
 */
function filterForm(ledgers, { starting }, filter, results) {
  const shown = [
    { value: "", text: `Everybody who starts ${starting.as_of ? inTheNext(starting.within_days) : "soon"}` },
    { value: "without_access", text: "Of these: without access" },
    ...standings().map((value) => ({ value, text: `Of these: ${standingName(value)}` })),
    { value: "chase", text: "Invitations to chase" },
  ];
  const days = daysField(starting, filter.days, (chosen) => {
    filter.days = chosen;
    return show(filter, results, FIRST_PAGE);
  });
  const hide = () => {
    for (const field of days) field.hidden = filter.shown === "chase";
  };
  hide();
  return h(
    "form",
    { class: "filters", "aria-label": "Day one" },
    choice("shown", "Show", shown, filter.shown, (value) => {
      filter.shown = value;
      hide();
      return show(filter, results, FIRST_PAGE);
    }),
    days,
    ledgerChoice(ledgers, filter.ledger, (chosen) => {
      location.hash = hash({ ...filter, ledger: chosen, turn: FIRST_PAGE });
    }),
  );
}

/**
 * @param {Filter} filter
 * @returns {import("../api_types").StartingBody}
 */
function requestBody({ ledger, shown, days, turn }) {
  const after = Number(turn.after) || 0;
  if (shown === "chase") return { ledger, name: "chase", after };
  const starts = { starts_from: days.from || null, starts_until: days.until || null };
  return { ledger, name: "day_one", standings: standingsOf(shown), ...starts, after };
}

/**
 * @param {string} shown
 * @returns {Standing[]} none: all
 */
function standingsOf(shown) {
  return shown === "without_access" ? withoutAccess() : standings().filter((one) => one === shown);
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
  const stem = filter.shown === "chase" ? "m3ter-chase" : "m3ter-day-one";
  await showPage(results, {
    turn: { ...filter.turn, from: after },
    size: PAGE,
    turned,
    // This list is paged by how many rows come before.
    read: async () => ({ ...(await post("day-one", body)), before: after > 0 ? Math.max(after - PAGE, 0) : null }),
    show: (page) =>
      isUnknown(page)
        ? neverMade(filter.ledger)
        : [
            asOf(page),
            standingsLine(filter, page),
            startingTable(filter, page),
            !page.rows.length && besideStarting(filter.ledger, filter.shown),
          ],
    unknown: isUnknown,
    go: ({ after, before }) => {
      const begins = Number(after || before) || 0;
      return show(filter, results, { after: begins ? String(begins) : "", before: "", from: 0 }, { turned: true });
    },
    beside: (page) =>
      page.rows.length > 0 &&
      exportButton(
        () => download("day-one/export", { ...body, after: 0 }, fileName(stem, dagsOf(filter.ledger))),
        exportLabel(page),
      ),
  });
}

/** @param {import("../api_types").StartingPage} page */
function isUnknown({ rows, as_of }) {
  return !rows.length && as_of === null;
}

/** @param {import("../api_types").StartingPage} page */
function asOf({ as_of }) {
  return h(
    "p",
    { class: "note" },
    "As of ",
    instant(as_of),
    prose(
      ", when a DAG `m3ter_day_one__…` ran last. Its next run adds people who were planned for the first time since " +
        "then. If an invitation was sent or has changed, its row says so.",
    ),
  );
}

/**
 * Return how many stand where, within the days that are chosen; each is a link to those alone.
 * @param {Filter} filter
 * @param {import("../api_types").StartingPage} page
 */
function standingsLine(filter, page) {
  if (filter.shown === "chase") return null;
  const many = (/** @type {readonly Standing[]} */ of) => of.reduce((all, one) => all + (page.standings[one] ?? 0), 0);
  const link = (/** @type {string} */ shown, /** @type {readonly Standing[]} */ of, /** @type {string} */ text) => {
    const href = hash({ ...filter, shown, turn: FIRST_PAGE });
    const current = shown === filter.shown && "true";
    return h("a", { href, "aria-current": current || null }, `${exactNumber(many(of))} ${text}`);
  };
  const some = standings().filter((one) => many([one]));
  const sums = h(
    "p",
    { class: "standings" },
    link("", standings(), "in all"),
    "; ",
    link("without_access", withoutAccess(), "without access"),
    some.length > 0 && ": ",
    some.map((one, place) => [place ? " · " : "", link(one, [one], standingName(one))]),
  );
  return [sums, h("p", { class: "faint" }, LEFT_OUT)];
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
function startingTable({ ledger, shown, days }, { rows }) {
  if (shown === "chase") {
    const cells = rows.map((row) => chaseCells(ledger, row));
    return table("Invitations to chase", CHASE_HEADS, cells, { empty: "No invitation to chase.", unseen: true });
  }
  const cells = rows.map((row) => startingCells(ledger, row));
  const empty = shown || days.from || days.until ? "Nobody who starts soon stands there." : "Nobody starts soon.";
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
    ...namedCells(href, row),
    h("span", { class: "whole" }, row.start_date),
    [standing && badge(`standing-${standing}`, standingName(standing)), sinceListed(row)],
    instant(row.since),
    row.decision && h("span", { class: "long" }, kindName(row.decision), " ", code(row.decision)),
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
    ...namedCells(href, row),
    row.start_date && h("span", { class: "whole" }, row.start_date),
    [why && WHYS[why], sinceListed(row)],
    instant(row.since),
    instant(row.expires_at),
  ];
}

/**
 * Return what became of the newest invitation of a row since the list was made.
 * @param {Row} row
 */
function sinceListed({ state_now, changed_at }) {
  return state_now && h("p", {}, "since then: ", stateBadge(state_now), " ", instant(changed_at));
}
