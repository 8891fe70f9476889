/**
 * What a search of invitations has looked through.
 *
 * @module
 */

import { h } from "./elements.js";
import { exactNumber } from "./formats.js";

/**
 * Say what a search of invitations has looked through; null: nothing was searched for.
 * @param {string} search
 * @param {import("../api_types").InvitationPage} page
 */
export function reachText(search, { reach }) {
  if (!search.trim()) return null;
  const ids = "First exact matches of an id, then addresses that begin with it";
  if (!reach)
    return h(
      "p",
      { class: "faint" },
      `${ids}. Three characters and more are also looked for inside addresses and names.`,
    );
  const limits = [
    !reach.complete && `addresses of the newest ${exactNumber(reach.newest)}`,
    !reach.names_complete && `names of the newest ${exactNumber(reach.names)}`,
  ].filter(Boolean);
  const among = limits.length ? ` There, only ${limits.join(" and ")} invitations were looked through.` : "";
  const more = reach.more ? " More than 1,000 have it inside, of which the first 1,000 are listed." : "";
  const names = "names are known of the people that this ledger invited";
  return h("p", { class: "faint" }, `${ids}, then addresses and names that have it inside (${names}).${among}${more}`);
}
