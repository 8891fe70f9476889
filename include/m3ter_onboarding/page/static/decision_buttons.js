/**
 * Buttons by which a person decides about an invitation.
 *
 * @module
 */

import { ask } from "./dialog.js";
import { button, byId, h, messageOf, problem, reload } from "./elements.js";
import { stateName } from "./glossary.js";
import { readOverview } from "./readable_dags.js";
import { post } from "./requests.js";
import { toast } from "./toasts.js";

/** @typedef {import("../api_types").InvitationState} InvitationState */
/** @typedef {import("../api_types").DecisionBody["to"]} DecidedState */
/** @typedef {{ invitation_id: number, email: string, state: InvitationState }} Invitation */

/** @type {Record<DecidedState, { label: string, consequence: string, danger: boolean }>} */
const DECISIONS = {
  sent: {
    label: "It was sent",
    consequence: "The ledger then counts this person as invited. Nothing is sent.",
    danger: false,
  },
  unsent: {
    label: "It was not sent",
    consequence:
      "The next run that reads this row invites them. " +
      "Choose this only if m3ter's console shows neither an invitation nor a user.",
    danger: true,
  },
  superseded: {
    label: "Supersede it",
    consequence:
      "This invitation then no longer forbids another one to this employee or address. " +
      "m3ter's lists still count: a person with an active invitation or access there is not invited again.",
    danger: false,
  },
};

/**
 * @param {string} ledger
 * @param {Invitation} invitation
 * @param {readonly InvitationState[]} states that it may be given; others have no button
 */
export function decisionButtons(ledger, invitation, states) {
  return h(
    "div",
    { class: "actions" },
    states.filter(isDecided).map((state) => {
      const { label, danger } = DECISIONS[state];
      return button(label, () => decide(ledger, invitation, state), { class: danger ? "danger" : null });
    }),
  );
}

/**
 * @param {InvitationState} state
 * @returns {state is DecidedState}
 */
function isDecided(state) {
  return state in DECISIONS;
}

/**
 * @param {string} ledger
 * @param {Invitation} invitation
 * @param {DecidedState} state
 */
async function decide(ledger, invitation, state) {
  const { label, consequence, danger } = DECISIONS[state];
  const why = await ask({
    title: `${label}?`,
    text: [
      `${invitation.email}: now "${stateName(invitation.state)}".`,
      danger ? `An e-mail will be sent to ${invitation.email}. ${consequence}` : consequence,
      "Your name and the time are recorded.",
    ],
    field: "Why (kept in the ledger)",
    yes: label,
    danger,
  });
  if (why === null) return;
  const decision = { ledger, seen: invitation.state, to: state, why: why || null };
  await record(`${invitation.email}: recorded, "${label}".`, () =>
    post(`review/${invitation.invitation_id}`, decision),
  );
}

/**
 * Write what a person decided, confirm it, and show the screen anew; an error stands above it.
 * @param {string} done the confirmation
 * @param {() => Promise<unknown>} write
 */
export async function record(done, write) {
  try {
    await write();
    toast(done);
    await readOverview({ again: true });
    reload();
  } catch (error) {
    byId("main").prepend(problem(messageOf(error)));
    window.scrollTo(0, 0);
  }
}
