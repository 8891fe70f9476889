/**
 * The organisations on the overview: a card each, or one table that can be searched where there are many.
 *
 * @module
 */

import { dagHash } from "./addresses.js";
import { organisation } from "./copied_values.js";
import { announce, badge, button, fact, fill, h, quoted, table } from "./elements.js";
import { boundedNumber, exactNumber } from "./formats.js";
import { connectionName, outcomeBadge, stateBadge } from "./glossary.js";
import { organisationName } from "./readable_dags.js";
import { dryRunButton, retryFailedButton } from "./run_buttons.js";
import { runLink } from "./runs_table.js";

/** @typedef {import("../api_types").ReadableDag} Dag */
/** @typedef {import("../api_types").DagFigures} Figures */
/** @typedef {import("../api_types").ReadableLedger} Ledger */
/** @typedef {import("../api_types").Overview} Overview */
/** @typedef {{ dag: Dag, figures: Figures | undefined, unread: boolean }} Known */

/** Rows of the table at once. */
const ROWS = 25;
const UNKNOWN = "unknown";
const NOT_READ = "Unknown: the ledger of this DAG cannot be read now.";
const HEADS = [
  "DAG",
  "Organisation",
  "Now",
  "Last run",
  "Invitations of the last run that had some",
  "Refused, unsent",
];

/** What the table is searched for: kept while the page is open. */
let searched = "";

/** @param {Overview} overview */
export function organisations(overview) {
  const figures = new Map(
    overview.ledgers.flatMap((ledger) => (ledger.problem === null ? ledger.dags.map((one) => [one.dag_id, one]) : [])),
  );
  const unread = new Set(
    overview.ledgers.flatMap((ledger) => (ledger.problem !== null && !ledger.empty ? [ledger.key] : [])),
  );
  const known = overview.dags.map((dag) => ({
    dag,
    figures: figures.get(dag.dag_id),
    unread: unread.has(dag.ledger),
  }));
  if (!overview.cards) return dagTable(known);
  return h(
    "div",
    { class: "cards" },
    known.map((one) => card(one, overview)),
  );
}

/**
 * How soon somebody should look: the smaller, the sooner.
 * @param {Known} known
 */
function urgency({ dag, figures, unread }) {
  if (unread) return 0;
  if (figures?.failed || figures?.last?.outcome === "failed") return 1;
  if (figures?.last?.waits) return 2;
  if (dag.stopped !== false || figures?.allow_invitations === false) return 3;
  if (Object.keys(figures?.left ?? {}).length) return 4;
  if (dag.paused || !dag.active) return 5;
  return figures?.last ? 7 : 6;
}

/** @param {readonly Known[]} known */
function dagTable(known) {
  const sorted = [...known].sort((a, b) => urgency(a) - urgency(b) || (a.dag.name < b.dag.name ? -1 : 1));
  const place = h("div", {});
  const input = h("input", { id: "search-dags", type: "search", maxlength: "250", autocomplete: "off" });
  input.value = searched;
  let many = ROWS;
  const show = () => {
    const wanted = searched.trim().toLowerCase();
    const found = sorted.filter(({ dag, figures }) =>
      textsOf(dag, figures?.org_id).some((text) => text.toLowerCase().includes(wanted)),
    );
    const rest = found.length - many;
    const more = button(`Show ${exactNumber(Math.min(rest, 100))} more`, () => {
      many += 100;
      show();
    });
    fill(
      place,
      h("p", { class: "faint" }, `DAGs found: ${exactNumber(found.length)}. Those that need attention come first.`),
      table("DAGs", HEADS, found.slice(0, many).map(rowOf), { empty: "No DAG matches.", unseen: true }),
      rest > 0 && h("div", { class: "actions" }, more),
    );
    announce(`DAGs found: ${found.length}.`);
  };
  input.addEventListener("input", () => {
    searched = input.value;
    show();
  });
  show();
  const label = h("label", { for: "search-dags" }, "Part of a DAG's name, or of an organisation's name or id");
  return [h("div", { class: "filters" }, h("div", { class: "field grow" }, label, input)), place];
}

/**
 * Return what a DAG is found by.
 * @param {Dag} dag
 * @param {string | null | undefined} orgId
 */
