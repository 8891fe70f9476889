// Instants, numbers and names as people read them.

import { h, badge } from "./dom.js";

const COUNTED = 1000;
let glossary = { states: {}, verdicts: {}, reasons: {}, ways: {} };

export function learn(words) {
  glossary = words;
}

function zone() {
  try {
    const kept = localStorage.getItem("timezone");
    if (!kept || kept === "local") return undefined;
    const name = kept.replaceAll('"', "");
    new Intl.DateTimeFormat("en", { timeZone: name });
    return name;
  } catch {
    return undefined;
  }
}

export function instant(value) {
  if (!value) return h("span", { class: "faint" }, "–");
  const when = new Date(value);
  const options = { year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false };
  const text = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone(), timeZoneName: "short" }).format(when);
  return h("time", { datetime: when.toISOString(), title: when.toISOString() }, text);
}

export function number(value) {
  return value > COUNTED ? `${COUNTED.toLocaleString("en")}+` : Number(value).toLocaleString("en");
}

export function exactly(value) {
  return Number(value ?? 0).toLocaleString("en");
}

export function state(name) {
  return badge(`state-${name}`, glossary.states[name] ?? name);
}

export function stateName(name) {
  return glossary.states[name] ?? name;
}

export function states() {
  return glossary.states;
}

export function verdict(name) {
  return glossary.verdicts[name] ?? name;
}

export function reason(name) {
  const [of, why] = name.split(":");
  return `${verdict(of)} (${glossary.reasons[why] ?? (why ?? "").replaceAll("_", " ")})`;
}

export function outcome(name) {
  return badge(`outcome-${name}`, name);
}

export function mode(name) {
  return name === "normal" ? "plan and send" : name.replaceAll("_", " ");
}
