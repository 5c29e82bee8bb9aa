// A multi select: what is chosen stands in the field, which opens the list to choose from.

import { h } from "./dom.js";
import { popup } from "./popup.js";
import { words } from "./text.js";

const LONG = 7;

function finder(rows) {
  const box = h("input", { class: "input", type: "search", placeholder: "Find an option", "aria-label": "Find an option" });
  box.addEventListener("input", () => {
    const wanted = box.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
  return box;
}

export function multi(element, options, current, changed) {
  const known = new Map(options.map((option) => [option.value, option]));
  let picked = (current?.selected_options ?? []).map((option) => option.value);
  let told = picked.join("\n");
  const most = element.max_selected_items ?? Infinity;
  const field = h("summary", { class: "input" });
  const inputs = [];
  const show = () => {
    const hint = words(element.placeholder) || "Choose options";
    field.replaceChildren(
      ...(picked.length
        ? picked.map((value) => h("span", { class: "chip" }, words(known.get(value)?.text)))
        : [h("span", { class: "nothing" }, hint)]),
    );
    for (const input of inputs) input.disabled = picked.length >= most && !input.checked;
  };
  const rows = options.map((option) => {
    const input = h("input", { type: "checkbox", value: option.value });
    input.checked = picked.includes(option.value);
    input.addEventListener("change", () => {
      picked = picked.filter((value) => value !== option.value);
      if (input.checked) picked.push(option.value);
      show();
    });
    inputs.push(input);
    return h("label", { class: "option" }, input,
      h("span", {}, words(option.text), option.description && h("small", {}, words(option.description))));
  });
  show();
  const menu = h("div", { class: "menu", role: "group" }, rows.length > LONG && finder(rows), rows);
  // Slack tells the app once, when the list closes.
  const closed = () => {
    if (picked.join("\n") === told) return;
    told = picked.join("\n");
    changed(picked, field);
  };
  return { node: popup(h("details", { class: "multi" }, field, menu), closed), read: () => picked };
}
