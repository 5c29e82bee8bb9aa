// What the panel can do: to calls, to deliveries, to sockets, to the channel, to the person.

import { h } from "./dom.js";

const KINDS = {
  ratelimited: "Rate limit (429)", http_500: "Server error (500)", html_503: "A web page instead (503)",
  error: "Slack says no", slow: "Slow answer", hang: "No answer",
  drop_before: "Cut off before it is done", drop_after: "Done, but the reply is lost",
  lost: "Lost on the way", twice: "Arrives twice", expired: "Expired",
};
const EXTRA = {
  ratelimited: ["retry_after", "Retry after, seconds", 2], slow: ["ms", "Milliseconds", 2500],
  hang: ["ms", "Milliseconds (0: for ever)", 0], error: ["code", "Error code", "fatal_error"],
};
const CALLS = ["ratelimited", "http_500", "html_503", "error", "slow", "hang", "drop_before", "drop_after"];
const PLACES = { "*": "any call", delivery: "what Slack sends", trigger: "trigger ids", response_url: "response URLs" };
const AT_ONCE = [
  ["Rate limit", { kind: "ratelimited", times: 4, retry_after: 2 }],
  ["Outage", { kind: "html_503", times: 20 }],
  ["Lost reply", { kind: "drop_after", target: "chat.postMessage" }],
  ["Failing updates", { kind: "http_500", target: "chat.update", times: 3 }],
];
const SENT = [
  ["Lose one", { kind: "lost", target: "delivery" }],
  ["Send one twice", { kind: "twice", target: "delivery" }],
  ["Delay one by 4 s", { kind: "slow", target: "delivery", ms: 4000 }],
  ["Expire a trigger", { kind: "expired", target: "trigger" }],
];
const SOCKETS = [["Warn", "warning"], ["Refresh", "refresh_requested"], ["Cut off", "abort"], ["Disable", "link_disabled"]];

export function told(fault) {
  const times = fault.times === 1 ? "once" : `${fault.times} times`;
  return `${KINDS[fault.kind] ?? fault.kind} · ${PLACES[fault.target] ?? fault.target} · ${times}`;
}

const press = (name, onclick) => h("button", { type: "button", class: "button", onclick }, name);
const part = (name, ...inner) => h("section", {}, h("h2", {}, name), inner);
const labelled = (name, control) => {
  control.id = `brew-${name.toLowerCase().replaceAll(/\W+/g, "-")}`;
  return h("div", {}, h("label", { for: control.id }, name), control);
};
const choices = (pairs) => pairs.map(([value, name]) => h("option", { value }, name));

function callForm(panel, methods) {
  const kind = h("select", { class: "select" }, choices(CALLS.map((one) => [one, KINDS[one]])));
  const places = ["*", ...methods, "response_url"].map((one) => [one, PLACES[one] ?? one]);
  const target = h("select", { class: "select" }, choices(places));
  const times = h("input", { class: "input", type: "number", min: 1, max: 999, value: "3" });
  const extra = h("div", {});
  const ask = () => {
    const [, name, preset] = EXTRA[kind.value] ?? [];
    const type = typeof preset === "number" ? "number" : "text";
    extra.replaceChildren(...(name ? [labelled(name, h("input", { class: "input", type, min: 0, value: preset }))] : []));
  };
  kind.addEventListener("change", ask);
  ask();
  const store = (event) => {
    event.preventDefault();
    const [field, , preset] = EXTRA[kind.value] ?? [];
    const given = extra.querySelector("input")?.value;
    const more = field ? { [field]: typeof preset === "number" ? Number(given) : given } : {};
    panel.store({ kind: kind.value, target: target.value, times: Number(times.value), ...more });
  };
  return h("form", { class: "brew", onsubmit: store },
    labelled("What", kind), labelled("For", target), labelled("Times", times), extra,
    h("button", { class: "button primary", type: "submit" }, "Store it"));
}

function rooms(page) {
  const { id: channel, is_im, is_archived, bot_is_member } = page.channel();
  const name = page.state.app.name;
  if (is_im) return [h("p", {}, "Open a channel to change it.")];
  return [
    press(bot_is_member ? `Remove ${name}` : `Invite ${name}`, () => page.act(bot_is_member ? "leave" : "join", { channel })),
    press(is_archived ? "Bring back" : "Archive", () => page.act("archive", { channel, archived: !is_archived })),
  ];
}

function person(page) {
  const me = page.state.users.find((one) => one.id === page.me);
  const change = (flags) => page.act("change_user", { member: me.id, flags });
  return [
    press(me.deleted ? "Bring back" : "Deactivate", () => change({ deleted: !me.deleted })),
    press(me.is_guest ? "Make a member" : "Make a guest",
      () => change({ is_restricted: !me.is_guest, is_ultra_restricted: false })),
  ];
}

// Draws a row of buttons anew only if they say something else, so that focus stays.
function keep(row, buttons) {
  const said = buttons.map((one) => one.textContent).join("\n");
  if (row.dataset.said === said) return;
  const had = [...row.children].indexOf(document.activeElement);
  row.dataset.said = said;
  row.replaceChildren(...buttons);
  if (had >= 0) row.children[had]?.focus();
}

export function controls(panel, methods) {
  const row = (pairs, done) => h("div", { class: "presses" }, pairs.map(([name, what]) => press(name, () => done(what))));
  const store = (fault) => panel.store(fault);
  const open = h("small", {});
  const [channel, you] = [h("div", { class: "presses" }), h("div", { class: "presses" })];
  const [channelName, youName] = [h("small", {}), h("small", {})];
  const sections = [
    part("At once", row(AT_ONCE, store)),
    part("What the app asks", callForm(panel, methods)),
    part("What Slack sends", row(SENT, store)),
    part(["Sockets ", open], row(SOCKETS, (action) => panel.disturb(action))),
    part(["This channel ", channelName], channel),
    part(["You ", youName], you),
  ];
  const draw = (shown, page) => {
    open.textContent = `${shown.sockets} open`;
    channelName.textContent = page.channel().is_im ? "" : `#${page.channel().name}`;
    youName.textContent = page.state.users.find((one) => one.id === page.me).real_name;
    // What a press does depends on the channel and person, so both are part of what is kept.
    for (const [node, made] of [[channel, rooms(page)], [you, person(page)]]) {
      if (node.dataset.whose !== `${page.me}/${page.place}`) delete node.dataset.said;
      node.dataset.whose = `${page.me}/${page.place}`;
      keep(node, made);
    }
  };
  return { sections, draw };
}
