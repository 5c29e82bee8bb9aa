// The workspace, who you are, and where you can go.

import { avatar, h, icon, reconcile } from "./dom.js";
import { clock } from "./text.js";
import { zoneName } from "./zone.js";

const $ = (id) => document.getElementById(id);

// What is particular about somebody, as far as Slack knows; roles are the app's business.
export function note(user, team) {
  if (user.deleted) return "deactivated";
  if (user.is_guest) return "guest";
  if (user.is_stranger || user.team_id !== team.id) return "external";
  return "";
}

export const labelled = (user, team) => {
  const said = note(user, team);
  return said ? `${user.real_name} (${said})` : user.real_name;
};

export const people = (state) => state.users.filter((one) => !one.is_bot);

function entry(channel, page) {
  const here = channel.id === page.channel().id;
  const news = page.unread(channel);
  const sign = () => (channel.is_im ? avatar({ is_bot: true }) : icon(channel.is_archived ? "box" : "hash"));
  const node = () =>
    h("button", { type: "button", class: `channel${news ? " news" : ""}${channel.is_archived ? " shut" : ""}`,
      "data-focus": `channel/${channel.id}`, "aria-current": here ? "page" : undefined, onclick: () => page.go(channel.id) },
    sign(), h("span", {}, channel.name),
    !channel.bot_is_member && h("small", { title: "The app is not in this channel" }, "no app"),
    news > 0 && h("b", { class: "badge", "aria-label": `${news} unread` }, news));
  return { key: channel.id, signature: JSON.stringify([channel, here, news]), value: { node } };
}

const title = (text) => ({ key: text, signature: text, value: { node: () => h("h2", {}, text) } });

function drawYou(page) {
  const { state } = page;
  const everybody = people(state);
  reconcile($("person"), everybody.map((one) => ({ key: one.id, signature: labelled(one, state.team), value: one })),
    (one) => h("option", { value: one.id }, labelled(one, state.team)));
  $("person").value = page.me;
  const me = everybody.find((one) => one.id === page.me);
  const city = zoneName().split("/").at(-1).replaceAll("_", " ");
  $("you-where").textContent = `You are · ${city} ${clock(Date.now() / 1000)}`;
  if ($("you-avatar").dataset.user === page.me) return;
  $("you-avatar").replaceWith(Object.assign(avatar(me), { id: "you-avatar" }));
  $("you-avatar").dataset.user = page.me;
}

export function drawSidebar(page) {
  const { state } = page;
  $("team").textContent = state.team.name;
  drawYou(page);
  const rooms = state.channels.filter((one) => !one.is_im);
  const apps = state.channels.filter((one) => one.is_im);
  const items = [title("Channels"), ...rooms.map((one) => entry(one, page))];
  if (apps.length) items.push(title("Apps"), ...apps.map((one) => entry(one, page)));
  reconcile($("channels"), items, (value) => value.node());
  const on = state.connected.sockets > 0 || state.connected.request_url;
  $("connection").className = on ? "on" : "off";
  $("connection").textContent = on ? `${state.app.name} is connected` : `${state.app.name} is not connected`;
}
