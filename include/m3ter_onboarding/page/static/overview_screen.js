/**
 * How each organisation goes, and what needs attention.
 *
 * @module
 */

import { runHash } from "./addresses.js";
import { inTheNext, pendingDays, startingTable } from "./coming_days.js";
import { organisations } from "./dag_cards.js";
import { h, messageOf, problem, section } from "./elements.js";
import { boundedSum, exactNumber, instant } from "./formats.js";
import { standingName, withoutAccess } from "./glossary.js";
import { lastDay } from "./last_day.js";
import { dagName, followOverview, ledgerProblem, readOverview } from "./readable_dags.js";
import { newestFirst, runsTable } from "./runs_table.js";
import { sendingStops } from "./sending_stops.js";
import { trends } from "./trends.js";

/** @typedef {import("../api_types").ReadableLedger} Ledger */
/** @typedef {import("../api_types").Overview} Overview */

const RUNS = 20;
const STARTING = "Who starts soon without access";
/** Beginnings of the entries of what needs attention, of several and of one. */
const SINGULAR = /** @type {const} */ ([
  ["questions that a person has", "question that a person has"],
  ["rows that", "row that"],
  ["people kept", "person kept"],
  ["findings about access that people have", "finding about access that somebody has"],
  ["invitations to chase", "invitation to chase"],
  ["start ", "starts "],
]);
const PENDING = "Invited, not accepted, by the days left";

/** @returns {Promise<import("./page.js").Screen>} */
export async function overviewScreen() {
  const overview = await readOverview({ again: true });
  const title = "Overview";
  if (!overview.dags.length) {
    const text = 'There is no onboarding DAG that you may read. The guide "Adopt it" of the documentation makes one.';
    return { title, content: [h("h1", {}, title), h("p", {}, text)] };
  }
  const ledgers = overview.ledgers.filter((ledger) => ledger.problem === null);
  const away = overview.ledgers.some((ledger) => ledger.problem !== null && !ledger.empty);
  return {
    title,
    content: [
      h("h1", {}, title),
      overview.ledgers.map(ledgerProblem),
      part(() => sendingStops(overview)),
      ledgers.length > 0 && part(() => attention(ledgers, away, Boolean(sendingStops(overview)))),
      part(() => section("dags", "Organisations", organisations(overview))),
      ledgers.length > 0 && part(() => section("starting", STARTING, partly(away), ofEach(ledgers, startingTable))),
      ledgers.length > 0 && part(() => section("pending", PENDING, partly(away), ofEach(ledgers, pendingDays))),
      ledgers.length > 0 && part(() => section("chart", "Invitations over time", partly(away), trends(ledgers))),
      ledgers.length > 0 &&
        part(() => section("runs", "Last runs", partly(away), lastDay(ledgers), runsTable(newestRuns(ledgers)))),
    ],
    live: followOverview(overview),
  };
}

/**
 * Make a part of the screen; where that fails, the others are shown all the same.
 * @param {() => import("./elements.js").Child} make
 */
function part(make) {
  try {
    return make();
  } catch (error) {
    return problem(messageOf(error));
  }
}

/** @param {boolean} away whether a ledger cannot be read */
function partly(away) {
  return away && h("p", { class: "note" }, "Of the ledgers that can be read; of the others nothing is known now.");
}

/**
 * @param {readonly Ledger[]} ledgers
 * @param {(ledger: Ledger) => import("./elements.js").Child} show
 */
function ofEach(ledgers, show) {
  return ledgers.map((ledger) => [ledgers.length > 1 && h("h3", {}, ledger.name), show(ledger)]);
}

/** @param {readonly Ledger[]} ledgers */
function newestRuns(ledgers) {
  return newestFirst(ledgers.flatMap((ledger) => ledger.runs)).slice(0, RUNS);
}

/**
 * @param {readonly Ledger[]} ledgers
 * @param {boolean} away whether a ledger cannot be read
 * @param {boolean} stopped whether something stops sending, which stands above
 */
function attention(ledgers, away, stopped) {
  const items = ledgers.flatMap((ledger) => [
    ...ledger.dags.map(lastRun),
    ...counted(ledger, ledgers.length > 1 ? ` (${ledger.name})` : ""),
  ]);
  const found = items.filter((item) => item !== null);
  return section(
    "attention",
    "Needs attention",
    partly(away),
    found.length
      ? h("ul", { class: "attention" }, found)
      : !away &&
          h("p", { class: "fine" }, stopped ? "Nothing else." : "Nothing: everybody is invited, waiting or decided."),
  );
}

