"use strict";

for (const range of document.querySelectorAll(".compare input")) {
  const move = () => range.parentElement.style.setProperty("--at", `${range.value}%`);
  range.addEventListener("input", move);
  move(); // a browser keeps the value when the page is loaded again
}

for (const more of document.querySelectorAll("button.more")) {
  const views = [...more.closest(".views").querySelectorAll(".view")];
  let at = 0;
  more.addEventListener("click", () => {
    views[at].hidden = true;
    at = (at + 1) % views.length;
    views[at].hidden = false;
    more.previousElementSibling.textContent = views[at].dataset.title;
  });
}
