/**
 * Buttons by which a person decides about an open question of the worklist.
 *
 * @module
 */

import { record } from "./decision_buttons.js";
import { ask } from "./dialog.js";
import { button, h } from "./elements.js";
import { post } from "./requests.js";

/** @typedef {import("../api_types").OpenQuestion} OpenQuestion */
/** @typedef {import("../api_types").QuestionBody} QuestionBody */

const NAMED = "Your name is recorded.";
const NAMED_IN_NOTE = "Your name is recorded in its note.";

/**
 * @param {string} ledger
 * @param {OpenQuestion} question
 */
export function questionButtons(ledger, question) {
  if (question.closed_at)
    return h(
      "div",
      { class: "actions" },
      button("Open again", () => reopen(ledger, question)),
    );
  return h(
    "div",
    { class: "actions" },
    button("Close", () => close(ledger, question)),
    button(question.snoozed_until ? "Put off anew" : "Put off", () => putOff(ledger, question)),
    button("Note", () => write(ledger, question)),
  );
}

/**
 * @param {string} ledger
 * @param {OpenQuestion} question
 */
async function close(ledger, question) {
  const note = await ask({
    title: "Close this question?",
    text: [
      `${nameOf(question)}: ${question.said}.`,
      "It leaves the list, and runs no longer read the row for it. It is asked again only when the row's address, " +
        `start date or reason changes. Nothing is sent. ${NAMED}`,
    ],
    field: "Note (kept in the ledger)",
    yes: "Close the question",
  });
  if (note !== null) await decide(ledger, question, { action: "close", note: note || null });
}

/**
 * @param {string} ledger
 * @param {OpenQuestion} question
 */
async function reopen(ledger, question) {
  const text = [`${nameOf(question)}: ${question.said}.`, `The next run reads the row again. ${NAMED_IN_NOTE}`];
  const answer = await ask({ title: "Open this question again?", text, yes: "Open again" });
  if (answer !== null) await decide(ledger, question, { action: "reopen" });
}

/**
 * @param {string} ledger
 * @param {OpenQuestion} question
 */
async function putOff(ledger, question) {
  const day = await ask({
    title: "Put this question off?",
    text: [
      `${nameOf(question)}: until that day it is listed under "put off". Runs go on reading the row. ${NAMED_IN_NOTE}`,
    ],
    date: "Until (UTC)",
    yes: "Put off",
  });
  if (day) await decide(ledger, question, { action: "snooze", until: `${day}T00:00:00Z` });
}

/**
 * @param {string} ledger
 * @param {OpenQuestion} question
 */
async function write(ledger, question) {
  const note = await ask({
    title: "Write a note",
    text: [
      `${nameOf(question)}: ${question.said}.`,
      "Your name is recorded with the note. An empty text removes the note, and keeps no name.",
    ],
    field: "Note (kept in the ledger)",
    written: question.note ?? "",
    yes: "Write",
  });
  if (note !== null) await decide(ledger, question, { action: "note", note });
}

/** @type {Record<QuestionBody["action"], string>} */
const DONE = { close: "closed", reopen: "open again", snooze: "put off", note: "noted" };

/** @param {OpenQuestion} question */
function nameOf({ email, employee_id }) {
  return email ?? employee_id ?? "A row that names nobody";
}

/**
 * @param {string} ledger
 * @param {OpenQuestion} question
 * @param {Pick<QuestionBody, "action" | "until" | "note">} decision
 */
async function decide(ledger, question, decision) {
  const done = `${nameOf(question)}: ${DONE[decision.action]}.`;
  await record(done, () => post(`questions/${question.item_id}`, { ledger, since: question.since, ...decision }));
}
