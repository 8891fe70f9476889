/**
 * Buttons that start a run: by Airflow's API, for people who may, after a question.
 *
 * @module
 */

import { airflowRun, runHash } from "./addresses.js";
import { airflowLink } from "./airflow_window.js";
import { ask } from "./dialog.js";
import { announce, button, fill, h, messageOf, problem } from "./elements.js";
import { startRun } from "./requests.js";

/** @typedef {import("../api_types").ReadableDag} Dag */

/**
 * @param {Dag | null} dag
 * @param {{ mode: string, only_employee?: string }} conf
 * @param {string} label
 * @param {{ title: string, text: string }} question
 * @returns {HTMLElement | null} null: the user may not, or the DAG has no such mode
 */
function runButton(dag, conf, label, question) {
  if (!dag?.may_trigger || !dag.modes.includes(conf.mode)) return null;
  const text = [
    question.text,
    ...(dag.paused ? ["This DAG is paused: the run waits until somebody unpauses it."] : []),
  ];
  const result = h("div", { class: "result" });
  const start = button(label, async () => {
    if ((await ask({ title: question.title, text, yes: label })) === null) return;
    start.disabled = true;
    try {
      const run = await startRun(dag.dag_id, conf);
      announce("The run was started.");
      fill(result, started(dag.dag_id, run.dag_run_id));
    } catch (error) {
      fill(result, problem(messageOf(error)));
    } finally {
      start.disabled = false;
    }
  });
  return h("div", { class: "action" }, start, result);
}

/**
 * @param {string} dagId
 * @param {string} runId
 */
function started(dagId, runId) {
  return [
    h("p", { class: "done" }, "Started: ", airflowLink(airflowRun(dagId, runId), runId)),
    h("p", {}, h("a", { href: runHash(dagId, runId) }, "Its plan, here"), ", once it has begun."),
  ];
}

/** @param {Dag} dag */
export function dryRunButton(dag) {
  return runButton(dag, { mode: "dry_run" }, "Dry run now", {
    title: "Dry run now?",
    text: `${dag.dag_id} reads the warehouse and m3ter, and decides about everybody. Nothing is sent.`,
  });
}

/** @param {Dag} dag */
export function retryFailedButton(dag) {
  return runButton(dag, { mode: "retry_failed" }, "Retry failed", {
    title: "Retry those that failed?",
    text:
      `${dag.dag_id} sends again the invitations that m3ter refused. ` +
      "Each that is not refused this time is an e-mail.",
  });
}

/**
 * @param {Dag | null} dag
 * @param {string | null} employeeId
 */
export function inviteAgainButton(dag, employeeId) {
  if (!dag || !employeeId) return null;
  return runButton(dag, { mode: "retry_failed", only_employee: employeeId }, "Invite again", {
    title: "Invite this person again?",
    text: `${dag.dag_id} starts a run for employee ${employeeId} alone. Unless a rule forbids it, an e-mail is sent.`,
  });
}
