// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>

namespace pha {

/// The look of a film's page: colours as in the window, light or dark as the reader's system is.
inline constexpr std::string_view filmStyle = R"css(
:root { --ground: #fff; --text: #1b1f26; --muted: #59626e; --line: #d8dce2; --train: #2d5fcc; --valid: #c2500c;
  --low: 179, 38, 30; --high: 45, 95, 204; --surprise: 213, 94, 0; --ink: #fff;
  --gss: #0072b2; --attention: #b84f00; --ffn: #007a58; --other: #667080; }
@media (prefers-color-scheme: dark) { :root { --ground: #1c1f25; --text: #e4e7eb; --muted: #9aa4b1; --line: #353a44;
  --train: #7aa5ff; --valid: #ffae66; --low: 255, 138, 128; --high: 122, 165, 255; --surprise: 242, 140, 56;
  --ink: #10141a; --gss: #56b4e9; --attention: #f28c38; --ffn: #35c49b; --other: #9aa4b1; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); max-width: 56rem;
  margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 1.2rem 0 .4rem; }
small, .note, figcaption, label { color: var(--muted); font-size: .9rem; font-weight: normal; }
.controls { display: flex; flex-wrap: wrap; gap: .8rem; align-items: center; margin: .8rem 0; }
.controls[hidden] { display: none; }
.controls input { flex: 1 1 14rem; } .controls output { min-width: 7rem; }
figure { margin: .5rem 0; } svg { width: 100%; height: auto; display: block; }
svg text { font-size: 11px; fill: var(--muted); }
.text { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid var(--line); border-radius: 6px;
  padding: .6rem .8rem; margin: 0 0 .8rem; min-height: 7.5rem; }
.prompt { border-bottom: 2px solid var(--muted); }
[data-tint=probability] .l { background: rgba(var(--low), var(--p)); }
[data-tint=probability] .h { background: rgba(var(--high), var(--p)); }
[data-tint=surprise] .l, [data-tint=surprise] .h { background: rgba(var(--surprise), var(--s)); }
.layer { display: flex; align-items: center; gap: .6rem; margin: 2px 0; font-size: .8rem; }
.layer > span { width: 3rem; text-align: right; color: var(--muted); }
.bar { flex: 1; display: flex; height: 1.3rem; border-radius: 3px; overflow: hidden; background: var(--line); }
.bar i { font-style: normal; color: var(--ink); text-align: center; overflow: hidden; white-space: nowrap; }
.gss { background: var(--gss); } .attention { background: var(--attention); } .ffn { background: var(--ffn); }
.other { background: var(--other); } .bar i + i { border-left: 1px solid var(--ground); }
)css";

/// Shows one frame at a time. Without it all of them stand one below the other.
inline constexpr std::string_view filmScript = R"js(
'use strict';
const get = id => document.getElementById(id);
const frames = [...document.querySelectorAll('.frame')], last = frames.length - 1;
const slider = get('slider'), play = get('play'), tint = get('tint'), speed = get('speed'), cursor = get('cursor');
let at = last, timer = 0;
function show(i) {
  at = Math.min(Math.max(i, 0), last);
  frames.forEach((frame, k) => { frame.hidden = k !== at; });
  slider.value = at;
  slider.setAttribute('aria-valuetext', 'step ' + frames[at].dataset.step);
  get('now').textContent = 'step ' + frames[at].dataset.step + ', ' + (at + 1) + ' of ' + (last + 1);
  for (const end of ['x1', 'x2']) cursor.setAttribute(end, frames[at].dataset.x);
}
function stop() { clearInterval(timer); timer = 0; play.textContent = 'Play'; }
function start() {
  if (at === last) show(0);
  timer = setInterval(() => { if (at === last) stop(); else show(at + 1); }, Number(speed.value));
  play.textContent = 'Pause';
}
function toggle() { if (timer) stop(); else start(); }
slider.addEventListener('input', () => { stop(); show(Number(slider.value)); });
play.addEventListener('click', toggle);
speed.addEventListener('change', () => { if (timer) { stop(); start(); } });
tint.addEventListener('change', () => { document.body.dataset.tint = tint.value; });
document.addEventListener('keydown', event => {
  if (event.target.tagName === 'SELECT' || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === ' ') { if (event.target !== play) { event.preventDefault(); toggle(); } return; }
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  stop();
  show(to);
});
get('controls').hidden = false;
show(last);
)js";

} // namespace pha
