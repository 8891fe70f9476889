/**
 * The DAGs and ledgers that this user may read: every screen needs them.
 *
 * @module
 */

import { h, problem } from "./elements.js";
import { setGlossary } from "./glossary.js";
import { get } from "./requests.js";

/** @typedef {import("../api_types").Overview} Overview */
/** @typedef {import("../api_types").ReadableDag} Dag */

/** @type {Overview | null} */
let kept = null;
/** @type {Promise<Overview> | null} */
let pending = null;

/**
 * Return the overview, read once; several callers at once share one request.
 * @param {{ again?: boolean }} [options] whether it is read again
 * @returns {Promise<Overview>}
 */
export async function readOverview({ again = false } = {}) {
  if (kept && !again) return kept;
  pending ??= get("overview");
  try {
    kept = await pending;
  } finally {
    pending = null;
  }
  setGlossary(kept.words);
  return kept;
}

/** Milliseconds between two looks while a run goes on, and while none does. */
const EVERY = { running: 5000, quiet: 30_000 };

/**
 * Return how a screen follows what the overview says.
 * @param {Overview} shown
 * @param {number} [every] milliseconds; undefined: more often while a run goes on
 * @returns {import("./live.js").Live}
 */
export function followOverview(shown, every) {
  const before = JSON.stringify(shown);
  const runs = shown.ledgers.flatMap((ledger) => (ledger.problem === null ? ledger.runs : []));
  const running = runs.some((run) => run.outcome === "running");
  return {
    every: every ?? (running ? EVERY.running : EVERY.quiet),
    update: async () => (JSON.stringify(await readOverview({ again: true })) === before ? "same" : "anew"),
  };
}

/**
 * @param {string} dagId
 * @returns {Dag | null} null: it is no onboarding DAG, or not readable
 */
export function dagOf(dagId) {
  return kept?.dags.find((dag) => dag.dag_id === dagId) ?? null;
}

/**
 * @param {string} ledger
 * @returns {Dag[]} those that keep a ledger
 */
export function dagsOf(ledger) {
  return (kept?.dags ?? []).filter((dag) => dag.ledger === ledger);
}

/**
 * @param {string} key
 * @returns {import("../api_types").ReadableLedger | null} null: it cannot be read, or is not known
 */
export function readableLedger(key) {
  const found = kept?.ledgers.find((one) => one.key === key);
  return found?.problem === null ? found : null;
}

/**
 * Return an organisation's own name; where it is not known, its id.
 * @param {string} orgId
 */
export function organisationName(orgId) {
  const [name] = (kept?.ledgers ?? []).flatMap((one) => (one.problem === null && one.organisation_names[orgId]) || []);
  return name ?? orgId;
}

/**
 * @param {string} dagId
 */
export function dagName(dagId) {
  return dagOf(dagId)?.name ?? dagId;
}

/**
 * Return the DAG that acts for a person; where no DAG invited them, the only one of their ledger.
 * @param {string} ledger
 * @param {string | null} dagId
 * @returns {Dag | null} null: there is none, or more than one
 */
export function actingDag(ledger, dagId) {
  if (dagId) return dagOf(dagId);
  const dags = dagsOf(ledger);
  return dags.length === 1 ? (dags[0] ?? null) : null;
}

/**
 * Return why a ledger is not shown.
 * @param {Overview["ledgers"][number]} ledger
 * @returns {HTMLElement | null} null: it is shown
 */
export function ledgerProblem(ledger) {
  if (ledger.problem === null) return null;
  return ledger.empty ? h("p", { class: "note" }, ledger.problem) : problem(ledger.problem);
}

/**
 * Return the text in place of a list where no ledger can be shown.
 * @param {Overview["ledgers"]} ledgers
 */
export function nothingToRead(ledgers) {
  const away = ledgers.some((ledger) => ledger.problem !== null && !ledger.empty);
  return h("p", {}, away ? "Unknown: no ledger can be read now." : "No run yet.");
}
