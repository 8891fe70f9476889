/**
 * Keeps what is shown up to date while something runs: asks again after a while, not while nobody looks, and at once
 * when somebody comes back to the window.
 *
 * @module
 */

/**
 * @typedef {object} Live
 * @property {number} every milliseconds between two questions
 * @property {() => Promise<"same" | "anew" | "ended">} update shows what is new of a part by itself; "anew": the whole
 *   screen has to be shown again; "ended": nothing changes any more
 */

const SLOWEST = 60_000;

/** @type {number | undefined} */
let timer;
let current = 0;
/** Asks before its time; null: nothing is followed, or the question is out.
 * @type {(() => unknown) | null} */
let due = null;

document.addEventListener("visibilitychange", () => document.hidden || due?.());

/**
 * Follow what a screen shows, in place of what was followed before; null: nothing.
 * @param {Live | null | undefined} live
 * @param {() => unknown} showAnew shows the whole screen again, without moving focus or scrolling
 */
export function follow(live, showAnew) {
  clearTimeout(timer);
  due = null;
  const mine = ++current;
  if (!live) return;
  let wait = live.every;
  const again = () => {
    due = ask;
    timer = setTimeout(ask, wait);
  };
  const ask = async () => {
    clearTimeout(timer);
    due = null;
    if (document.hidden || document.querySelector("dialog[open]")) return again();
    try {
      const found = await live.update();
      if (mine !== current || found === "ended") return;
      if (found === "anew") return void showAnew();
      wait = live.every;
    } catch {
      // Airflow may be away for a moment: asked more and more seldom, and what is shown stays.
      wait = Math.min(wait * 2, SLOWEST);
    }
    if (mine === current) again();
  };
  again();
}
