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

/** @type {Record<DecidedState, { label: string, consequence: string, mail: (address: string) => string }>} */
const DECISIONS = {
  sent: {
    label: "It was sent",
    consequence: "The ledger then counts this person as invited. Nothing is sent.",
    mail: () => "",
  },
  unsent: {
    label: "It was not sent",
    consequence:
      "The next run that reads this row invites them. " +
      "Choose this only if m3ter's console shows neither an invitation nor a user.",
    mail: (address) => `An e-mail will be sent to ${address}.`,
  },
  superseded: {
    label: "Stop counting it",
    consequence:
      "The invitation stays in m3ter and here, as superseded, and nothing is sent now; but it no longer keeps this " +
      "employee or address from being invited: the next run that reads their row e-mails them, unless m3ter lists " +
      "an active invitation or a user of the address.",
    mail: () => "An e-mail may follow.",
  },
};

/**
 * Say what each of some buttons does.
 * @param {readonly InvitationState[]} states that they give
 */
export function decisionsExplained(states) {
  return [...new Set(states)]
    .filter(isDecided)
    .map((state) => h("p", { class: "faint" }, `"${DECISIONS[state].label}": ${DECISIONS[state].consequence}`));
}

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
      const { label, mail } = DECISIONS[state];
      return button(label, () => decide(ledger, invitation, state), { class: mail("") ? "danger" : null });
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
  const { label, consequence } = DECISIONS[state];
  const mail = DECISIONS[state].mail(invitation.email);
  const why = await ask({
    title: `${label}?`,
    text: [
      `${invitation.email}: now "${stateName(invitation.state)}".`,
      `${mail} ${consequence}`.trim(),
      "Your name and the time are recorded.",
    ],
    field: "Why (kept in the ledger)",
    yes: label,
    danger: mail !== "",
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
