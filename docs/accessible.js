// What the theme leaves out for keyboards and screen readers.
for (const part of document.querySelectorAll("pre, .table-wrapper")) part.tabIndex = 0; // to scroll it by keys
for (const caption of document.querySelectorAll("p.caption[role=heading]")) caption.ariaLevel = 2;
document.querySelector("aside.sidebar-drawer")?.setAttribute("aria-label", "All pages");
document.querySelector("aside.toc-drawer")?.setAttribute("aria-label", "This page");
