// The ⚡ beside the message box: the app's shortcuts and slash commands.

import { h, icon } from "./dom.js";
import { popup } from "./popup.js";

export function lightning({ shortcuts, commands, run, type }) {
  const list = h("div", { class: "menu" });
  const details = popup(h("details", { class: "lightning" },
    h("summary", { "aria-label": "Shortcuts", title: "Shortcuts" }, icon("bolt")), list));
  const entry = (name, said, chosen) =>
    h("button", { type: "button", onclick: () => { details.open = false; chosen(); } },
      h("b", {}, name), said && h("small", {}, said));
  details.addEventListener("toggle", () => {
    if (!details.open) return;
    const ways = shortcuts().map((one) => entry(one.name, one.description, () => run(one.callback_id)));
    const typed = commands().map((one) => entry(one.command, one.description, () => type(one)));
    list.replaceChildren(
      ...(ways.length ? [h("h3", {}, "Shortcuts"), ...ways] : []),
      ...(typed.length ? [h("h3", {}, "Commands"), ...typed] : []));
    if (!list.childElementCount) list.replaceChildren(h("p", {}, "This app has no shortcuts."));
  });
  return details;
}
