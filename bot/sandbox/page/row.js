// An input block: its label is the name of the input, the error and the hint describe it.

import { h, icon } from "./dom.js";
import { words } from "./text.js";

export function row(block, inner, error) {
  const id = `field-${block.block_id}`;
  const grouped = inner.matches(".options, .multi");
  const said = [error && `${id}-error`, block.hint && `${id}-hint`].filter(Boolean).join(" ");
  inner.id = id;
  if (error) inner.setAttribute("aria-invalid", "true");
  if (said) inner.setAttribute("aria-describedby", said);
  return h(
    grouped ? "fieldset" : "div",
    { class: `block field${error ? " wrong" : ""}`, "data-block": block.block_id, "data-input": block.block_id },
    h(grouped ? "legend" : "label", { class: "label", for: grouped ? undefined : id },
      words(block.label), block.optional && h("small", {}, " (optional)")),
    inner,
    error && h("span", { class: "error", id: `${id}-error`, role: "alert" }, icon("warn"), error),
    block.hint && h("small", { class: "hint", id: `${id}-hint` }, words(block.hint)),
  );
}
