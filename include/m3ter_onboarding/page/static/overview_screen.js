/**
 * How each organisation goes, and what needs attention.
 *
 * @module
 */

import { dagHash, runHash } from "./addresses.js";
import { fact, h, loadInto, quoted, section } from "./elements.js";
import { boundedNumber, boundedSum, exactNumber } from "./formats.js";
import { connectionName, stateBadge } from "./glossary.js";
import { invitationChart } from "./invitation_chart.js";
import { dagName, ledgerProblem, readOverview } from "./readable_dags.js";
import { get } from "./requests.js";
import { dryRunButton, retryFailedButton } from "./run_buttons.js";
import { runLink, runsTable } from "./runs_table.js";
import { sendingStops } from "./sending_stops.js";

/** @typedef {import("../api_types").ReadableDag} Dag */
/** @typedef {import("../api_types").ReadableLedger} Ledger */
/** @typedef {import("../api_types").Overview} Overview */

const RUNS = 20;
/** Milliseconds between two looks while a run goes on, and while none does. */
const EVERY = { running: 5000, quiet: 30_000 };
const UNKNOWN = "unknown";
const NOT_READ = "Unknown: the ledger of this DAG cannot be read now.";

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
      sendingStops(overview),
      ledgers.length > 0 && attention(ledgers, away),
      section(
        "dags",
        "Organisations",
        h(
          "div",
          { class: "cards" },
          overview.dags.map((dag) => card(dag, overview)),
        ),
      ),
      ledgers.length > 0 && section("chart", "Invitations over time", partly(away), laterChart()),
      ledgers.length > 0 && section("runs", "Last runs", partly(away), runsTable(newestRuns(ledgers))),
    ],
    live: followed(overview),
  };
}

/**
 * @param {Overview} shown
 * @returns {import("./live.js").Live}
 */
function followed(shown) {
  const before = JSON.stringify(shown);
  const running = newestRuns(shown.ledgers.filter((ledger) => ledger.problem === null)).some(
    (run) => run.outcome === "running",
  );
  return {
    every: running ? EVERY.running : EVERY.quiet,
    update: async () => (JSON.stringify(await readOverview({ again: true })) === before ? "same" : "anew"),
  };
}

/** @param {boolean} away whether a ledger cannot be read */
function partly(away) {
  return away && h("p", { class: "note" }, "Of the ledgers that can be read; of the others nothing is known now.");
}

/** @param {readonly Ledger[]} ledgers */
function newestRuns(ledgers) {
  const runs = ledgers.flatMap((ledger) => ledger.runs);
  return runs.sort((a, b) => (a.started_at < b.started_at ? 1 : -1)).slice(0, RUNS);
}

/** Return the place of the chart, which is read after the first paint: nothing waits for it. */
function laterChart() {
  const place = h("div", { "aria-busy": "true" }, h("p", { class: "faint" }, "Loading the chart …"));
  const load = () => loadInto(place, async () => invitationChart((await get("chart")).days));
  requestAnimationFrame(() => setTimeout(load, 0));
  return place;
}

/**
 * @param {readonly Ledger[]} ledgers
 * @param {boolean} away whether a ledger cannot be read
 */
function attention(ledgers, away) {
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
      : !away && h("p", { class: "fine" }, "Nothing: everybody is invited, waiting or decided."),
  );
}

/**
 * @param {number | undefined} many
 * @param {string} text
 * @param {string} href
 * @param {"bad" | "warn" | "info"} kind
 * @param {string} [written] the number, where counting may have stopped
 */
function item(many, text, href, kind, written = exactNumber(many)) {
  if (!many) return null;
  return h("li", { class: kind }, h("a", { href }, h("strong", {}, written), ` ${text}`));
}

/**
 * Return an entry of counts that each may have stopped.
 * @param {readonly (number | undefined)[]} counts
 * @param {string} text
 * @param {string} href
 * @param {"bad" | "warn" | "info"} kind
 */
