// One line of what the app and Slack said to each other.

import { h } from "./dom.js";
import { at } from "./zone.js";

const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };

function outcome(one) {
  if (one.fault) return one.said && one.said !== one.fault ? `${one.fault}: ${one.said}` : one.fault;
  return one.ok ? "ok" : one.said;
}

export function line(one) {
  const kind = one.ok && !one.fault ? "good" : one.ok ? "odd" : "bad";
  const way = one.way === "call" ? ["→", "the app asks"] : ["←", "Slack sends"];
  return h("li", { class: kind },
    h("time", {}, at(one.at, TIME)), h("span", { class: "way", title: way[1], "aria-label": way[1] }, way[0]),
    h("span", { class: "name", title: one.where ?? undefined }, one.name),
    h("span", { class: "outcome" }, outcome(one)), h("small", {}, `${one.ms} ms`));
}
