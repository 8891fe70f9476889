/**
 * How far a run is: its five steps, the question that waits in it, and the progress of sending.
 *
 * @module
 */

import { airflowTask } from "./addresses.js";
import { airflowLink } from "./airflow_window.js";
import { badge, h, prose, quoted } from "./elements.js";
import { boundedNumber, counted, duration, exactNumber, instant } from "./formats.js";
import { stateName, stepStateName } from "./glossary.js";

/** @typedef {import("./elements.js").Child} Child */
/** @typedef {import("../api_types").RunDetails} RunDetails */
/** @typedef {import("../api_types").RunProgress} RunProgress */
/** @typedef {import("../api_types").RunInAirflow} RunInAirflow */
/** @typedef {import("../api_types").Step} Step */
/** @typedef {{ dag_id: string, run_id: string }} Key */

/** States of an invitation whose sending has come to an end, of whatever kind. */
const SETTLED = ["sent", "accepted", "adopted", "failed", "review", "expired", "superseded"];
const ENDED = ["success", "failed"];

/** @param {RunProgress} progress */
export function isRunning({ airflow, ledger }) {
  return airflow ? !ENDED.includes(airflow.state) : ledger?.outcome === "running";
}

/**
 * @param {Key} key
 * @param {RunProgress} progress
 * @param {RunDetails | null} run null: the ledger does not know it
 */
export function runStatus(key, progress, run) {
  const { airflow } = progress;
  if (!airflow) return null;
  return [
    h(
      "ol",
      { class: "strip", "aria-label": "Steps of the run" },
      airflow.steps.map((step) => stepItem(key, step, airflow, run)),
    ),
    approval(key, airflow),
    sending(progress),
  ];
}

/**
 * @param {Key} key
 * @param {Step} step
 * @param {RunInAirflow} airflow
 * @param {RunDetails | null} run
 */
function stepItem({ dag_id, run_id }, step, airflow, run) {
  const { task_id, state, started_at, ended_at, tries } = step;
  return h(
    "li",
    { class: `step-${state ?? "none"}` },
    h("p", {}, h("strong", {}, task_id), " ", badge(`step-${state ?? "none"}`, stepStateName(state))),
    started_at &&
      h("p", { class: "when" }, duration(started_at, ended_at ?? airflow.read_at), tries > 1 && `, try ${tries}`),
    h("p", {}, sentence(step, run)),
    state && h("p", {}, airflowLink(airflowTask(dag_id, run_id, task_id), `log of ${task_id}`)),
  );
}

/**
 * Return what a step did, or why not, in a sentence.
 * @param {Step} step
 * @param {RunDetails | null} run
 * @returns {Child}
 */
function sentence({ task_id, state }, run) {
  if (state === "failed") return failedSentence(task_id, run);
  if (state === "upstream_failed") return "Not begun: a step before it failed.";
  if (state === "up_for_retry") return "Failed, and is tried again by itself.";
  if (task_id === "approve") return approvalSentence(state, run);
  return run ? doneSentence(task_id, state, run) : "";
}

/**
 * @param {string} taskId
 * @param {RunDetails | null} run
 * @returns {Child}
 */
function failedSentence(taskId, run) {
  if (!run?.failure) return "Failed; its log says why.";
  if (run.failure.task_id === taskId) return prose(run.failure.sentence);
  return taskId === "report" ? `The run failed, at ${run.failure.task_id}.` : "Failed; its log says why.";
}

/**
 * @param {string} taskId
 * @param {string | null} state
 * @param {RunDetails} run
 */
function doneSentence(taskId, state, run) {
  const [plan] = run.plans;
  const done = state === "success";
  if (taskId === "plan" && done && plan?.state === "sealed") {
    return `${counted(plan.rows_read ?? 0, "row")}, ${exactNumber(plan.invitations)} to invite.`;
  }
  if (taskId === "send" && state === "skipped") return plan?.sendable === false ? "This run plans only." : "";
  if (taskId === "send" && done) return outcomes(run);
  return taskId === "report" && run.outcome !== "running" ? `The run is a ${run.outcome}.` : "";
}

/** @param {RunDetails} run */
function outcomes({ states }) {
  const said = Object.entries(states).map(([state, many]) => `${boundedNumber(many)} ${stateName(state)}`);
  return said.length ? `${said.join(", ")}.` : "Nobody.";
}

/**
 * @param {string | null} state
 * @param {RunDetails | null} run
 * @returns {Child}
 */
function approvalSentence(state, run) {
  const plan = run?.plans[0];
  if (state === "skipped") return "Nobody had to be asked.";
  if (plan?.approved_at) return ["Approved by ", quoted(plan.approved_by), "."];
  if (plan?.rejected_at) return plan.rejected_by ? ["Rejected by ", quoted(plan.rejected_by), "."] : "Nobody answered.";
  return state === "awaiting_input" || state === "deferred" ? "Waits for a person's answer." : "";
}

/**
 * Return the way to the question, and who may answer it.
 * @param {Key} key
 * @param {RunInAirflow} airflow
 */
function approval({ dag_id, run_id }, { question, started_by }) {
  if (!question) return null;
  const { subject, asked_at, approvers, not_the_starter } = question;
  const answer = airflowLink(`${airflowTask(dag_id, run_id, "approve")}/required_actions`, "Answer in Airflow");
  const who = approvers.length
    ? ["May approve: ", approvers.map((name, place) => [place ? ", " : "", quoted(name)]), "."]
    : "Any user may approve who may answer in Airflow.";
  return h(
    "div",
    { class: "note asked" },
    h("p", {}, h("strong", {}, subject), " It waits since ", instant(asked_at), ". ", answer),
    h("p", {}, who, not_the_starter && [" Not who started this run (", quoted(started_by), ")."]),
  );
}

/**
 * Return how many of the plan are sent, how fast, and how long the rest takes; nothing: it is not being sent now.
 * @param {RunProgress} progress
 */
function sending({ airflow, ledger }) {
  const send = airflow?.steps.find((step) => step.task_id === "send");
  if (!ledger?.invitations || !airflow || send?.state !== "running" || !send.started_at) return null;
  const { invitations, states } = ledger;
  const all = SETTLED.reduce((sum, state) => sum + (states[state] ?? 0), 0);
  const done = Math.min(all, invitations);
  const minutes = (Date.parse(airflow.read_at) - Date.parse(send.started_at)) / 60_000;
  const rate = minutes > 0 ? done / minutes : 0;
  const rest = rate > 0 ? `, about ${duration(0, ((invitations - done) / rate) * 60_000)} left` : "";
  const text = `${exactNumber(done)} of ${exactNumber(invitations)} done`;
  return h(
    "div",
    { class: "progress" },
    h("progress", { max: invitations, value: done, "aria-label": text }),
    h("p", {}, done ? `${text}, ${exactNumber(Math.round(rate))} a minute${rest}.` : `${text}.`),
  );
}
