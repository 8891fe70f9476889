/**
 * One run: its facts, what its invitations are now, and its plan.
 *
 * @module
 */

import { airflowRun, airflowTask, dagHash } from "./addresses.js";
import { airflowLink } from "./airflow_window.js";
import { organisation } from "./copied_values.js";
import { foreignDag } from "./dag_screen.js";
import { fact, fill, h, problem, prose, quoted, section } from "./elements.js";
import { boundedNumber, instant, runName } from "./formats.js";
import { connectionName, modeName, outcomeBadge, stateBadge } from "./glossary.js";
import { hashOf } from "./list_place.js";
import { planDiff } from "./plan_diff.js";
import { dagOf, followOverview, readOverview } from "./readable_dags.js";
import { get, RequestError } from "./requests.js";
import { isRunning, runStatus } from "./run_steps.js";

/** @typedef {import("../api_types").ReadableDag} Dag */
/** @typedef {import("../api_types").RunDetails} RunDetails */
/** @typedef {import("../api_types").RunProgress} RunProgress */

/** Milliseconds between two looks at a run that goes on. */
const EVERY = 3000;

/**
 * @param {string} dagId
 * @param {string} runId
 * @returns {Promise<import("./page.js").Screen>}
 */
export async function runScreen(dagId, runId) {
  let overview = await readOverview();
  if (!dagOf(dagId)) overview = await readOverview({ again: true });
  const dag = dagOf(dagId);
  if (!dag) return { ...foreignDag(dagId), live: followOverview(overview) };
  const key = { dag_id: dagId, run_id: runId };
  const [run, progress] = await Promise.all([unlessUnknown(get("run", key)), readProgress(key)]);
  const status = h("div", { id: "status" }, progress && runStatus(key, progress, run));
  const content = run ? runContent(dag, run, status) : notBegun(key, progress, status);
  return {
    title: run ? `Run ${runId}` : "Run",
    content: [way(dag), runHeading(runId, run), content],
    live: progress && !isRunning(progress) ? null : { every: EVERY, update: () => update(key, progress, run, status) },
  };
}

/**
 * Return a run's own id, and its name as in the links to it.
 * @param {string} runId
 * @param {RunDetails | null} run null: the ledger does not know it
 */
function runHeading(runId, run) {
  return [h("h1", {}, runId), run && h("p", { class: "faint" }, runName(run))];
}

/**
 * Return whether the newest plan waits for a person's approval.
 * @param {RunDetails} run
 */
function waits({ plans: [plan] }) {
  return Boolean(plan?.sendable && plan.needs_approval && !plan.approved_at && !plan.rejected_at);
}

/** @param {{ dag_id: string, run_id: string }} key */
function readProgress(key) {
  return unlessUnknown(get("run/progress", key));
}

/**
 * @template Answer
 * @param {Promise<Answer>} answer
 * @returns {Promise<Answer | null>} null: there is no such thing, or not yet
 */
async function unlessUnknown(answer) {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RequestError && error.status === 404) return null;
    throw error;
  }
}

/**
 * Look how far the run is now.
 * @param {{ dag_id: string, run_id: string }} key
 * @param {RunProgress | null} before
 * @param {RunDetails | null} run
 * @param {HTMLElement} status
 */
async function update(key, before, run, status) {
  const progress = await readProgress(key);
  if (!progress) return "same";
  if (stage(progress) !== stage(before)) return "anew";
  fill(status, runStatus(key, progress, run));
  return isRunning(progress) ? "same" : "ended";
}

/**
 * Return what, when it changes, changes more than the steps.
 * @param {RunProgress | null} progress
 */
function stage(progress) {
  const { airflow, ledger } = progress ?? {};
  return JSON.stringify([airflow?.state, Boolean(airflow?.question), ledger?.outcome, ledger?.plan_id, ledger?.sealed]);
}

/** @param {Dag} dag */
function way(dag) {
  const overview = h("a", { href: "#/" }, "Overview");
  return h("p", { class: "way" }, overview, " / ", h("a", { href: dagHash(dag.dag_id) }, dag.name), " / run");
}

