/**
 * A question before something is done.
 *
 * @module
 */

import { button, h } from "./elements.js";
import { catchFocus } from "./kept_focus.js";

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string[]} text one paragraph each
 * @property {string} yes the button that agrees
 * @property {boolean} [danger] whether an e-mail follows
 * @property {string} [field] the label of a text that the person may write
 * @property {string} [written] what stands in it at first
 * @property {string} [date] instead, the label of a day to come that the person must choose
 */

/**
 * Ask; resolve to the text that the person wrote (empty where nothing) or the day they chose, or to null when they
 * cancelled.
 * @param {Question} question
 * @returns {Promise<string | null>}
 */
export function ask({ title, text, yes, danger, field, written, date }) {
  return new Promise((resolve) => {
    const label = field ?? date;
    const input = label ? inputOf({ date, written }) : null;
    /** @type {HTMLDialogElement} */
    const dialog = h(
      "dialog",
      { "aria-labelledby": "ask-title", onkeydown: stayInside },
      h("h2", { id: "ask-title" }, title),
      text.map((line) => h("p", {}, line)),
      label && [h("label", { for: "ask-field" }, label), input],
      h(
        "div",
        { class: "actions" },
        button("Cancel", () => dialog.close("")),
        button(yes, () => (input?.reportValidity() ?? true) && dialog.close("yes"), {
          class: danger ? "danger" : "primary",
        }),
      ),
    );
    dialog.addEventListener("close", () => {
      const answer = input?.value ?? "";
      dialog.remove();
      catchFocus(); // the page may have been made anew behind it
      resolve(dialog.returnValue === "yes" ? answer : null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * Go round in a dialogue. In a frame of Airflow's, Tab would lead to what is around it, which is not behind a veil.
 * @param {KeyboardEvent & { currentTarget: HTMLDialogElement }} event
 */
function stayInside(event) {
  if (event.key !== "Tab") return;
  const stops = /** @type {NodeListOf<HTMLElement>} */ (
    event.currentTarget.querySelectorAll("input, textarea, button")
  );
  const [last, next] = event.shiftKey ? [stops[0], stops[stops.length - 1]] : [stops[stops.length - 1], stops[0]];
  if (document.activeElement !== last) return;
  event.preventDefault();
  next?.focus();
}

/**
 * @param {{ date: string | undefined, written: string | undefined }} question
 * @returns {HTMLInputElement | HTMLTextAreaElement}
 */
function inputOf({ date, written = "" }) {
  if (date) return dayInput();
  /** @type {HTMLTextAreaElement} */
  const input = h("textarea", { id: "ask-field", rows: "3", maxlength: "300" });
  input.value = written;
  return input;
}

/** @returns {HTMLInputElement} */
function dayInput() {
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  return h("input", { id: "ask-field", type: "date", min: tomorrow, max: "2999-12-31", required: true });
}
