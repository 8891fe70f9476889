/**
 * Addresses of the screens (hashes), and of Airflow's own pages (relative to Airflow).
 *
 * @module
 */

/**
 * @param {string} first
 * @param {...(string | number)} parts
 */
function join(first, ...parts) {
  return [first, ...parts.map(encodeURIComponent)].join("/");
}

/** @param {string} dagId */
export function dagHash(dagId) {
  return join("#/dag", dagId);
}

/**
 * @param {string} dagId
 * @param {string} runId
 */
export function runHash(dagId, runId) {
  return join("#/run", dagId, runId);
}

/**
 * The person of an invitation.
 * @param {string} ledger
 * @param {number} invitationId
 */
export function invitationHash(ledger, invitationId) {
  return join("#/person", ledger, invitationId);
}

/**
 * The person of a plan's row.
 * @param {string} ledger
 * @param {string} planId
 * @param {number} rowNo
 */
export function rowHash(ledger, planId, rowNo) {
  return join("#/row", ledger, planId, rowNo);
}

/** @param {string} dagId */
export function airflowDag(dagId) {
  return join("dags", dagId);
}

/**
 * @param {string} dagId
 * @param {string} runId
 */
export function airflowRun(dagId, runId) {
  return join(airflowDag(dagId), "runs", runId);
}

/**
 * @param {string} dagId
 * @param {string} runId
 * @param {string} taskId
 */
export function airflowTask(dagId, runId, taskId) {
  return join(airflowRun(dagId, runId), "tasks", taskId);
}
