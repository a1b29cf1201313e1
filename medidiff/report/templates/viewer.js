"use strict";
// Two layers, one on either side of an edge that follows the slider, the pointer or the arrow keys.
for (const viewer of document.querySelectorAll(".viewer")) {
  const left = viewer.querySelector(".pick-left"), right = viewer.querySelector(".pick-right");
  const slider = viewer.querySelector(".cut"), flicker = viewer.querySelector(".flicker");
  const stacks = [...viewer.querySelectorAll(".stack")];
  let timer = 0, before = 50;

  const tag = (stack, side, text) => { stack.querySelector(".tag." + side).textContent = text; };
  const cut = (value) => {
    slider.value = Math.max(0, Math.min(100, value));
    viewer.style.setProperty("--cut", slider.value + "%");
    for (const stack of stacks) {
      tag(stack, "l", slider.value > 0 ? left.selectedOptions[0].text : "");
      tag(stack, "r", slider.value < 100 ? right.selectedOptions[0].text : "");
    }
  };
  const show = () => {
    for (const stack of stacks) {
      stack.querySelectorAll("img").forEach((image, n) => {
        image.classList.toggle("left", n === left.selectedIndex);
        image.classList.toggle("right", n === right.selectedIndex && n !== left.selectedIndex);
      });
    }
    cut(Number(slider.value));
  };
  const stop = () => {
    if (timer) { clearInterval(timer); timer = 0; cut(before); }
    flicker.setAttribute("aria-pressed", "false");
  };
  const turn = () => cut(Number(slider.value) > 50 ? 0 : 100);
  const start = () => {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) { turn(); return; }
    before = Number(slider.value);
    flicker.setAttribute("aria-pressed", "true");
    turn();
    timer = setInterval(turn, 600);
  };
  const toggle = () => { if (timer) stop(); else start(); };

  left.addEventListener("change", show);
  right.addEventListener("change", show);
  slider.addEventListener("input", () => { const value = Number(slider.value); stop(); cut(value); });
  flicker.addEventListener("click", toggle);
  for (const stack of stacks) {
    const follow = (event) => {
      if (event.type === "pointermove" && !event.buttons && event.pointerType !== "mouse") return;
      const box = stack.getBoundingClientRect();
      if (!timer) cut(100 * (event.clientX - box.left) / box.width);
    };
    stack.addEventListener("pointermove", follow);
    stack.addEventListener("pointerdown", follow);
  }
  viewer.addEventListener("keydown", (event) => {
    if (event.target !== viewer || event.ctrlKey || event.altKey || event.metaKey) return;
    const step = { ArrowLeft: -5, ArrowRight: 5, Home: -100, End: 100 }[event.key];
    const layer = Number(event.key) - 1;
    if (step) { stop(); cut(Number(slider.value) + step); }
    else if (event.key === "f") toggle();
    else if (right.options[layer]) { stop(); right.selectedIndex = layer; show(); cut(0); }
    else return;
    event.preventDefault();
  });
  viewer.classList.add("live");
  show();
}
for (const maps of document.querySelectorAll(".maps")) {
  const pick = maps.querySelector("select");
  const show = () => maps.querySelectorAll(".map").forEach((map, n) => { map.hidden = n !== pick.selectedIndex; });
  pick.addEventListener("change", show);
  show();
}