function textsOf(dag, orgId) {
  return [dag.name, dag.dag_id, dag.config_name, ...(orgId ? [orgId, organisationName(orgId)] : [])];
}

/** @param {Known} known */
function rowOf({ dag, figures, unread }) {
  const last = figures?.last;
  const left = figures?.left ?? {};
  const none = unread ? UNKNOWN : "no run yet";
  return [
    [h("a", { href: dagHash(dag.dag_id) }, dag.name), h("div", { class: "faint" }, dag.config_name)],
    unread ? UNKNOWN : organisation(figures?.org_id),
    now(dag, figures, unread),
    [last && [outcomeBadge(last.outcome), " ", runLink(dag.dag_id, last)], !last && none],
    figures?.funnel ? steps(figures.funnel).map(([name, , text], place) => `${place ? ", " : ""}${text} ${name}`) : "",
    unread ? UNKNOWN : `${boundedNumber(left.failed ?? 0)}, ${boundedNumber(left.unsent ?? 0)}`,
  ];
}

/**
 * @param {Dag} dag
 * @param {Figures | undefined} figures
 * @param {boolean} unread
 */
function now(dag, figures, unread) {
  const words = [
    unread && badge("outcome-failed", "ledger away"),
    dag.stopped && badge("outcome-failed", "stopped"),
    dag.paused && badge("state-unsent", "paused"),
    !dag.active && badge("state-unsent", "file gone"),
    figures?.allow_invitations === false && badge("state-unsent", "may not send"),
    figures?.last?.waits === "look" && badge("state-unsent", "waits for a dry run"),
    figures?.last?.waits === "approval" && badge("state-unsent", "waits for approval"),
  ].filter(Boolean);
  return words.map((word) => [word, " "]);
}

/**
 * @param {Known} known
 * @param {Overview} overview
 */
function card({ dag, figures, unread }, overview) {
  const ledger = overview.ledgers.filter((one) => one.problem === null).find((one) => one.key === dag.ledger);
  const alone = overview.dags.filter((one) => one.ledger === dag.ledger).length === 1;
  return h(
    "article",
    { class: "card", "aria-label": `${dag.config_name}, ${dag.name}` },
    h("h3", {}, h("a", { href: dagHash(dag.dag_id) }, dag.config_name)),
    dag.paused && h("p", { class: "note" }, "Paused in Airflow."),
    !dag.active && h("p", { class: "note" }, "Airflow no longer finds its file."),
    h(
      "dl",
      {},
      fact("DAG", h("a", { href: dagHash(dag.dag_id), title: dag.dag_id }, dag.name)),
      fact("Ledger", overview.ledgers.find((one) => one.key === dag.ledger)?.name),
      fact("Organisation", unread ? UNKNOWN : organisation(figures?.org_id)),
      figures?.base_url && fact("At", quoted(figures.base_url)),
      fact("Its connection, in the last run", unread ? UNKNOWN : connectionName(figures?.allow_invitations)),
    ),
    figures?.funnel ? funnel(dag, figures.funnel) : h("p", { class: "faint" }, unread ? NOT_READ : noFunnel(figures)),
    h("div", { class: "actions" }, dryRunButton(dag), retryFailedButton(dag)),
    alone &&
      ledger &&
      h(
        "p",
        { class: "states" },
        "All invitations, now: ",
        Object.keys(ledger.states).length ? stateLinks(ledger) : "none",
      ),
  );
}

/** @param {Figures | undefined} found */
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
 * @param {import("../api_types").Funnel} counts
 * @returns {[string, number, string][]}
 */
function steps(counts) {
  return [
    ["planned", counts.planned, exactNumber(counts.planned)],
    ["sent", counts.sent, boundedNumber(counts.sent)],
    ["accepted", counts.accepted, boundedNumber(counts.accepted)],
  ];
}

/**
 * Follow the last run over everybody that had somebody to invite.
 * @param {Dag} dag
 * @param {import("../api_types").Funnel} counts
 */
function funnel(dag, counts) {
  const max = String(Math.max(counts.planned, 1));
  return h(
    "div",
    { class: "funnel" },
    h(
      "p",
      {},
      "In the last run for everybody that had somebody to invite",
      counts.run && [" (", runLink(dag.dag_id, counts.run), ")"],
      ":",
    ),
    h(
      "ol",
      {},
      steps(counts).map(([name, value, text]) =>
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
