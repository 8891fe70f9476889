// What waits for a person, and what they can do about it.

import { ask, button, h, problem, prose, quoted, say, table } from "./dom.js";
import { get, post } from "./airflow.js";
import { instant, state, stateName } from "./words.js";
import { known, dagOf } from "./known.js";

const WORDS = {
  sent: ["It was sent", "The ledger then counts this person as invited. Nothing is sent."],
  unsent: ["It was not sent", "The next run that reads this row invites the person: an e-mail is sent. Choose this only if m3ter's console shows neither an invitation nor a user."],
  superseded: ["Replace it", "This invitation no longer stands against another one for this employee or address. m3ter's own list is still looked at: who has an open invitation or access there is not invited again."],
};

export function decide(ledger, one) {
  const ways = one.to ?? { review: ["sent", "unsent", "superseded"], sent: ["superseded"], adopted: ["superseded"] }[one.state] ?? [];
  return h("div", { class: "actions" }, ways.map((to) => button(WORDS[to][0], () => decided(ledger, one, to))));
}

async function decided(ledger, one, to) {
  const why = await ask({
    title: `${WORDS[to][0]}?`,
    text: [`${one.email}: now "${stateName(one.state)}".`, WORDS[to][1], "Your name and the time are recorded."],
    field: "Why (kept in the ledger)",
    yes: WORDS[to][0],
  });
  if (why === null) return;
  try {
    await post(`review/${one.invitation_id}`, { ledger, seen: one.state, to, why: why || null });
    say("Recorded.");
    await known({ anew: true });
    window.dispatchEvent(new Event("m3ter:reload"));
  } catch (error) {
    document.getElementById("main").prepend(problem(error.message));
    window.scrollTo(0, 0);
  }
}

export async function review() {
  const all = await known({ anew: true });
  const content = [h("h1", {}, "Review"), h("p", {}, "What the machine does not decide by itself. Nobody here is invited again before a person has decided.")];
  for (const ledger of all.ledgers) {
    if (ledger.problem) {
      content.push(ledger.empty ? h("p", { class: "note" }, ledger.problem) : problem(ledger.problem));
      continue;
    }
    const found = await get(`review/${encodeURIComponent(ledger.key)}`);
    const where = all.ledgers.length > 1 ? ` (${ledger.name})` : "";
    content.push(
      h("section", { "aria-labelledby": `unclear-${ledger.key}` }, h("h2", { id: `unclear-${ledger.key}` }, `Was it sent?${where}`), unclear(ledger, found)),
      h("section", { "aria-labelledby": `rows-${ledger.key}` }, h("h2", { id: `rows-${ledger.key}` }, `People of the last plans${where}`), rows(ledger, found)),
    );
  }
  return { title: "Review", content };
}

function unclear(ledger, found) {
  return h(
    "div",
    {},
    table(
      "Invitations of which nobody can tell whether they were sent",
      ["Address", "Employee", "Since", "Why", "What to do", "Decide"],
      found.invitations.map((one) => [
        h("a", { href: `#/person/${encodeURIComponent(ledger.key)}/${one.invitation_id}` }, quoted(one.email)),
        quoted(one.employee_id),
        instant(one.since),
        h("span", { class: "long" }, one.said, " ", one.detail ? quoted(one.detail) : ""),
        h("span", { class: "long" }, prose(one.way)),
        mayDecide(ledger, found, one) ? decide(ledger.key, one) : "needs the right to edit the DAG",
      ]),
      { empty: "None.", unseen: true },
    ),
    found.more_invitations && h("p", {}, h("a", { href: "#/invitations/review" }, "There are more: see the list.")),
  );
}

function mayDecide(ledger, found, one) {
  return one.dag_id ? Boolean(dagOf(one.dag_id)?.may_edit) : found.may_decide;
}

function rows(ledger, found) {
  return h(
    "div",
    {},
    table(
      "People of the last plans whom a person has to look at",
      ["Address", "Employee", "Why", "Now", "What to do", "Decide"],
      found.rows.map((one) => [
        h("a", { href: `#/row/${encodeURIComponent(ledger.key)}/${encodeURIComponent(one.plan_id)}/${one.row_no}` }, quoted(one.email)),
        quoted(one.employee_id),
        h("span", { class: "long" }, h("code", {}, `review:${one.reason}`), ` ${one.said}. `, one.detail ? quoted(one.detail) : ""),
        one.invitation_state ? [state(one.invitation_state), one.invitation_email === one.email ? "" : [" ", quoted(one.invitation_email)]] : "",
        h("span", { class: "long" }, prose(one.way)),
        one.invitation_id && one.to.length && mayDecide(ledger, found, { dag_id: one.invitation_dag_id }) ? decide(ledger.key, { ...one, email: one.invitation_email, state: one.invitation_state }) : "",
      ]),
      { empty: "None.", unseen: true },
    ),
    found.more_rows && h("p", {}, "There are more; the run's page lists all."),
  );
}
