/**
 * What stops sending now, as banners: the pause switch, paused DAGs, connections that may not send, ledgers that are
 * away, days without a successful run, and why the last run failed (a plan above its limit, for instance).
 *
 * @module
 */

import { airflowTask, dagHash, runHash } from "./addresses.js";
import { airflowLink } from "./airflow_window.js";
import { h, prose, quoted } from "./elements.js";
import { exactNumber } from "./formats.js";
import { dagName } from "./readable_dags.js";

/** @typedef {import("./elements.js").Child} Child */
/** @typedef {import("../api_types").Overview} Overview */
/** @typedef {import("../api_types").ReadableDag} Dag */

/** So many DAGs are named; of further ones only the number is given. */
const NAMED = 10;

/**
 * @param {Overview} overview
 * @param {string} [only] of this DAG alone
 */
export function sendingStops(overview, only) {
  const dags = overview.dags.filter((dag) => !only || dag.dag_id === only);
  const figures = new Map(
    overview.ledgers.flatMap((ledger) => (ledger.problem === null ? ledger.dags.map((one) => [one.dag_id, one]) : [])),
  );
  const banners = [
    banner(
      "bad",
      dags.filter((dag) => dag.stopped),
      ["stopped by the Airflow variable ", h("code", {}, overview.pause_variable), ": nothing is sent"],
    ),
    banner(
      "bad",
      dags.filter((dag) => dag.stopped === null),
      ["unknown whether ", h("code", {}, overview.pause_variable), " stops it: the variable cannot be read now"],
    ),
    banner(
      "warn",
      dags.filter((dag) => dag.active && dag.paused),
      "paused in Airflow: no run begins by itself",
    ),
    banner(
      "warn",
      dags.filter((dag) => figures.get(dag.dag_id)?.allow_invitations === false),
      ["its m3ter connection may not send (", h("code", {}, "allow_invitations"), ")"],
    ),
    ...overview.ledgers.map((ledger) => awayBanner(ledger, dags)),
    ...overview.ledgers.flatMap((ledger) => withoutSuccess(ledger, only && figures.get(only)?.org_id)),
    ...dags.map((dag) => lastFailure(overview, dag)),
  ].filter((one) => one !== null);
  return banners.length > 0 && h("ul", { class: "banners", "aria-label": "What stops sending" }, banners);
}

/**
 * @param {"bad" | "warn"} kind
 * @param {readonly Dag[]} dags
 * @param {Child} why
 */
function banner(kind, dags, why) {
  if (!dags.length) return null;
  const rest = dags.length - NAMED;
  return h(
    "li",
    { class: kind },
    dags
      .slice(0, NAMED)
      .map((dag, place) => [place ? ", " : "", h("a", { href: dagHash(dag.dag_id) }, dagName(dag.dag_id))]),
    rest > 0 && ` and ${exactNumber(rest)} more`,
    ": ",
    why,
    ".",
  );
}

/**
 * @param {Overview["ledgers"][number]} ledger
 * @param {readonly Dag[]} all
 */
function awayBanner(ledger, all) {
  if (ledger.problem === null || ledger.empty) return null;
  const dags = all.filter((dag) => dag.ledger === ledger.key);
  return banner("bad", dags, "its ledger cannot be read now, and nothing is sent without it");
}

/**
 * @param {Overview["ledgers"][number]} ledger
 * @param {string | null | undefined} org only this organisation; undefined: all
 */
function withoutSuccess(ledger, org) {
  if (ledger.problem !== null) return [];
  const late = Object.entries(ledger.starting.without_success).filter(([one]) => org === undefined || one === org);
  return late.slice(0, NAMED).map(([one, days]) => {
    const of = ledger.dags.find((dag) => dag.org_id === one);
    const name = of ? h("a", { href: dagHash(of.dag_id) }, dagName(of.dag_id)) : quoted(one);
    return h("li", { class: "bad" }, `${exactNumber(days)} days without a successful run: `, name, ".");
  });
}

/**
 * Return why a DAG's last run failed; null: it did not, or that is not known.
 * @param {Overview} overview
 * @param {Dag} dag
 */
function lastFailure(overview, { dag_id }) {
  const early = overview.unrecorded.find((run) => run.dag_id === dag_id);
  if (early) {
    return h(
      "li",
      { class: "bad" },
      "The last run of ",
      h("a", { href: runHash(dag_id, early.run_id) }, dagName(dag_id)),
      " failed before it reached the ledger. See the ",
      airflowLink(airflowTask(dag_id, early.run_id, "snapshot"), "log of snapshot"),
      ".",
    );
  }
  const run = lastRunOf(overview, dag_id);
  if (run?.outcome !== "failed") return null;
  const link = h("a", { href: runHash(dag_id, run.run_id) }, dagName(dag_id));
  if (!run.failure) return h("li", { class: "bad" }, "The last run of ", link, " failed.");
  const { task_id, sentence } = run.failure;
  const log = airflowLink(airflowTask(dag_id, run.run_id, task_id), `Log of ${task_id}`);
  return h(
    "li",
    { class: "bad" },
    ["The last run of ", link, " failed at ", h("code", {}, task_id), ": "],
    [prose(sentence), " ", log, "."],
  );
}

/**
 * Return the newest run of a DAG; null: it never ran, or its ledger cannot be read.
 * @param {Overview} overview
 * @param {string} dagId
 */
function lastRunOf(overview, dagId) {
  const figures = overview.ledgers.flatMap((ledger) => (ledger.problem === null ? ledger.dags : []));
  return figures.find((one) => one.dag_id === dagId)?.last ?? null;
}
