/**
 * The names that people read for states, decisions, reasons and modes.
 *
 * @module
 */

import { badge, h } from "./elements.js";
import { capital } from "./formats.js";

/** @typedef {import("../api_types").Words} Words */
/** @typedef {import("../api_types").InvitationState} InvitationState */
/** @typedef {import("../api_types").Standing} Standing */

/** @type {Words} */
let glossary = { states: {}, verdicts: {}, reasons: {}, ways: {}, findings: {}, standings: {}, without_access: [] };

/**
 * Take the names over that the server uses.
 * @param {Words} names
 */
export function setGlossary(names) {
  glossary = names;
}

/** Return all states of an invitation. */
export function invitationStates() {
  return /** @type {InvitationState[]} */ (Object.keys(glossary.states));
}

/** @param {string} state */
export function stateName(state) {
  return glossary.states[state] ?? state;
}

/** @param {string} state */
export function stateBadge(state) {
  return badge(`state-${state}`, stateName(state));
}

/** @param {string} decision */
export function decisionName(decision) {
  return glossary.verdicts[decision] ?? decision;
}

/**
 * Name a kind of decision as lists do: `Needs a person: the last invitation expired`.
 * @param {string} kind as `decision:reason`
 */
export function kindName(kind) {
  const [decision = "", reason = ""] = kind.split(":");
  return `${capital(decisionName(decision))}: ${reasonName(reason)}`;
}

/**
 * Name the questions of a kind: somebody can change what a plan leaves as it is.
 * @param {string} kind as `decision:reason`, or `decision:` for any reason
 */
export function questionName(kind) {
  const [decision = "", reason = ""] = kind.split(":");
  const name = decision === "skip" ? "kept from being invited" : decisionName(decision);
  return `${capital(name)}: ${reason ? reasonName(reason) : "any reason"}`;
}

/** @param {string} reason */
export function reasonName(reason) {
  return glossary.reasons[reason] ?? reason.replaceAll("_", " ");
}

/** @param {string} finding of the access review */
export function findingName(finding) {
  return glossary.findings[finding] ?? finding.replaceAll("_", " ");
}

/**
 * A name as tables, files and addresses have it: a small detail beside the words.
 * @param {string} name
 */
export function code(name) {
  return h("code", { class: "faint" }, name);
}

/** Return where somebody can stand who starts soon. */
export function standings() {
  return /** @type {Standing[]} */ (Object.keys(glossary.standings));
}

/** Return those standings in which somebody has no access. */
export function withoutAccess() {
  return glossary.without_access;
}

/** @param {Standing} standing */
export function standingName(standing) {
  return glossary.standings[standing] ?? standing;
}

/**
 * A run that waits for a person runs by Airflow's word, and nobody would look.
 * @param {string} outcome
 * @param {boolean} [waits] whether it waits for an approval, where it runs
 */
export function outcomeBadge(outcome, waits) {
  return waits && outcome === "running"
    ? badge("state-unsent", "waits for approval")
    : badge(`outcome-${outcome}`, outcome);
}

/** The names of the modes, as Airflow's trigger form has them.
 * @type {Record<string, string>} */
const MODES = { normal: "Invite", dry_run: "Dry run", baseline: "Baseline", full: "Full", retry_failed: "Retry" };

/** @param {{ mode: string, run_type: string, may_invite: boolean, only_employee: string | null }} run */
export function modeName({ mode, run_type, may_invite, only_employee }) {
  if (only_employee && mode === "retry_failed") return "Invite again";
  const name = MODES[mode] ?? mode.replaceAll("_", " ");
  if (run_type !== "backfill") return name;
  return may_invite ? `${name} (backfill)` : "Plan only (backfill)";
}

/** @type {Record<string, string>} */
const STEP_STATES = {
  awaiting_input: "waits for a person",
  deferred: "waits",
  up_for_retry: "is tried again",
  up_for_reschedule: "waits",
  upstream_failed: "not begun",
};

/** @param {string | null} state Airflow's word for a task's state; null: it has not begun */
export function stepStateName(state) {
  return state ? (STEP_STATES[state] ?? state) : "not begun";
}

/** @param {string} reason */
export function wayOut(reason) {
  return glossary.ways[reason] ?? "";
}

/** @param {boolean | null | undefined} allowed whether a connection sends; null and undefined: no run recorded it */
export function connectionName(allowed) {
  if (allowed === null || allowed === undefined) return "–";
  return allowed ? "set to send invitations" : "set to send none";
}
