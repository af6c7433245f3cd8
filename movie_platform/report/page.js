// Draws the charts that the page's data names. Colors of text and axes are the style sheet's.
(() => {
  "use strict";
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const palette = ["#4c86c6", "#d9822b", "#3f9a63", "#c8453b", "#8e6bbf", "#a07850",
                   "#d070a8", "#7f8792", "#a6a832", "#2fa3b0"];
  const config = {
    background: "transparent",
    view: { stroke: null },
    range: { category: palette },
    axis: { labelFontSize: 11, titleFontSize: 11, titleFontWeight: "normal" },
    legend: { labelFontSize: 11, symbolType: "circle", labelLimit: 260 },
  };
  const draw = (id) => {
    const spec = { $schema: "https://vega.github.io/schema/vega-lite/v6.json", ...charts[id], config };
    const options = { renderer: "svg", actions: false, tooltip: { theme: "custom" } };
    window.vegaEmbed("#" + CSS.escape(id), spec, options).catch((error) => {
      document.getElementById(id).textContent = "This chart could not be drawn: " + error.message;
    });
  };
  Object.keys(charts).forEach(draw);
  // On paper nothing can be opened: open it before, and as it was after.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((one) => { one.open = false; }));
})();
