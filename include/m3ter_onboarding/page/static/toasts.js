/**
 * Short confirmations: visible, said by screen readers, and gone after a while or by a click.
 *
 * @module
 */

import { button, byId, h } from "./elements.js";
import { catchFocus } from "./kept_focus.js";

/** How long one stays, in milliseconds, without and with a link; not while the pointer or the focus is on it. */
const STAYS = 12_000;
const STAYS_WITH_LINK = 60_000;
const MOST = 3;

/**
 * Show a confirmation.
 * @param {import("./elements.js").Child} text
 * @param {import("./elements.js").Child} [link] where to go on from here
 */
export function toast(text, link) {
  const place = byId("toasts");
  const box = h("div", { class: "toast" }, h("div", {}, text, link && [" ", link]));
  const dismiss = () => {
    box.remove();
    catchFocus();
  };
  const close = button("Dismiss", dismiss, { class: "plain" });
  box.append(close);
  /** @type {number | undefined} */
  let timer;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => box.remove(), link ? STAYS_WITH_LINK : STAYS);
  };
  for (const kind of ["mouseenter", "focusin"]) box.addEventListener(kind, () => clearTimeout(timer));
  for (const kind of ["mouseleave", "focusout"]) box.addEventListener(kind, wait);
  place.append(box);
  while (place.childElementCount > MOST) place.firstElementChild?.remove();
  wait();
}
