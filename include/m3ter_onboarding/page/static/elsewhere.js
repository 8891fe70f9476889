/**
 * Where people of a standing may be who are not in a list: an empty list leads there.
 *
 * @module
 */

import { h } from "./elements.js";
import { boundedNumber, exactNumber } from "./formats.js";
import { questionName, standingName, stateName } from "./glossary.js";
import { hashOf, keepSearch } from "./list_place.js";
import { readableLedger } from "./readable_dags.js";

/** @typedef {import("../api_types").ReadableLedger} Ledger */
/** @typedef {import("../api_types").InvitationState} InvitationState */
/** @typedef {import("../api_types").Standing} Standing */
/** @typedef {{ name: string, href: string, many: string | null }} Place `many`: how many, and when; null: unknown */

/** Questions of Review that are about people of a state, though no invitation in the ledger is in it.
 * @type {Partial<Record<InvitationState, string[]>>} */
const ASKED = {
  expired: ["review:expired", "skip:cooling_off"],
  accepted: ["review:rehire", "review:missing_in_m3ter"],
  failed: ["skip:refused_before"],
  review: ["review:"],
  superseded: ["review:email_changed"],
  unsent: ["skip:", "invalid:"],
};
/** Standings of Day one, likewise.
 * @type {Partial<Record<InvitationState, string>>} */
const STARTING = { expired: "expired", accepted: "member", unsent: "not_invited" };
/** States of invitations, by the question that Review has about such people.
 * @type {Record<string, InvitationState>} */
const INVITED = {
  "review:": "review",
  "review:expired": "expired",
  "review:email_changed": "superseded",
  "skip:refused_before": "failed",
};
/** Answered by time alone: Review has them in a list of their own, and the overview does not count them. */
const WAITING = "skip:cooling_off";

/**
 * Say where else people of some states of an invitation may be; null: nowhere.
 * @param {string} key of the ledger
 * @param {readonly InvitationState[]} states
 * @param {string} search
 */
export function besideInvitations(key, states, search) {
  const ledger = readableLedger(key);
  if (!ledger) return null;
  if (search.trim()) {
    const href = hashOf("#/review", { ledger: key, search: keepSearch(search) });
    const text = "People who were never invited are in no list of invitations. ";
    return h("p", { class: "note" }, text, h("a", { href }, "Search Review for them"), ".");
  }
  const places = states.flatMap((state) => [
    ...(ASKED[state] ?? []).map((kind) => question(ledger, kind)),
    ...(STARTING[state] ? [starting(ledger, STARTING[state])] : []),
  ]);
  return besideText(places, "People without such an invitation in this ledger may be in ");
}

/**
 * Say where else people of a question may be; null: nowhere.
 * @param {string} key of the ledger
 * @param {string} kind `decision:reason`, `decision:` or nothing
 */
export function besideQuestions(key, kind) {
  const [ledger, state] = [readableLedger(key), INVITED[kind]];
  return ledger && state ? besideText([invitations(ledger, state)], "Invitations of such people may be in ") : null;
}

/**
 * Say where else people of a standing on day one may be; null: nowhere.
 * @param {string} key of the ledger
 * @param {string} standing
 */
export function besideStarting(key, standing) {
  const ledger = readableLedger(key);
  const [state] = Object.entries(STARTING).find(([, one]) => one === standing) ?? [];
  if (!ledger || !state) return null;
  const known = /** @type {InvitationState} */ (state);
  const places = [invitations(ledger, known), ...(ASKED[known] ?? []).map((kind) => question(ledger, kind))];
  return besideText(places, "People who start later, or have started, may be in ");
}

/**
 * @param {readonly Place[]} places
 * @param {string} text
 */
function besideText(places, text) {
  if (!places.length) return null;
  const links = places.map(({ name, href, many }, position) => [
    position > 0 && " or in ",
    h("a", { href }, name),
    many === null ? "" : ` (${many})`,
  ]);
  return h("p", { class: "note" }, text, links, ".");
}

/**
 * @param {Ledger} ledger
 * @param {string} kind
 * @returns {Place}
 */
function question({ key, questions }, kind) {
  const [decision = "", reason = ""] = kind.split(":");
  const screen = ["#/review", decision, reason].filter(Boolean).join("/");
  const waits = kind === WAITING;
  const of = Object.entries(questions).filter(([name]) => (reason ? name === kind : name.startsWith(kind)));
  return {
    name: `Review, "${questionName(kind)}"`,
    href: hashOf(screen, { ledger: key, show: waits ? "waiting" : null }),
    many: waits ? null : `${exactNumber(of.reduce((sum, [, many]) => sum + many, 0))} now`,
  };
}

/**
 * @param {Ledger} ledger
 * @param {InvitationState} state
 * @returns {Place}
 */
function invitations({ key, states }, state) {
  const href = hashOf("#/invitations", { ledger: key, state });
  const many = states[state];
  return {
    name: `Invitations, "${stateName(state)}"`,
    href,
    many: many === undefined ? null : `${boundedNumber(many)} now`,
  };
}

/**
 * @param {Ledger} ledger
 * @param {string} standing
 * @returns {Place}
 */
function starting({ key, starting: { as_of, standings } }, standing) {
  const many = /** @type {Record<string, number>} */ (standings)[standing] ?? 0;
  const name = `Day one, "${standingName(/** @type {Standing} */ (standing))}"`;
  const href = hashOf("#/day-one", { ledger: key, show: standing });
  return { name, href, many: as_of ? `${exactNumber(many)} as last listed` : null };
}
