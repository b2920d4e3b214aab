"use strict";
// The browser saves the review as a file; the page sends nothing.
(() => {
  const about = JSON.parse(document.getElementById("review-data").textContent);
  const form = document.getElementById("review-form");
  const said = document.getElementById("review-state");
  let unsaved = false;

  function review() {
    const organs = about.organs.map((organ) => {
      const score = form.elements[`score-${organ.name}`].value;
      return {
        ...organ,
        score: score === "" ? null : Number(score),
        comment: form.elements[`comment-${organ.name}`].value.trim(),
      };
    });
    return {
      ...about,
      reviewer: document.getElementById("reviewer").value.trim(),
      saved: new Date().toISOString(),
      organs,
    };
  }

  form.addEventListener("input", () => { unsaved = true; said.textContent = "not saved yet"; });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const result = review();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${JSON.stringify(result, null, 2)}\n`], { type: "application/json" }));
    link.download = `review-${(about.rtstruct || about.comparison || "report").slice(-12)}-${result.saved.slice(0, 19).replace(/\D/g, "")}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    unsaved = false;
    const scored = result.organs.filter((organ) => organ.score !== null).length;
    said.textContent = `saved: ${scored} of ${result.organs.length} organs scored`;
  });
  window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
})();
