// A page that was opened as a file cannot start a worker, and says so; see page.html.
if (location.protocol !== "file:") import("./main.js");
