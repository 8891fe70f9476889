/**
 * The runs of one DAG.
 *
 * @module
 */

import { airflowDag } from "./addresses.js";
import { airflowLink } from "./airflow_window.js";
import { organisation } from "./copied_values.js";
import { announce, button, fill, h, section } from "./elements.js";
import { dagOf, followOverview, readOverview } from "./readable_dags.js";
import { get } from "./requests.js";
import { dryRunButton, retryFailedButton } from "./run_buttons.js";
import { runsTable } from "./runs_table.js";
import { sendingStops } from "./sending_stops.js";

/** Milliseconds until it is asked whether Airflow knows the DAG by now. */
const NEW_DAG = 10_000;

/**
 * @param {string} dagId
 * @returns {Promise<import("./page.js").Screen>}
 */
export async function dagScreen(dagId) {
  const overview = await readOverview({ again: true });
  const dag = dagOf(dagId);
  if (!dag) return { ...foreignDag(dagId), live: followOverview(overview, NEW_DAG) };
  const list = h("div", {});
  await loadRuns(list, dagId);
  const figures = overview.ledgers.flatMap((ledger) => (ledger.problem === null ? ledger.dags : []));
  const orgId = figures.find((one) => one.dag_id === dagId)?.org_id;
  return {
    title: dag.name,
    content: [
      h("p", { class: "way" }, h("a", { href: "#/" }, "Overview"), " / DAG"),
      h("h1", {}, dag.name),
      orgId && h("p", {}, "Configuration ", h("strong", {}, dag.config_name), ", organisation ", organisation(orgId)),
      sendingStops(overview, dagId),
      h("p", {}, airflowLink(airflowDag(dagId), "Open the DAG in Airflow")),
      h("div", { class: "actions" }, dryRunButton(dag), retryFailedButton(dag)),
      section("runs", "Runs", list),
    ],
    live: followOverview(overview),
  };
}

/**
 * @param {HTMLElement} list
 * @param {string} dagId
 * @param {string} [before] an instant: of the runs that began before it
 */
async function loadRuns(list, dagId, before) {
  const page = await get("runs", before ? { dag_id: dagId, before } : { dag_id: dagId });
  const oldest = page.rows.at(-1);
  const older = page.more && oldest && button("Older runs", () => loadRuns(list, dagId, oldest.started_at));
  fill(list, runsTable(page.rows), older && h("div", { class: "actions" }, older));
  announce("Runs shown.");
}

/**
 * Return what the tab of another DAG shows: Airflow has the tab at every DAG.
 * @param {string} dagId
 * @returns {import("./page.js").Screen}
 */
export function foreignDag(dagId) {
  const why = " is no onboarding DAG, or you may not read it. There is nothing to see here.";
  return {
    title: "No onboarding DAG",
    content: [
      h("h1", {}, "m3ter onboarding"),
      h("p", {}, "The DAG ", h("code", {}, dagId), why),
      h("p", {}, h("a", { href: "#/" }, "Overview of the onboarding DAGs")),
    ],
  };
}