/**
 * @param {number | undefined} many
 * @param {string} text
 * @param {string} href
 * @param {"bad" | "warn" | "info"} kind
 * @param {object} [how] the number, where counting may have stopped; when it was counted, where that was earlier
 * @param {string} [how.written]
 * @param {string | null} [how.asOf]
 */
function item(many, text, href, kind, { written = exactNumber(many), asOf = null } = {}) {
  if (!many) return null;
  const said = many === 1 ? singular(text) : text;
  const when = asOf && [", as of ", instant(asOf)];
  return h("li", { class: kind }, h("a", { href }, h("strong", {}, written), ` ${said}`, when));
}

/**
 * Write an entry about one in the singular.
 * @param {string} text
 */
function singular(text) {
  return SINGULAR.reduce(
    (said, [plural, one]) => (said.startsWith(plural) ? one + said.slice(plural.length) : said),
    text,
  );
}

/**
 * Return an entry of counts that each may have stopped.
 * @param {readonly (number | undefined)[]} counts
 * @param {string} text
 * @param {string} href
 * @param {"bad" | "warn" | "info"} kind
 * @param {string | null} [asOf] when they were counted, where that was earlier
 */
function boundedItem(counts, text, href, kind, asOf = null) {
  const known = counts.map((many) => many ?? 0);
  const many = known.reduce((all, one) => all + one, 0);
  return item(many, text, href, kind, { written: boundedSum(known), asOf });
}

/**
 * @param {Ledger} ledger
 * @param {string} where
 */
function counted({ key, states, questions, access, expire_before_start, starting }, where) {
  const worklist = (/** @type {string} */ decision) => `#/review/${decision}?ledger=${encodeURIComponent(key)}`;
  const list = (/** @type {string} */ state) => `#/invitations/${state}/${encodeURIComponent(key)}`;
  return [
    boundedItem([states.failed], `refused by m3ter${where}`, list("failed"), "bad"),
    boundedItem([states.review], `with a lost answer that only a person can settle${where}`, list("review"), "bad"),
    item(asked(questions, "review:"), `questions that a person has to decide${where}`, worklist("review"), "warn"),
    item(asked(questions, "invalid:"), `rows that cannot be used${where}`, worklist("invalid"), "warn"),
    item(asked(questions, "skip:"), `people kept from being invited by a setting${where}`, worklist("skip"), "info"),
    boundedItem(
      [states.sending, states.unknown],
      `being sent, or with a lost answer that is looked up${where}`,
      list("unknown"),
      "info",
    ),
    boundedItem(
      Object.values(access),
      `findings about access that people have in m3ter${where}`,
      `#/access?ledger=${key}`,
      "warn",
    ),
    item(expire_before_start, `to expire before the first day of work${where}`, list("sent"), "warn"),
    ...startingItems(starting, key, where),
  ];
}

/**
 * @param {import("../api_types").StartingFigures} starting
 * @param {string} key of the ledger
 * @param {string} where
 */
function startingItems({ standings, chase, sent_today, within_days, as_of }, key, where) {
  // Nobody has to act for those who are invited and can still accept.
  const unready = withoutAccess().filter((standing) => standing !== "pending");
  const list = (/** @type {string} */ shown) => `#/day-one/${shown}/${encodeURIComponent(key)}`;
  return [
    ...unready.map((one) => {
      const text = `start ${inTheNext(within_days)}: ${standingName(one)}${where}`;
      return item(standings[one], text, list(one), "warn", { asOf: as_of });
    }),
    boundedItem([chase], `invitations to chase${where}`, list("chase"), "warn", as_of),
    boundedItem([sent_today], `sent today${where}`, `#/invitations/sent/${encodeURIComponent(key)}`, "info"),
  ];
}

/**
 * @param {Record<string, number>} questions by decision and reason
 * @param {string} decision with its colon
 */
function asked(questions, decision) {
  const of = Object.entries(questions).filter(([name]) => name.startsWith(decision));
  return sum(Object.fromEntries(of));
}

/** @param {Record<string, number>} counts */
function sum(counts) {
  return Object.values(counts).reduce((all, many) => all + many, 0);
}

/**
 * Return what the newest run of a DAG needs.
 * @param {import("../api_types").DagFigures} figures
 */
function lastRun({ dag_id, last }) {
  if (!last?.waits) return null;
  const many = h("strong", {}, exactNumber(last.invitations));
  const awaited = last.waits === "look" ? "a first dry run" : "approval";
  const text = `${last.invitations === 1 ? "waits" : "wait"} for ${awaited}`;
  const of = ["in the run of ", dagName(dag_id)];
  return h("li", { class: "warn" }, h("a", { href: runHash(dag_id, last.run_id) }, many, ` ${text} `, of));
}
