// Ctrl+K: go to a channel, become somebody, use a shortcut. Type to narrow, arrows and Enter to choose.

import { avatar, h, icon } from "./dom.js";
import { note, people } from "./sidebar.js";

const dialog = document.getElementById("palette");

function entries(page) {
  const { state } = page;
  const persons = people(state).map((user, place) => ({
    sign: avatar(user), name: user.real_name, said: note(user, state.team) || (user.id === page.me ? "you" : "become"),
    key: place < 9 ? String(place + 1) : "", chosen: () => page.become(user.id),
  }));
  const places = state.channels.map((one) => ({
    sign: one.is_im ? avatar({ is_bot: true }) : icon(one.is_archived ? "box" : "hash"),
    name: one.name, said: one.is_im ? "app" : "channel", chosen: () => page.go(one.id),
  }));
  const ways = (state.shortcuts ?? []).map((one) => ({
    sign: icon("bolt"), name: one.name, said: "shortcut", chosen: () => page.act("shortcut", { callback_id: one.callback_id }),
  }));
  const trouble = { sign: icon("storm"), name: "Make trouble", said: "panel", chosen: () => page.trouble.toggle(true) };
  return [...persons, ...places, ...ways, trouble];
}

export function openPalette(page) {
  const all = entries(page);
  let shown = all;
  let here = 0;
  const list = h("div", { id: "palette-list", role: "listbox", "aria-label": "Places and people" });
  const box = h("input", { type: "text", class: "input", role: "combobox", autocomplete: "off", placeholder: "Where to, or who to be?",
    "aria-label": "Where to, or who to be?", "aria-controls": "palette-list", "aria-expanded": "true" });
  const choose = (one) => {
    dialog.close();
    one?.chosen();
  };
  const row = (one, place) =>
    h("div", { role: "option", id: `palette-${place}`, "aria-selected": String(place === here),
      onpointermove: () => mark(place), onclick: () => choose(one) },
    one.sign, h("span", {}, one.name), h("small", {}, one.said), one.key && h("kbd", {}, one.key));
  const mark = (place) => {
    here = Math.max(0, Math.min(place, shown.length - 1));
    for (const [at, node] of [...list.children].entries()) node.setAttribute("aria-selected", String(at === here));
    box.setAttribute("aria-activedescendant", `palette-${here}`);
    list.children[here]?.scrollIntoView({ block: "nearest" });
  };
  const narrow = () => {
    const wanted = box.value.trim().toLowerCase().replace(/^[#@]/, "");
    shown = all.filter((one) => `${one.name} ${one.said}`.toLowerCase().includes(wanted));
    list.replaceChildren(...shown.map(row));
    mark(0);
  };
  box.addEventListener("input", narrow);
  box.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) mark(here + step);
    if (event.key === "Enter") choose(shown[here]);
    if (step || event.key === "Enter") event.preventDefault();
  });
  dialog.replaceChildren(box, list,
    h("p", { class: "keys" }, h("kbd", {}, "↑"), h("kbd", {}, "↓"), " move  ", h("kbd", {}, "Enter"), " choose  ",
      h("kbd", {}, "1"), "–", h("kbd", {}, "9"), " become somebody at once, outside a field"));
  narrow();
  if (!dialog.open) dialog.showModal();
  box.focus();
}

dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
