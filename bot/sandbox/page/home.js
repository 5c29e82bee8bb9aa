// The app's own place: its Home tab, and the Messages tab beside it.

import { blocks } from "./blocks.js";
import { h, reconcile } from "./dom.js";
import { control } from "./fields.js";
import { row } from "./row.js";
import { zoneName } from "./zone.js";

const $ = (id) => document.getElementById(id);
const NAMES = { home: "Home", messages: "Messages" };

function tab(name, page, channel) {
  const here = name === page.tab;
  const news = name === "messages" ? page.unread(channel) : 0;
  const node = () =>
    h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-selected": String(here), "data-focus": `tab/${name}`,
      tabindex: here ? 0 : -1, "aria-controls": name, onclick: () => page.turn(name) },
    NAMES[name], news > 0 && h("b", { class: "badge", "aria-label": `${news} unread` }, news));
  return { key: name, signature: JSON.stringify([here, news, channel.id]), value: { node } };
}

const readers = new Map();

// What stands in the inputs of the view there is now; it goes along with every click.
function filled(view) {
  const asked = view.blocks.filter((one) => one.type === "input" && readers.has(one.block_id));
  return Object.fromEntries(asked.map((one) => [one.block_id, readers.get(one.block_id)()]));
}

// Each block is kept while it stays the same, so that focus and scrolling survive a new Home view.
function rows(view, page) {
  const click = (action_id, block_id, value) =>
    page.act("click_view", { action_id, block_id, value, values: filled(page.state.home), home: true });
  const values = view.state.values;
  const input = (block) => {
    const { element, block_id } = block;
    const dispatch = (value) => block.dispatch_action && click(element.action_id, block_id, value);
    const made = control(element, values[block_id]?.[element.action_id], dispatch);
    readers.set(block_id, made.read);
    return row(block, made.node);
  };
  const ctx = { id: "home", people: page.people(), values, input, click };
  return view.blocks.map((block, place) => ({
    key: `${page.me}/${place}`,
    signature: JSON.stringify([block, values[block.block_id], zoneName()]),
    value: { node: () => blocks([block], ctx)[0] },
  }));
}

const nothing = (name) => ({
  key: "nothing", signature: name,
  value: { node: () => h("p", { class: "beginning" }, `${name} has shown nothing here yet.`) },
});

export function drawHome(channel, page) {
  const { state } = page;
  const shown = channel.is_im && state.home_tab;
  const home = shown && page.tab === "home";
  $("tabs").hidden = !shown;
  $("home").hidden = !home;
  $("messages").hidden = home;
  $("composer").hidden = home;
  if (!shown) return;
  const names = state.messages_tab ? ["home", "messages"] : ["home"];
  reconcile($("tabs"), names.map((name) => tab(name, page, channel)), (value) => value.node());
  const view = state.home;
  const trouble = view?.trouble && {
    key: "trouble", signature: view.trouble,
    value: { node: () => h("p", { class: "trouble", role: "alert" }, view.trouble) },
  };
  const items = view ? [...rows(view, page), ...(trouble ? [trouble] : [])] : [nothing(state.app.name)];
  reconcile($("home"), items, (value) => value.node());
}

// Left and right walk between the tabs, as the tablist pattern asks.
export function walkTabs(page) {
  $("tabs").addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    page.turn(page.tab === "home" ? "messages" : "home");
    $(`tab-${page.tab}`)?.focus();
  });
}
