/**
 * Runs as a table, and the link to one.
 *
 * @module
 */

import { dagHash, runHash } from "./addresses.js";
import { h, table } from "./elements.js";
import { boundedNumber, exactNumber, runName } from "./formats.js";
import { modeName, outcomeBadge } from "./glossary.js";
import { dagName } from "./readable_dags.js";

/** @typedef {import("../api_types").RunSummary} Run */

const EMPTY = "No run in the ledger yet. One that failed before it reached the ledger is in Airflow alone.";

/**
 * @param {string} dagId
 * @param {{ run_id: string, run_type: string, started_at: string }} run
 */
export function runLink(dagId, run) {
  return h("a", { href: runHash(dagId, run.run_id), title: run.run_id }, runName(run));
}

/**
 * Sort runs by the instant at which they began, the newest first.
 * @template {{ run_id: string, started_at: string }} R
 * @param {readonly R[]} runs
 */
export function newestFirst(runs) {
  const began = (/** @type {R} */ run) => new Date(run.started_at).getTime();
  return [...runs].sort((a, b) => began(b) - began(a) || (a.run_id < b.run_id ? 1 : -1));
}

/** @param {readonly Run[]} runs */
export function runsTable(runs) {
  return table(
    "Runs, the newest first",
    ["Run", "DAG", "Mode", "Rows", "To invite", "Sent", "Outcome"],
    newestFirst(runs).map((run) => [
      runLink(run.dag_id, run),
      h("a", { href: dagHash(run.dag_id) }, dagName(run.dag_id)),
      modeName(run),
      run.plan ? exactNumber(run.plan.rows_read) : "–",
      run.plan ? exactNumber(run.plan.invitations) : "–",
      boundedNumber(run.sent),
      outcomeBadge(run.outcome, Boolean(run.plan?.waits)),
    ]),
    { empty: EMPTY, unseen: true },
  );
}
