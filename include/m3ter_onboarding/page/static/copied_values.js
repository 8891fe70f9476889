/**
 * Addresses and ids as lists show them: an address breaks behind its @ and its dots alone, and each can be copied.
 *
 * @module
 */

import { announce, h, quoted, svg } from "./elements.js";
import { organisationName } from "./readable_dags.js";

/** In milliseconds: how long a button says that it has copied. */
const SAID = 2000;
/** The longest id that is never broken. */
const WHOLE = 20;

/**
 * @param {string | null | undefined} email
 * @param {string} [term] what was searched for: it is marked
 */
export function addressText(email, term = "") {
  if (!email) return quoted(email);
  const [before, hit, after] = splitAt(email, term.trim());
  return h("bdi", { class: "address" }, breakable(before), hit && h("mark", {}, breakable(hit)), breakable(after));
}

/**
 * Return an id, whose hyphens are no place to break it unless it is long.
 * @param {string | null | undefined} id
 */
export function idText(id) {
  return id && id.length <= WHOLE ? h("bdi", { class: "whole" }, id) : quoted(id);
}

/**
 * @param {string} text
 * @param {string} term
 * @returns {[string, string, string]} before the term, the term, behind it
 */
function splitAt(text, term) {
  const [within, wanted] = [text.toLowerCase(), term.toLowerCase()];
  const begins = wanted && within.length === text.length ? within.indexOf(wanted) : -1;
  if (begins < 0) return [text, "", ""];
  const ends = begins + wanted.length;
  return [text.slice(0, begins), text.slice(begins, ends), text.slice(ends)];
}

/** @param {string} text */
function breakable(text) {
  return text.split(/(?<=[@.])/u).map((part) => (/[@.]$/u.test(part) ? [part, h("wbr", {})] : part));
}

/**
 * Return a value with the button that copies it.
 * @param {import("./elements.js").Child} shown
 * @param {string | null | undefined} text
 * @param {string} name of the value
 */
export function copyable(shown, text, name) {
  return text ? h("span", { class: "copyable" }, shown, copyButton(text, name)) : shown;
}

/**
 * Return an organisation by its own name, where it is known; its id can be seen and copied.
 * @param {string | null | undefined} orgId
 */
export function organisation(orgId) {
  if (!orgId) return quoted(orgId);
  const shown = h("span", { title: orgId }, quoted(organisationName(orgId)));
  return copyable(shown, orgId, "the organisation's id");
}

/**
 * Return the cells of a person's address and employee_id: the address is the link to them, or else the employee_id.
 * @param {string | null} href null: there is nothing to lead to
 * @param {{ email: string | null, employee_id: string | null }} person
 * @param {string} [search] marked in the address
 * @returns {import("./elements.js").Child[]}
 */
export function personCells(href, { email, employee_id }, search = "") {
  const linked = (/** @type {import("./elements.js").Child} */ shown) => (href ? h("a", { href }, shown) : shown);
  const address = addressText(email, search);
  const employee = idText(employee_id);
  const byEmployee = !email && employee_id !== null;
  return [
    copyable(byEmployee ? address : linked(address), email, "address"),
    copyable(byEmployee ? linked(employee) : employee, employee_id, "employee_id"),
  ];
}

/**
 * Return the same with the person's name, where it is known.
 * @param {string | null} href
 * @param {{ email: string | null, employee_id: string | null, person_name: string | null }} person
 * @param {string} [search]
 * @returns {import("./elements.js").Child[]}
 */
export function namedCells(href, person, search) {
  const [address, employee] = personCells(href, person, search);
  return [address, person.person_name ? [employee, h("p", {}, quoted(person.person_name))] : employee];
}

/**
 * @param {string} text
 * @param {string} name
 */
function copyButton(text, name) {
  const label = `Copy ${name} ${text}`;
  /** @type {HTMLButtonElement} */
  const copy = h("button", { type: "button", class: "copy", "aria-label": label, title: "Copy" }, icon());
  copy.addEventListener("click", async () => {
    if (!(await write(text))) return announce("The browser does not let this page copy.");
    announce("Copied.");
    copy.replaceChildren("Copied");
    setTimeout(() => copy.replaceChildren(icon()), SAID);
  });
  return copy;
}

function icon() {
  return svg(
    "svg",
    { viewBox: "0 0 16 16", width: 12, height: 12, "aria-hidden": "true" },
    svg("rect", { x: 5, y: 5, width: 9, height: 9, rx: 1 }),
    svg("path", { d: "M11 5V2H2v9h3" }),
  );
}

/**
 * Write into the clipboard; without https the browser has none for scripts, but still an older way.
 * @param {string} text
 */
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement;
    const field = h("textarea", { class: "unseen", "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    if (focused instanceof HTMLElement) focused.focus();
    return copied;
  }
}
