/**
 * Buttons that start a run: by Airflow's API, for people who may, after a question.
 *
 * @module
 */

import { airflowRun, runHash } from "./addresses.js";
import { airflowLink } from "./airflow_window.js";
import { ask } from "./dialog.js";
import { button, fill, h, messageOf, problem } from "./elements.js";
import { boundedNumber, exactNumber, timeOfNow } from "./formats.js";
import { readOverview } from "./readable_dags.js";
import { post, startRun } from "./requests.js";
import { toast } from "./toasts.js";

/** @typedef {import("../api_types").ReadableDag} Dag */
/**
 * What was started from here for one person, by DAG and parameters: a list that is read anew still says so.
 * @type {Map<string, Begun>}
 */
const begun = new Map();
/** How many people a question names of each kind. */
const NAMED = 10;

/** @typedef {{ title: string, text: string[] }} Question */
/** @typedef {{ runId: string, at: string, once: boolean }} Begun once: the button starts no other */
/** @typedef {Record<string, string | number> & { mode: string }} Conf the parameters of a run */

/**
 * @param {Dag | null} dag
 * @param {Conf} conf
 * @param {string} label
 * @param {() => Question | Promise<Question>} question asked for at the click, with the figures of that moment
 * @param {{ danger?: boolean, looks?: boolean }} [how] danger: e-mails follow; looks: the button shows it, too
 * @returns {HTMLElement | null} null: the user may not, or the DAG has no such mode
 */
function runButton(dag, conf, label, question, { danger = false, looks = danger } = {}) {
  if (!dag?.may_trigger || dag.lacks.includes(conf.mode)) return null;
  const paused = dag.paused ? ["This DAG is paused: the run waits until somebody unpauses it."] : [];
  const key = JSON.stringify([dag.dag_id, conf]);
  const result = h("div", { class: "result" }, started(dag.dag_id, begun.get(key)));
  const askAndStart = async () => {
    try {
      const { title, text } = await question();
      if ((await ask({ title, text: [...text, ...paused], yes: label, danger })) === null) return "";
      const run = await startRun(dag.dag_id, conf);
      const whose = typeof conf.only_employee === "string" ? ` for ${conf.only_employee}` : "";
      const now = { runId: run.dag_run_id, at: timeOfNow(), once: whose !== "" };
      toast(
        `The run${whose} was started at ${now.at}.`,
        h("a", { href: runHash(dag.dag_id, run.dag_run_id) }, "Follow it"),
      );
      if (whose) begun.set(key, now);
      fill(result, started(dag.dag_id, now));
      return now.once ? "once" : "";
    } catch (error) {
      fill(result, problem(messageOf(error)));
      return "";
    }
  };
  const once = { "aria-disabled": begun.has(key) ? "true" : null };
  return h("div", { class: "action" }, button(label, askAndStart, { class: looks ? "danger" : null, ...once }), result);
}

/**
 * @param {string} dagId
 * @param {Begun | undefined} run undefined: nothing was started
 */
function started(dagId, run) {
  if (!run) return [];
  const { runId, at, once } = run;
  return [
    h("p", { class: "done" }, "Started: ", airflowLink(airflowRun(dagId, runId), runId), `, at ${at}.`),
    h("p", {}, h("a", { href: runHash(dagId, runId) }, "Its plan, here"), ", once it has begun."),
    once && h("p", { class: "faint" }, "To start another, load the page again."),
  ];
}

/** @param {Dag} dag */
export function dryRunButton(dag) {
  return runButton(dag, { mode: "dry_run" }, "Dry run now", () => ({
    title: "Dry run now?",
    text: [`${dag.dag_id} reads the warehouse and m3ter, and decides about everybody. Nothing is sent.`],
  }));
}

/**
 * Return whether a run was refused as a whole, for more invitations than the configured limit.
 * @param {import("../api_types").RunDetails} run
 * @param {import("../api_types").PlanHead} plan
 */
function wasTooMany({ outcome, failure, states }, { sendable }) {
  const before = failure?.task_id === "approve" || failure?.task_id === "send";
  const limit = before && failure.sentence.includes("max_invitations");
  return outcome === "failed" && sendable && limit && !Object.keys(states).length;
}

/**
 * Return the button that sends what a dry run has shown, and nothing else; or why that would do nothing any more.
 * @param {Dag} dag
 * @param {import("../api_types").RunDetails} run
 * @param {import("../api_types").PlanHead} plan
 */
