/**
 * What stops sending now, as banners: the pause switch, paused DAGs, connections that may not send, ledgers that are
 * away, days without a successful run, and why the last run that was to send failed (a plan above its limit, for
 * instance).
 *
 * @module
 */

import { airflowTask, dagHash, runHash } from "./addresses.js";
import { airflowLink } from "./airflow_window.js";
import { h, prose, quoted } from "./elements.js";
import { counted, exactNumber } from "./formats.js";
import { dagName, organisationName } from "./readable_dags.js";
import { runLink } from "./runs_table.js";

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
    const name = of ? h("a", { href: dagHash(of.dag_id) }, dagName(of.dag_id)) : quoted(organisationName(one));
    return h("li", { class: "bad" }, `${counted(days, "day")} without a successful run: `, name, ".");
  });
}

/**
 * Return why the last run of a DAG that was to send failed; null: it did not, or that is not known. A later dry run
 * changes nothing about it. Where no such run failed, why the newest of all did.
 * @param {Overview} overview
 * @param {Dag} dag
 */
function lastFailure(overview, { dag_id }) {
  const name = h("a", { href: dagHash(dag_id) }, dagName(dag_id));
  const early = overview.unrecorded.find((run) => run.dag_id === dag_id);
  if (early) {
    const run = h("a", { href: runHash(dag_id, early.run_id), title: early.run_id }, "The run");
    const log = airflowLink(airflowTask(dag_id, early.run_id, "snapshot"), "log of snapshot");
    const text = " failed before it reached the ledger. ";
    return h("li", { class: "bad" }, ["The last run of ", name, text], [run, ", ", log, "."]);
  }
  const { failed, last } = figuresOf(overview, dag_id) ?? {};
  const run = failed ?? (last?.outcome === "failed" ? last : null);
  if (!run) return null;
  // A later run of one person, or one that only looks, makes good for nobody else; but it is the last one.
  const overtaken = last && last.run_id !== run.run_id;
  const which = overtaken ? " that was to send" : "";
  const since = overtaken ? ", and none over everybody has sent since" : "";
  const link = ["Run: ", runLink(dag_id, run)];
  const left = failed ? notSent(failed) : "";
  if (!run.failure) {
    return h("li", { class: "bad" }, ["The last run of ", name, `${which} failed${since}. `, left], [link, "."]);
  }
  const { task_id, sentence } = run.failure;
  const log = airflowLink(airflowTask(dag_id, run.run_id, task_id), `log of ${task_id}`);
  return h(
    "li",
    { class: "bad" },
    ["The last run of ", name, `${which} failed at `, h("code", {}, task_id), `${since}: `],
    [left, prose(sentence), " ", link, ", ", log, "."],
  );
}

/** @param {import("../api_types").FailedSending} failed */
function notSent({ planned, not_sent }) {
  if (!planned || !not_sent) return "";
  return `${exactNumber(not_sent)} of ${exactNumber(planned)} ${not_sent === 1 ? "is" : "are"} not invited. `;
}

/**
 * Return the figures of a DAG; null: its ledger cannot be read.
 * @param {Overview} overview
 * @param {string} dagId
 */
function figuresOf(overview, dagId) {
  const figures = overview.ledgers.flatMap((ledger) => (ledger.problem === null ? ledger.dags : []));
  return figures.find((one) => one.dag_id === dagId) ?? null;
}