function boundedItem(counts, text, href, kind) {
  const known = counts.map((many) => many ?? 0);
  const many = known.reduce((all, one) => all + one, 0);
  return item(many, text, href, kind, boundedSum(known));
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
function startingItems({ standings, chase, sent_today, without_success }, key, where) {
  const list = (/** @type {string} */ shown) => `#/day-one/${shown}/${encodeURIComponent(key)}`;
  const late = Object.entries(without_success).map(([org, days]) =>
    item(days, `days without a successful run, for ${org}${where}`, "#/", "bad"),
  );
  return [
    ...late,
    item(standings.not_invited, `start soon and are not invited${where}`, list("not_invited"), "warn"),
    item(
      standings.expires_before_start,
      `start soon, after their invitation expires${where}`,
      list("expires_before_start"),
      "warn",
    ),
    item(standings.expired, `start soon with an expired invitation${where}`, list("expired"), "warn"),
    boundedItem([chase], `invitations to chase${where}`, list("chase"), "warn"),
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
  const text = last.waits === "look" ? " wait for a first dry run: " : " wait for approval: ";
  return h("li", { class: "warn" }, h("a", { href: runHash(dag_id, last.run_id) }, many, text, dagName(dag_id)));
}

/**
 * @param {Dag} dag
 * @param {Overview} overview
 */
function card(dag, overview) {
  const ledger = overview.ledgers.filter((one) => one.problem === null).find((one) => one.key === dag.ledger);
  const unread = overview.ledgers.find((one) => one.key === dag.ledger && one.problem !== null && !one.empty);
  const found = ledger?.dags.find((one) => one.dag_id === dag.dag_id);
  const alone = overview.dags.filter((one) => one.ledger === dag.ledger).length === 1;
  return h(
    "article",
    { class: "card", "aria-label": dag.name },
    h("h3", {}, h("a", { href: dagHash(dag.dag_id) }, dag.name)),
    dag.paused && h("p", { class: "note" }, "Paused in Airflow."),
    !dag.active && h("p", { class: "note" }, "Airflow no longer finds its file."),
    h(
      "dl",
      {},
      fact("Organisation", unread ? UNKNOWN : quoted(found?.org_id)),
      found?.base_url && fact("At", quoted(found.base_url)),
      fact("Its connection, in the last run", unread ? UNKNOWN : connectionName(found?.allow_invitations)),
    ),
    found?.funnel ? funnel(dag, found.funnel) : h("p", { class: "faint" }, unread ? NOT_READ : noFunnel(found)),
    h("div", { class: "actions" }, dryRunButton(dag), retryFailedButton(dag)),
    alone && ledger && h("p", { class: "states" }, stateLinks(ledger)),
  );
}

/** @param {import("../api_types").DagFigures | undefined} found */
function noFunnel(found) {
  return found?.org_id ? "No invitations planned in the last runs." : "No run yet.";
}

/** @param {Ledger} ledger */
function stateLinks({ key, states }) {
  return Object.entries(states).map(([state, many]) => {
    const href = `#/invitations/${state}/${encodeURIComponent(key)}`;
    return [h("a", { href }, stateBadge(state), ` ${boundedNumber(many)}`), " "];
  });
}

/**
 * Follow the last run that had somebody to invite.
 * @param {Dag} dag
 * @param {import("../api_types").Funnel} counts
 */
function funnel(dag, counts) {
  const max = String(Math.max(counts.planned, 1));
  /** @type {[string, number, string][]} */
  const steps = [
    ["planned", counts.planned, exactNumber(counts.planned)],
    ["sent", counts.sent, boundedNumber(counts.sent)],
    ["accepted", counts.accepted, boundedNumber(counts.accepted)],
  ];
  return h(
    "div",
    { class: "funnel" },
    h("p", {}, "Last run with invitations: ", runLink(dag.dag_id, counts.run_id)),
    h(
      "ol",
      {},
      steps.map(([name, value, text]) =>
        h(
          "li",
          {},
          h("span", { class: "step" }, h("strong", {}, text), ` ${name}`),
          h("meter", { min: "0", max, value, "aria-label": `${text} ${name}` }),
        ),
      ),
    ),
  );
}