export function sendExactlyButton(dag, run, plan) {
  const looked = run.mode === "dry_run" || wasTooMany(run, plan);
  if (!looked || plan.state !== "sealed" || !plan.invitations || !plan.fingerprint) return null;
  if (run.newer) return dag.may_trigger ? outOfDate(dag, run.newer) : null;
  const conf = {
    mode: "normal",
    only_plan: plan.fingerprint,
    // The configured limit holds for what nobody has looked at; for more than it, a person is asked.
    max_invitations: plan.invitations,
    interval_start: run.interval_start,
    interval_end: run.interval_end,
    ...(run.only_employee ? { only_employee: run.only_employee } : {}),
  };
  const many = exactNumber(plan.invitations);
  const question = () => ({
    title: `Send exactly these ${many} invitations?`,
    text: [
      `${dag.dag_id} starts a run with this plan: up to ${many} e-mails to real people, which cannot be recalled.`,
      "It reads the warehouse and m3ter again. If that comes to any other plan, nothing is sent, and its page shows " +
        "what changed since you looked.",
      plan.needs_approval
        ? "A person has to approve it first."
        : "If that is more than the configured max_invitations, a person has to approve it first.",
    ],
  });
  return runButton(dag, conf, "Send exactly this", question, { danger: true });
}

/**
 * @param {Dag} dag
 * @param {import("../api_types").NewerPlan} newer
 */
function outOfDate({ dag_id }, { run_id, sent }) {
  const newer = h("a", { href: runHash(dag_id, run_id) }, run_id);
  if (sent)
    return h("p", { class: "note" }, "This plan is not sent again: see the newer run ", newer, ", which sent it.");
  return h("p", { class: "note" }, "This plan is out of date: see the newer run ", newer, ", which has another plan.");
}

/** @param {Dag} dag */
export function retryFailedButton(dag) {
  return runButton(
    dag,
    { mode: "retry_failed" },
    "Retry failed",
    async () => ({
      title: "Start a run that also retries those refused?",
      text: [
        `${dag.dag_id} makes an ordinary run, which also tries again the invitations that m3ter refused. ` +
          "Each that is not refused this time is an e-mail.",
        ...(await left(dag)),
        ...(await refusedPlan(dag)),
        "It reads the warehouse, too, and invites everybody else who is due: how many are new is known once it " +
          "has planned. To see that first, start a dry run. The limits and the approval of an ordinary run hold.",
      ],
    }),
    { danger: true, looks: false },
  );
}

/**
 * Return the people that a run finds refused or unsent: how many, and the first of them by address.
 * @param {Dag} dag
 * @returns {Promise<string[]>}
 */
async function left(dag) {
  const overview = await readOverview({ again: true });
  const ledger = overview.ledgers.find((one) => one.key === dag.ledger);
  if (!ledger || ledger.problem !== null) {
    return ["How many were refused or left unsent is unknown: the ledger cannot be read."];
  }
  const found = ledger.dags.find((one) => one.dag_id === dag.dag_id);
  return Promise.all([
    named(dag, "failed", "Refused by m3ter", found?.left.failed ?? 0),
    named(dag, "unsent", "Planned by earlier runs and not sent, which every run tries", found?.left.unsent ?? 0),
  ]);
}

/**
 * Say how many the last run had to invite and sent nothing to: they are no invitations yet.
 * @param {Dag} dag
 * @returns {Promise<string[]>}
 */
async function refusedPlan({ dag_id }) {
  const { ledgers } = await readOverview();
  const figures = ledgers.flatMap((ledger) => (ledger.problem === null ? ledger.dags : []));
  const failed = figures.find((one) => one.dag_id === dag_id)?.failed;
  if (!failed?.planned) return [];
  const many = exactNumber(failed.planned);
  return [`The last run that was to send had ${many} to invite, and failed. Those it did not reach are planned again.`];
}

/**
 * @param {Dag} dag
 * @param {"failed" | "unsent"} state
 * @param {string} text
 * @param {number} many
 */
async function named(dag, state, text, many) {
  if (!many) return state === "failed" ? `${text}: nobody, so this is an ordinary run.` : `${text}: nobody.`;
  const { ledger } = dag;
  /** @type {import("../api_types").ListBody} */
  const body = { ledger, search: "", states: [state], org_id: null, sort: "address", descending: false, after: null };
  const { rows } = await post("invitations", body);
  const addresses = rows.filter((row) => row.dag_id === dag.dag_id).map((row) => row.email);
  const shown = addresses.slice(0, NAMED);
  if (!shown.length) return `${text}: ${boundedNumber(many)}.`;
  return `${text}: ${boundedNumber(many)} (${shown.join(", ")}${many > shown.length ? ", …" : ""}).`;
}

/**
 * @param {Dag | null} dag
 * @param {string | null} employeeId one that looks like an address is no parameter of a run: many see these
 * @param {string | null} email
 */
export function inviteAgainButton(dag, employeeId, email) {
  if (!dag || !employeeId || employeeId.includes("@")) return null;
  return runButton(
    dag,
    { mode: "retry_failed", only_employee: employeeId },
    "Invite again",
    () => ({
      title: "Invite this person again?",
      text: [
        `An e-mail will be sent to ${email ?? `employee ${employeeId}`}, unless a rule forbids it.`,
        `${dag.dag_id} starts a run for employee ${employeeId} alone: it reads the warehouse and m3ter anew, and ` +
          "invites nobody else. The limits and the approval of an ordinary run hold. An e-mail cannot be recalled.",
        "The run's page and Airflow's audit log name you.",
      ],
    }),
    { danger: true },
  );
}