/**
 * @param {{ dag_id: string, run_id: string }} key
 * @param {RunProgress | null} progress
 * @param {HTMLElement} status
 */
function notBegun({ dag_id, run_id }, progress, status) {
  const log = airflowLink(airflowTask(dag_id, run_id, "snapshot"), "log of snapshot");
  const open = h("p", {}, airflowLink(airflowRun(dag_id, run_id), "Open the run in Airflow"));
  if (progress?.airflow && !isRunning(progress)) {
    const text = "This run ended before it reached the ledger: nothing was planned, and nothing was sent. See the ";
    return [problem([text, log, "."]), status, open];
  }
  if (!progress) {
    const text = "Neither Airflow nor the ledger has a run of this name, or you may not see it. ";
    return [h("p", { class: "note" }, text, h("a", { href: dagHash(dag_id) }, "The runs of this DAG")), status];
  }
  const text = "This run is not in the ledger yet: its first task has not begun, or has not reached the ledger. ";
  return [h("p", { class: "note" }, text, "What follows is shown here by itself."), status, open];
}

/**
 * @param {Dag} dag
 * @param {RunDetails} run
 * @param {HTMLElement} status
 */
function runContent(dag, run, status) {
  const [plan] = run.plans;
  const states = Object.entries(run.states);
  return [
    run.outcome === "failed" && failed(run),
    status.hasChildNodes() ? status : taskLinks(run, Boolean(plan?.needs_approval)),
    h("p", { class: "links" }, airflowLink(airflowRun(run.dag_id, run.run_id), "DAG run")),
    h("dl", {}, facts(run)),
    states.length > 0 &&
      section(
        "states",
        "Its invitations now",
        h(
          "p",
          { class: "states" },
          states.map(([state, many]) => {
            const place = { ledger: dag.ledger, state, dag: run.dag_id, run: run.run_id };
            const href = hashOf("#/invitations", place);
            return [h("a", { href }, stateBadge(state), ` ${boundedNumber(many)}`), " "];
          }),
        ),
      ),
    plan
      ? planDiff(dag, run, plan)
      : h("p", { class: "note" }, run.finished_at ? "No plan was made." : "No plan was made yet."),
  ];
}

/**
 * Return why a run failed, at which step, and where its log is.
 * @param {RunDetails} run
 */
function failed({ dag_id, run_id, failure }) {
  if (!failure) return problem("This run failed, and did not record why: the log of each red task says it.");
  const { task_id, sentence } = failure;
  const log = airflowLink(airflowTask(dag_id, run_id, task_id), `log of ${task_id}`);
  return problem(["Failed at ", h("code", {}, task_id), ": ", prose(sentence), " See the ", log, "."]);
}

/**
 * @param {RunDetails} run
 * @param {boolean} withApproval
 */
function taskLinks({ dag_id, run_id }, withApproval) {
  const tasks = ["snapshot", "plan", ...(withApproval ? ["approve"] : []), "send", "report"];
  return h(
    "p",
    { class: "links" },
    tasks.map((task, place) => [place ? " · " : "", airflowLink(airflowTask(dag_id, run_id, task), `log of ${task}`)]),
  );
}

/** @param {RunDetails} run */
function facts(run) {
  return [
    fact("Outcome", outcomeBadge(run.outcome, waits(run))),
    fact("Mode", modeName(run)),
    fact("Started by", `${run.triggered_by ?? "the schedule"} (${run.run_type})`),
    fact("Began", instant(run.started_at)),
    fact("Ended", instant(run.finished_at)),
    fact("Interval", [instant(run.interval_start), " to ", instant(run.interval_end)]),
    fact("Window", [instant(run.window_start), " to ", instant(run.window_end)]),
    fact("Organisation", organisation(run.org_id)),
    run.base_url && fact("At", quoted(run.base_url)),
    run.allow_invitations !== null && fact("Connection", connectionName(run.allow_invitations)),
    run.only_employee && fact("Only employee", quoted(run.only_employee)),
    fact("Version, configuration", h("code", {}, `${run.package_version}, ${run.config_hash}`)),
  ];
}
