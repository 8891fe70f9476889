/**
 * One person: their invitations, and their history.
 *
 * @module
 */

import { airflowRun, airflowTask, runHash } from "./addresses.js";
import { airflowLink } from "./airflow_window.js";
import { addressText, copyable, organisation } from "./copied_values.js";
import { decisionButtons, decisionsExplained } from "./decision_buttons.js";
import { fact, h, quoted, section, table } from "./elements.js";
import { instant, m3terAnswer, zoneName } from "./formats.js";
import { stateBadge } from "./glossary.js";
import { wayHere } from "./list_place.js";
import { actingDag } from "./readable_dags.js";
import { get } from "./requests.js";
import { inviteAgainButton } from "./run_buttons.js";

/** @typedef {import("../api_types").InvitationRow} InvitationRow */
/** @typedef {import("../api_types").PersonHistory} PersonHistory */
/** @typedef {import("../api_types").PersonHistory["steps"][number]} Step */
/** @typedef {import("../api_types").EventStep} EventStep */
/** @typedef {import("../api_types").InvitationState} InvitationState */

const part = encodeURIComponent;
const HEADS = ["Address", "State", "Began", "Invited", "Accepted", "Expires", "In m3ter"];

/** @type {Partial<Record<InvitationState, InvitationState[]>>} */
const DECIDABLE = { review: ["sent", "unsent", "superseded"], sent: ["superseded"], adopted: ["superseded"] };

/**
 * @param {string} ledger
 * @param {string} invitationId
 */
export async function personOfInvitation(ledger, invitationId) {
  return personScreen(ledger, await get(`stories/invitation/${part(ledger)}/${part(invitationId)}`));
}

/**
 * @param {string} ledger
 * @param {string} planId
 * @param {string} rowNo
 */
export async function personOfDecision(ledger, planId, rowNo) {
  return personScreen(ledger, await get(`stories/decision/${part(ledger)}/${part(planId)}/${part(rowNo)}`));
}

/**
 * @param {string} ledger
 * @param {PersonHistory} story
 * @returns {import("./page.js").Screen}
 */
function personScreen(ledger, story) {
  const [newest] = story.invitations;
  const way = wayHere();
  return {
    title: "A person's story",
    content: [
      h("p", { class: "way" }, way && [h("a", { href: way.href }, way.name), " / "], "A person"),
      h("h1", {}, story.email ? quoted(story.email) : ["Employee ", quoted(story.employee_id)]),
      h(
        "dl",
        {},
        story.person_name && fact("Name", quoted(story.person_name)),
        fact("Address", copyable(addressText(story.email), story.email, "address")),
        fact("Employee", copyable(quoted(story.employee_id), story.employee_id, "employee_id")),
        fact("Organisation", organisation(story.org_id)),
        story.start_date && fact("First day", story.start_date),
        newest && fact("Now", stateBadge(newest.state)),
        Object.entries(story.extra).map(([name, value]) => fact(name, quoted(value))),
      ),
      newest && actions(ledger, newest, story),
      section("invited", "Invitations", invitationsTable(ledger, story)),
      section("story", "History", history(story.steps)),
    ],
  };
}

/**
 * @param {string} ledger
 * @param {InvitationRow} newest
 * @param {PersonHistory} story
 */
function actions(ledger, newest, { employee_id, email }) {
  if (newest.state !== "failed" && newest.state !== "expired") return null;
  const again = inviteAgainButton(actingDag(ledger, newest.dag_id), employee_id, email);
  return again && h("div", { class: "actions" }, again);
}

/**
 * @param {string} ledger
 * @param {PersonHistory} story
 */
function invitationsTable(ledger, { invitations, in_m3ter }) {
  const found = foundInM3ter(in_m3ter);
  const empty = found ? "None in this ledger; see below what m3ter has." : "Never invited, and not found in m3ter.";
  const decidable = invitations.map((one) =>
    actingDag(ledger, one.dag_id)?.may_edit ? (DECIDABLE[one.state] ?? []) : [],
  );
  const anybody = decidable.some((states) => states.length > 0);
  const own = table(
    "Invitations of this person",
    anybody ? [...HEADS, "Decide"] : HEADS,
    invitations.map((one, place) => [
      addressText(one.email),
      stateBadge(one.state),
      instant(one.created_at),
      instant(one.sent_at),
      instant(one.accepted_at),
      instant(one.expires_at),
      [copyable(quoted(one.m3ter_id), one.m3ter_id, "m3ter id"), m3terAnswer(one)],
      ...(anybody ? [decisionButtons(ledger, one, decidable[place] ?? [])] : []),
    ]),
    { empty, unseen: true },
  );
  return [own, decisionsExplained(decidable.flat()), found];
}

/**
 * What m3ter has of the person's addresses, as last read: plans look at it, too.
 * @param {PersonHistory["in_m3ter"]} found
 */
function foundInM3ter(found) {
  if (!found.length) return null;
  return [
    h("h3", {}, "In m3ter, as last read"),
    table(
      "What m3ter has of this person",
      ["Address", "Kind", "Made", "Ends", "m3ter id", "Now"],
      found.map((one) => [
        addressText(one.email),
        one.kind === "user" ? "user" : `invitation, ${one.accepted ? "accepted" : "not accepted"}`,
        instant(one.since),
        instant(one.ends_at),
        copyable(quoted(one.m3ter_id), one.m3ter_id, "m3ter id"),
        one.gone ? "m3ter lists it no more" : listedText(one),
      ]),
      { unseen: true },
    ),
  ];
}

/** @param {PersonHistory["in_m3ter"][number]} found */
function listedText({ kind, accepted, ends_at }) {
  const over = ends_at !== null && Date.parse(ends_at) <= Date.now();
  if (!over) return "listed";
  if (kind === "user") return "listed; their access has ended";
  return accepted ? "listed" : "expired";
}

/** @param {readonly Step[]} steps */
function history(steps) {
  if (!steps.length) return h("p", { class: "empty" }, "Nothing was recorded.");
  return [
    h("p", { class: "faint" }, `The newest first. Times are those of ${zoneName()}.`),
    h("ol", { class: "steps" }, [...steps].reverse().map(stepItem)),
  ];
}

/** @param {Step} step */
function stepItem(step) {
  return h(
    "li",
    { class: step.kind },
    h("p", { class: "when" }, instant(step.at), " ", h("code", {}, step.name)),
    step.kind === "event" ? eventText(step) : h("p", {}, step.said),
    stepDetail(step),
    stepLinks(step),
  );
}

/** @param {EventStep} event */
function eventText({ state, said, decided_by }) {
  return h("p", {}, stateBadge(state), " ", said, decided_by ? ` It was ${decided_by}.` : "");
}

/** @param {Step} step */
function stepDetail(step) {
  const status = step.kind === "event" ? step.http_status : null;
  if (!step.detail && !status) return null;
  return h("p", { class: "long" }, status ? `HTTP ${status}. ` : "", step.detail ? quoted(step.detail) : "");
}

/** @param {Step} step */
function stepLinks({ dag_id, run_id, task_id }) {
  if (!dag_id || !run_id) return null;
  return h(
    "p",
    { class: "links" },
    airflowLink(airflowRun(dag_id, run_id), "DAG run"),
    task_id && [" · ", airflowLink(airflowTask(dag_id, run_id, task_id), `log of ${task_id}`)],
    " · ",
    h("a", { href: runHash(dag_id, run_id) }, "this run's plan"),
  );
}
