/** What the server says of the table before it is made, and which tables were made before. */
import { api, events, online } from "../api.js";
import { effect, signal, useEffect, useState } from "../preact.js";
import { chosenStyles } from "../wish.js";
import { base, grid } from "./axes.js";

const WAIT = 250; // ms after the last change
const SHOWN = 8;
const MEASURING = 409; // the device is still being measured
const AGAIN = 2000; // ms
const asked = signal({ plan: null, error: null });
let following = false;

/** The plan of the whole table; asked anew when anything changes while the page is open. */
export function useTablePlan() {
  useEffect(() => {
    if (following) return undefined;
    following = true;
    let timer;
    let stop = new AbortController();
    const end = effect(() => {
      const body = { request: base.value, styles: chosenStyles.value, grid: grid.value };
      if (!grid.value || !online.value) return;
      clearTimeout(timer);
      const ask = () => {
        stop.abort();
        const mine = stop = new AbortController();
        api.plan(body, mine.signal).then(
          (plan) => { asked.value = { plan, error: null }; },
          (error) => {
            if (mine.signal.aborted || !error.status) return;
            if (error.status === MEASURING) timer = setTimeout(ask, AGAIN);
            else asked.value = { plan: null, error };
          },
        );
      };
      timer = setTimeout(ask, WAIT);
    });
    return () => {
      following = false;
      clearTimeout(timer);
      stop.abort();
      end();
    };
  }, []);
  return asked.value;
}

/** Jobs with a table, newest first. */
export function useEarlier() {
  const [jobs, setJobs] = useState([]);
  useEffect(() => {
    const ask = () => api.jobs({ limit: 200 }).then(
      ({ jobs: all }) => setJobs(all.filter((job) => job.grid).sort((a, b) => (a.created < b.created ? 1 : -1)).slice(0, SHOWN)),
      () => {},
    );
    const changed = ({ detail }) => { if (detail.job.grid) ask(); };
    ask();
    events.addEventListener("job", changed);
    events.addEventListener("open", ask);
    return () => {
      events.removeEventListener("job", changed);
      events.removeEventListener("open", ask);
    };
  }, []);
  return jobs;
}
