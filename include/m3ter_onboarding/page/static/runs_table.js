/**
 * Runs as a table, and the link to one.
 *
 * @module
 */

import { dagHash, runHash } from "./addresses.js";
import { h, table } from "./elements.js";
import { exactNumber, instant } from "./formats.js";
import { modeName, outcomeBadge } from "./glossary.js";
import { dagName } from "./readable_dags.js";

/** @typedef {import("../api_types").RunSummary} Run */

const EMPTY = "No run in the ledger yet. One that failed before it reached the ledger is in Airflow alone.";

/**
 * @param {string} dagId
 * @param {string} runId
 */
export function runLink(dagId, runId) {
  return h("a", { href: runHash(dagId, runId) }, runId);
}

/** @param {readonly Run[]} runs */
export function runsTable(runs) {
  return table(
    "Runs, the newest first",
    ["Run", "DAG", "Began", "Mode", "Rows", "To invite", "Outcome"],
    runs.map((run) => [
      runLink(run.dag_id, run.run_id),
      h("a", { href: dagHash(run.dag_id) }, dagName(run.dag_id)),
      instant(run.started_at),
      modeName(run),
      run.plan ? exactNumber(run.plan.rows_read) : "–",
      run.plan ? exactNumber(run.plan.invitations) : "–",
      outcomeBadge(run.outcome),
    ]),
    { empty: EMPTY, unseen: true },
  );
}
