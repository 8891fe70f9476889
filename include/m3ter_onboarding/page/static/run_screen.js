/**
 * One run: its facts, what its invitations are now, and its plan.
 *
 * @module
 */

import { airflowRun, airflowTask, dagHash } from "./addresses.js";
import { airflowLink } from "./airflow_window.js";
import { foreignDag } from "./dag_screen.js";
import { button, fact, h, problem, prose, quoted, reload, section } from "./elements.js";
import { boundedNumber, instant } from "./formats.js";
import { connectionName, modeName, outcomeBadge, stateBadge } from "./glossary.js";
import { planDiff } from "./plan_diff.js";
import { dagOf, readOverview } from "./readable_dags.js";
import { get, RequestError } from "./requests.js";

/** @typedef {import("../api_types").ReadableDag} Dag */
/** @typedef {import("../api_types").RunDetails} RunDetails */

/**
 * @param {string} dagId
 * @param {string} runId
 * @returns {Promise<import("./page.js").Screen>}
 */
export async function runScreen(dagId, runId) {
  await readOverview();
  const dag = dagOf(dagId);
  if (!dag) return foreignDag(dagId);
  const run = await readRun(dagId, runId);
  return {
    title: run ? `Run ${runId}` : "Run",
    content: [way(dag), h("h1", {}, runId), run ? runContent(dag, run) : notBegun(dagId, runId)],
  };
}

/**
 * @param {string} dagId
 * @param {string} runId
 * @returns {Promise<RunDetails | null>} null: the ledger has no such run
 */
async function readRun(dagId, runId) {
  try {
    return await get("run", { dag_id: dagId, run_id: runId });
  } catch (error) {
    if (error instanceof RequestError && error.status === 404) return null;
    throw error;
  }
}

/** @param {Dag} dag */
function way(dag) {
  const overview = h("a", { href: "#/" }, "Overview");
  return h("p", { class: "way" }, overview, " / ", h("a", { href: dagHash(dag.dag_id) }, dag.name), " / run");
}

function reloadButton() {
  return h("div", { class: "actions" }, button("Load again", reload));
}

/**
 * @param {string} dagId
 * @param {string} runId
 */
function notBegun(dagId, runId) {
  const task = h("code", {}, "snapshot");
  return [
    h(
      "p",
      {},
      "This run is not in the ledger yet: its first task, ",
      task,
      ", has not begun, or failed before it reached the ledger. Then its log says why: ",
      airflowLink(airflowTask(dagId, runId, "snapshot"), "log of snapshot"),
      ".",
    ),
    reloadButton(),
    h("p", {}, airflowLink(airflowRun(dagId, runId), "Open the run in Airflow")),
  ];
}

/**
 * @param {Dag} dag
 * @param {RunDetails} run
 */
function runContent(dag, run) {
  const [plan] = run.plans;
  const states = Object.entries(run.states);
  return [
    run.outcome === "failed" && failed(run),
    taskLinks(run, Boolean(plan?.needs_approval)),
    h("dl", {}, facts(run)),
    run.outcome === "running" && reloadButton(),
    states.length > 0 &&
      section(
        "states",
        "Its invitations now",
        h(
          "p",
          { class: "states" },
          states.map(([state, many]) => [stateBadge(state), ` ${boundedNumber(many)} `]),
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
    airflowLink(airflowRun(dag_id, run_id), "DAG run"),
    tasks.map((task) => [" · ", airflowLink(airflowTask(dag_id, run_id, task), `log of ${task}`)]),
  );
}

/** @param {RunDetails} run */
function facts(run) {
  return [
    fact("Outcome", outcomeBadge(run.outcome)),
    fact("Mode", modeName(run.mode, run.run_type)),
    fact("Started by", `${run.triggered_by ?? "the schedule"} (${run.run_type})`),
    fact("Began", instant(run.started_at)),
    fact("Ended", instant(run.finished_at)),
    fact("Interval", [instant(run.interval_start), " to ", instant(run.interval_end)]),
    fact("Window", [instant(run.window_start), " to ", instant(run.window_end)]),
    fact("Organisation", quoted(run.org_id)),
    run.base_url && fact("At", quoted(run.base_url)),
    run.allow_invitations !== null && fact("Connection", connectionName(run.allow_invitations)),
    run.only_employee && fact("Only employee", quoted(run.only_employee)),
    fact("Version, configuration", h("code", {}, `${run.package_version}, ${run.config_hash}`)),
  ];
}
