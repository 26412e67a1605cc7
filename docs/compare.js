// The sliders of the front page: a picture before, and over it the same after, from the slider to the right.
addEventListener("DOMContentLoaded", () => {
  for (const range of document.querySelectorAll(".front input")) {
    const move = () => range.parentElement.style.setProperty("--at", `${range.value}%`);
    range.addEventListener("input", move);
    move();
  }
});
