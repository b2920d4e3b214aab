// Keeps the states on the page up to date. All text is set as text, never as markup.
"use strict";
(() => {
  const EVERY_MS = 1500;
  const places = new Map(
    [...document.querySelectorAll("[data-key]")].map((place) => [place.dataset.key, place]),
  );
  const news = document.querySelector("[data-newest]");
  if (!places.size && !news) return;

  // Every form leads to another page; a request after a sign-out would get 401.
  const leaving = new AbortController();
  addEventListener("submit", () => leaving.abort());

  const show = (place, job) => {
    const state = place.querySelector("[data-state]");
    const moved = state.dataset.since !== job.since;
    state.dataset.since = job.since;
    state.textContent = job.state;
    state.className = `state ${job.css}`;
    state.title = job.meaning;
    const bar = place.querySelector("[data-share]");
    bar.hidden = job.share === null;
    bar.value = job.share ?? 0;
    place.querySelector("[data-doing]").textContent = job.doing;
    place.querySelector("[data-reason]").textContent = job.reason;
    // The tables of a study's page depend on the state and on every step.
    if (moved && "reload" in place.dataset) location.reload();
  };

  const look = async () => {
    if (document.hidden || leaving.signal.aborted) return;
    const address = `/live?keys=${[...places.keys()].join(",")}`;
    const answer = await fetch(address, { signal: leaving.signal });
    if (answer.status === 401) {
      location.assign("/sign-in");
      return;
    }
    if (!answer.ok) return;
    const said = await answer.json();
    for (const job of said.jobs) {
      const place = places.get(job.key);
      if (place) show(place, job);
    }
    if (news) news.hidden = said.newest <= Number(news.dataset.newest);
  };

  const again = () => look().catch(() => {}).finally(() => setTimeout(again, EVERY_MS));
  setTimeout(again, EVERY_MS);
})();
