// Inputs and selects of Block Kit as native controls.

import { h } from "./dom.js";
import { multi } from "./multi.js";
import { words } from "./text.js";
import { local, unix } from "./zone.js";

function grouped(element, make) {
  if (element.options) return element.options.map(make);
  return element.option_groups.map((group) =>
    h("optgroup", { label: words(group.label) }, group.options.map(make)),
  );
}

const offered = (element) => element.options ?? element.option_groups.flatMap((group) => group.options);

function select(element, current, changed) {
  const chosen = current?.selected_option?.value;
  const control = h(
    "select",
    { class: "select" },
    h("option", { value: "", disabled: true, hidden: true }, words(element.placeholder) || "Choose an option"),
    grouped(element, (option) => h("option", { value: option.value }, words(option.text))),
  );
  control.value = chosen ?? "";
  control.addEventListener("change", () => changed(control.value, control));
  return { node: control, read: () => control.value || null };
}

function boxes(element, current, changed, name, kind) {
  const picked = new Set(
    kind === "radio"
      ? [current?.selected_option?.value]
      : (current?.selected_options ?? []).map((option) => option.value),
  );
  const options = offered(element);
  const inputs = [];
  const read = () => {
    const values = inputs.filter((input) => input.checked).map((input) => input.value);
    return kind === "radio" ? (values[0] ?? null) : values;
  };
  const rows = options.map((option) => {
    const input = h("input", { type: kind, name, value: option.value });
    input.checked = picked.has(option.value);
    input.addEventListener("change", () => changed(read(), input));
    inputs.push(input);
    return h(
      "label",
      { class: "option" },
      input,
      h("span", {}, words(option.text), option.description && h("small", {}, words(option.description))),
    );
  });
  return { node: h("div", { class: "options" }, rows), read };
}

function typed(element, current, changed) {
  const common = {
    class: "input",
    placeholder: words(element.placeholder) || undefined,
    maxlength: element.max_length,
    autofocus: element.focus_on_load,
  };
  let control;
  if (element.multiline) {
    control = h("textarea", { ...common, rows: 4 });
  } else if (element.type === "number_input") {
    const mode = element.is_decimal_allowed ? "decimal" : "numeric";
    control = h("input", { ...common, type: "text", inputmode: mode });
  } else {
    control = h("input", { ...common, type: "text" });
  }
  control.value = current?.value ?? "";
  control.addEventListener("change", () => changed(control.value, control));
  return { node: control, read: () => control.value };
}

const PICKERS = {
  datepicker: { type: "date", key: "selected_date", shown: (value) => value, told: (value) => value },
  timepicker: { type: "time", key: "selected_time", shown: (value) => value, told: (value) => value },
  datetimepicker: { type: "datetime-local", key: "selected_date_time", shown: local, told: unix },
};

function dated(element, current, changed) {
  const { type, key, shown, told } = PICKERS[element.type];
  const control = h("input", { class: "input date", type });
  control.value = current?.[key] ? shown(current[key]) : "";
  const read = () => (control.value ? told(control.value) : null);
  control.addEventListener("change", () => changed(read(), control));
  return { node: control, read };
}

let groups = 0;

// Returns { node, read }: the control for an element, and how to read what it says now.
export function control(element, current, changed = () => {}) {
  const name = `group-${(groups += 1)}`;
  switch (element.type) {
    case "static_select":
      return select(element, current, changed);
    case "radio_buttons":
      return boxes(element, current, changed, name, "radio");
    case "multi_static_select":
      return multi(element, offered(element), current, changed);
    case "checkboxes":
      return boxes(element, current, changed, name, "checkbox");
    case "datepicker":
    case "timepicker":
    case "datetimepicker":
      return dated(element, current, changed);
    default:
      return typed(element, current, changed);
  }
}

const UNNAMED = {
  static_select: "Choose an option", datepicker: "Date", timepicker: "Time", datetimepicker: "Date and time",
};

// A control outside an input block acts at once, and has no label but its placeholder.
export function field(element, current, ctx, act) {
  const { node } = control(element, current, act);
  const name = words(element.placeholder) || UNNAMED[element.type];
  if (name && node.matches("input, select")) node.setAttribute("aria-label", name);
  return node;
}
