/**
 * The names that people read for states, decisions, reasons and modes.
 *
 * @module
 */

import { badge } from "./elements.js";

/** @typedef {import("../api_types").Words} Words */
/** @typedef {import("../api_types").InvitationState} InvitationState */

/** @type {Words} */
let glossary = { states: {}, verdicts: {}, reasons: {}, ways: {} };

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
 * @param {string} name as `decision:reason`
 */
export function decisionWithReason(name) {
  const [decision = "", reason = ""] = name.split(":");
  return `${decisionName(decision)} (${glossary.reasons[reason] ?? reason.replaceAll("_", " ")})`;
}

/** @param {string} outcome of a run */
export function outcomeBadge(outcome) {
  return badge(`outcome-${outcome}`, outcome);
}

/**
 * @param {string} mode of a run
 * @param {string} runType
 */
export function modeName(mode, runType) {
  const name = mode === "normal" ? "plan and send" : mode.replaceAll("_", " ");
  return runType === "backfill" ? `${name}, backfill` : name;
}

/** @param {boolean | null | undefined} allowed whether a connection sends; null and undefined: no run recorded it */
export function connectionName(allowed) {
  if (allowed === null || allowed === undefined) return "–";
  return allowed ? "may send invitations" : "may not send invitations";
}
